-- Notices know whose bucket they are of, and are told when it is gone. Empty in those from before.
ALTER TABLE notices ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE notices ADD COLUMN region TEXT NOT NULL DEFAULT '';
