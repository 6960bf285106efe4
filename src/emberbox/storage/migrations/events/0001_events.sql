-- Events that were accepted for asynchronous invocation, and what is to be told of those that ended.

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    request_id TEXT NOT NULL,
    payload BLOB NOT NULL,
    accepted REAL NOT NULL,
    due REAL NOT NULL,
    attempts INTEGER NOT NULL,
    refusals INTEGER NOT NULL,
    trace TEXT NOT NULL,
    client_context TEXT NOT NULL
);
CREATE INDEX events_by_lane ON events (account, region, name, due, id);

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    role TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    body BLOB NOT NULL,
    attributes TEXT NOT NULL,
    due REAL NOT NULL,
    attempts INTEGER NOT NULL
);
CREATE INDEX deliveries_by_due ON deliveries (due, id);
