-- Schedules and their groups, and parcels to targets.

CREATE TABLE documents (
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, account, region, name)
) WITHOUT ROWID;

CREATE TABLE parcels (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL,
    is_slow INTEGER NOT NULL
);
CREATE INDEX parcels_due ON parcels (is_slow, due, id);

-- `next` is when the target is called, NULL when there is nothing to come; `moment` the run's time.
CREATE TABLE schedules (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    grp TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    value TEXT NOT NULL,
    moment REAL,
    next REAL,
    PRIMARY KEY (account, region, grp, name)
) WITHOUT ROWID;
CREATE INDEX schedules_by_time ON schedules (next) WHERE next IS NOT NULL;
