-- Numbers of versions, and aliases.

-- The highest number ever given: it stays when the version or the function goes, so that none comes
-- twice. `description` is what $LATEST had then.
CREATE TABLE version_numbers (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    description TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE TABLE aliases (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    description TEXT NOT NULL,
    weights TEXT NOT NULL,
    revision_id TEXT NOT NULL,
    PRIMARY KEY (account, region, function, name)
);

CREATE INDEX functions_in_order ON functions (account, region, name, CAST(version AS INTEGER));
