-- Concurrent executions that are set aside for a function, and are also its limit.

CREATE TABLE reserved_concurrency (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    reserved INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
);
