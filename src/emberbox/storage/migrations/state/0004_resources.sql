-- Event source mappings; they outlive the functions they are for. Below: what hangs on functions, and
-- what belongs to an account.

CREATE TABLE event_source_mappings (
    uuid TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    qualifier TEXT,
    source TEXT NOT NULL,
    source_arn TEXT,
    reads TEXT NOT NULL,
    settings TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    state TEXT NOT NULL,
    modified REAL NOT NULL,
    reason TEXT,
    result TEXT,
    tags TEXT NOT NULL
);
CREATE INDEX event_source_mappings_by_function
    ON event_source_mappings (account, region, function, reads);

-- What hangs on a function, a version or an alias, and goes with it. The value is JSON.
CREATE TABLE attachments (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    kind TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    value TEXT NOT NULL,
    modified REAL NOT NULL,
    PRIMARY KEY (account, region, function, kind, qualifier)
);

CREATE TRIGGER attachments_go_with_their_version AFTER DELETE ON functions
BEGIN
    DELETE FROM attachments
    WHERE account = OLD.account AND region = OLD.region AND function = OLD.name
        AND (OLD.version = '$LATEST' OR qualifier = OLD.version);
END;

CREATE TRIGGER attachments_go_with_their_alias AFTER DELETE ON aliases
BEGIN
    DELETE FROM attachments
    WHERE account = OLD.account AND region = OLD.region AND function = OLD.function
        AND qualifier = OLD.name;
END;

-- What belongs to an account and a region and to no function: code signing configurations, capacity
-- providers. The value is JSON.
CREATE TABLE account_resources (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    tags TEXT NOT NULL,
    modified REAL NOT NULL,
    PRIMARY KEY (account, region, kind, name)
);
