-- Exports to buckets, and saved queries.

CREATE TABLE documents (
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, account, region, name)
) WITHOUT ROWID;
