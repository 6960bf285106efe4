-- Queues, their messages, and what FIFO queues remember. Ids are never used twice: the id of a
-- message is its place in the order, and its sequence number.

CREATE TABLE queues (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_s INTEGER NOT NULL,
    modified_s INTEGER NOT NULL,
    purged_ms INTEGER NOT NULL DEFAULT 0,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL,
    UNIQUE (account, region, name)
);

-- What changes while a message lives. A message waits until visible_ms; if it has been received in
-- this queue (receives > receives_before) it is in flight until then, else it is delayed.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue_id INTEGER NOT NULL,
    group_id TEXT NOT NULL,
    visible_ms INTEGER NOT NULL,
    sent_ms INTEGER NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0,
    receives_before INTEGER NOT NULL DEFAULT 0,
    first_received_ms INTEGER,
    received_ms INTEGER,
    message_id TEXT NOT NULL,
    came_from TEXT
);
CREATE INDEX messages_by_visibility ON messages (queue_id, group_id, visible_ms, id);
CREATE INDEX messages_by_age ON messages (queue_id, sent_ms);
CREATE INDEX messages_of_group ON messages (queue_id, group_id, id) WHERE group_id <> '';
CREATE INDEX messages_received ON messages (queue_id, group_id, visible_ms)
    WHERE receives > receives_before;

-- What never changes, apart, so that a receive does not rewrite it.
CREATE TABLE message_contents (
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    attributes TEXT,
    system TEXT NOT NULL
);

-- Groups that have messages. ready_ms is when the next one may be received: of a FIFO queue the
-- first in order, and not while another of the group is in flight.
CREATE TABLE message_groups (
    queue_id INTEGER NOT NULL,
    group_id TEXT NOT NULL,
    ready_ms INTEGER NOT NULL,
    PRIMARY KEY (queue_id, group_id)
) WITHOUT ROWID;
CREATE INDEX message_groups_by_time ON message_groups (queue_id, ready_ms);

-- What was sent to FIFO queues in the last five minutes; scope is a group or empty.
CREATE TABLE message_duplicates (
    queue_id INTEGER NOT NULL,
    scope TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (queue_id, scope, deduplication_id)
) WITHOUT ROWID;
CREATE INDEX message_duplicates_by_time ON message_duplicates (until_ms);

-- What a ReceiveRequestAttemptId has received in the last five minutes.
CREATE TABLE receive_attempts (
    queue_id INTEGER NOT NULL,
    attempt_id TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    received TEXT NOT NULL,
    PRIMARY KEY (queue_id, attempt_id)
) WITHOUT ROWID;
CREATE INDEX receive_attempts_by_time ON receive_attempts (until_ms);

-- Queues that are gone, or purged of what was sent until then, and may have messages left.
CREATE TABLE queue_remains (
    id INTEGER PRIMARY KEY,
    queue_id INTEGER NOT NULL,
    up_to INTEGER NOT NULL,
    sent_ms INTEGER NOT NULL
);

CREATE TABLE message_moves (
    handle TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT,
    rate INTEGER,
    status TEXT NOT NULL,
    moved INTEGER NOT NULL DEFAULT 0,
    to_move INTEGER NOT NULL,
    failure TEXT,
    started_ms INTEGER NOT NULL
);
CREATE INDEX message_moves_of_source ON message_moves (source, started_ms);
