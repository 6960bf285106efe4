-- SnapStart: whether it applies to versions published, and whether this version has a snapshot.

ALTER TABLE functions ADD COLUMN snap_start INTEGER NOT NULL DEFAULT 0;
ALTER TABLE functions ADD COLUMN snap_optimized INTEGER NOT NULL DEFAULT 0;
