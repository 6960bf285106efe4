-- Of the billed time, the part on environments that were initialised ahead of need; and for how
-- long such environments were kept, all of them together.

ALTER TABLE totals ADD COLUMN provisioned_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN kept_ms REAL NOT NULL DEFAULT 0;
