-- Up to which generation the journal of usage has been written here; one row at most.

CREATE TABLE generations (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    generation INTEGER NOT NULL
);
