-- Groups of traces, and the tags of what has some, by its ARN.

CREATE TABLE trace_groups (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    arn TEXT NOT NULL,
    expression TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
) WITHOUT ROWID;

CREATE TABLE tags (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    arn TEXT NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, region, arn)
) WITHOUT ROWID;
