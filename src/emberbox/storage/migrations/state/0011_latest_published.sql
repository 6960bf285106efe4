-- Where a version stands among those of its function: by number, $LATEST.PUBLISHED after all others.
ALTER TABLE functions ADD COLUMN place INTEGER GENERATED ALWAYS AS (
    CASE version
        WHEN '$LATEST.PUBLISHED' THEN 100000000000000000 ELSE CAST(version AS INTEGER)
    END
) VIRTUAL;

DROP INDEX functions_in_order;
CREATE INDEX functions_in_order ON functions (account, region, name, place);
