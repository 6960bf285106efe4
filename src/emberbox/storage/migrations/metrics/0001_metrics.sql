-- Metrics: series, and what was measured of each in one minute (or one second, where asked for).

CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    dimensions TEXT NOT NULL,
    unit TEXT NOT NULL,
    last_s INTEGER NOT NULL,
    UNIQUE (account, region, namespace, name, dimensions, unit)
);

CREATE TABLE points (
    series INTEGER NOT NULL REFERENCES series (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    count REAL NOT NULL,
    total REAL NOT NULL,
    low REAL NOT NULL,
    high REAL NOT NULL,
    content TEXT,
    PRIMARY KEY (series, at)
) WITHOUT ROWID;

CREATE TABLE alarms (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    reason_data TEXT NOT NULL,
    state_s REAL NOT NULL,
    updated_s REAL NOT NULL,
    configured_s REAL NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE TABLE alarm_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    at_s REAL NOT NULL,
    kind TEXT NOT NULL,
    summary TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX alarm_history_by_time ON alarm_history (account, region, at_s);
