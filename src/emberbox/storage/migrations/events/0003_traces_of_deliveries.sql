-- The trace that goes on with what is told of an event: by its lineage loops are found.

ALTER TABLE deliveries ADD COLUMN trace TEXT NOT NULL DEFAULT '';
