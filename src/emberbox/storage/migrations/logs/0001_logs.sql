-- Log groups, streams and the chunks their events are stored in. Ids are never used twice, so that
-- a chunk of a deleted group can wait for its removal without belonging to a new one.

CREATE TABLE log_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    class TEXT NOT NULL,
    is_protected INTEGER NOT NULL,
    retention_days INTEGER,
    tags TEXT NOT NULL,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account, region, name)
);

CREATE TABLE log_streams (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    first_event_ms INTEGER,
    last_event_ms INTEGER,
    last_ingested_ms INTEGER,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (group_id, name)
);
CREATE INDEX log_streams_by_time ON log_streams (group_id, COALESCE(last_event_ms, 0), name);

CREATE TABLE log_chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL,
    stream_id INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    ingested_ms INTEGER NOT NULL,
    events INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    blob BLOB NOT NULL
);
CREATE INDEX log_chunks_of_stream_up ON log_chunks (stream_id, first_ms, id, last_ms);
CREATE INDEX log_chunks_of_stream_down ON log_chunks (stream_id, last_ms, id, first_ms);
CREATE INDEX log_chunks_of_group_up ON log_chunks (group_id, first_ms, id, last_ms, stream_id);
CREATE INDEX log_chunks_of_group_down ON log_chunks (group_id, last_ms, id, first_ms, stream_id);

-- Deleted streams whose chunks are still there.
CREATE TABLE log_doomed (stream_id INTEGER PRIMARY KEY);

-- The highest segment of the journal whose events are all in log_chunks.
CREATE TABLE log_journal (one INTEGER PRIMARY KEY CHECK (one = 1), covered INTEGER NOT NULL);
INSERT INTO log_journal VALUES (1, 0);
