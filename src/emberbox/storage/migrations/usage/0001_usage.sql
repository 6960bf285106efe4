-- What invocations used: each one for a while, and sums by day for good.

CREATE TABLE subjects (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    memory_mb INTEGER NOT NULL,
    ephemeral_mb INTEGER NOT NULL,
    architecture TEXT NOT NULL,
    UNIQUE (account, region, name, version, memory_mb, ephemeral_mb, architecture)
);

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    subject INTEGER NOT NULL REFERENCES subjects (id),
    request_id TEXT NOT NULL,
    at REAL NOT NULL,
    duration_ms REAL NOT NULL,
    billed_ms INTEGER NOT NULL,
    init_ms REAL,
    peak_mb INTEGER NOT NULL,
    cpu_ms REAL NOT NULL,
    error TEXT NOT NULL,
    qualifier TEXT NOT NULL
);
CREATE INDEX runs_by_time ON runs (at);

CREATE TABLE totals (
    day TEXT NOT NULL,
    subject INTEGER NOT NULL REFERENCES subjects (id),
    runs INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    cold INTEGER NOT NULL,
    billed_ms INTEGER NOT NULL,
    duration_ms REAL NOT NULL,
    init_ms REAL NOT NULL,
    peak_mb INTEGER NOT NULL,
    cpu_ms REAL NOT NULL,
    cpu_duration_ms REAL NOT NULL,
    PRIMARY KEY (day, subject)
) WITHOUT ROWID;
