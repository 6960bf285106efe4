-- Traces: their documents, what is known of each without reading them, and the rules of sampling.

CREATE TABLE traces (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    begun REAL NOT NULL,
    touched REAL NOT NULL,
    ended REAL NOT NULL,
    bytes INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    is_cut INTEGER NOT NULL,
    UNIQUE (account, region, trace_id)
);
CREATE INDEX traces_by_time ON traces (touched);

CREATE TABLE segments (
    trace INTEGER NOT NULL REFERENCES traces (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (trace, id)
) WITHOUT ROWID;

CREATE TABLE sampling_rules (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    rule TEXT NOT NULL,
    created REAL NOT NULL,
    modified REAL NOT NULL,
    PRIMARY KEY (account, region, name)
) WITHOUT ROWID;
