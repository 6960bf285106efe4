-- What is done with the events of a group as they are stored. `position` is the last chunk that a
-- filter has seen to its end: it goes on behind it after a restart.

CREATE TABLE log_filters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    pattern TEXT NOT NULL,
    settings TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    position INTEGER NOT NULL,
    UNIQUE (group_id, kind, name)
);

-- Chunks in the order in which they were stored.
CREATE INDEX log_chunks_of_group_as_stored ON log_chunks (group_id, id);
