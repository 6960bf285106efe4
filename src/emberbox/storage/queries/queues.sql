-- Queues

-- name: queues
SELECT * FROM queues ORDER BY id;

-- name: queue
SELECT * FROM queues WHERE id = :id;

-- name: queue_add
INSERT INTO queues (account, region, name, created_s, modified_s, attributes, tags)
VALUES (:account, :region, :name, :now_s, :now_s, :attributes, :tags)
ON CONFLICT DO NOTHING RETURNING *;

-- name: queue_change
UPDATE queues SET attributes = :attributes, tags = :tags, modified_s = :modified_s WHERE id = :id
RETURNING *;

-- name: queue_remove
DELETE FROM queues WHERE id = :id;

-- name: queue_purged
UPDATE queues SET purged_ms = :now_ms WHERE id = :id RETURNING *;

-- name: queue_remains_add
INSERT INTO queue_remains (queue_id, up_to, sent_ms)
SELECT :queue_id, seq, :sent_ms FROM sqlite_sequence WHERE name = 'messages';

-- name: queue_groups_remove
DELETE FROM message_groups WHERE queue_id = :queue_id;

-- name: queue_duplicates_remove
DELETE FROM message_duplicates WHERE queue_id = :queue_id;

-- name: queue_attempts_remove
DELETE FROM receive_attempts WHERE queue_id = :queue_id;

-- Messages

-- name: message_add
INSERT INTO messages (queue_id, group_id, visible_ms, sent_ms, message_id)
VALUES (:queue_id, :group_id, :visible_ms, :sent_ms, :message_id) RETURNING id;

-- name: message_contents_add
INSERT INTO message_contents (id, body, attributes, system)
VALUES (:id, :body, :attributes, :system);

-- name: messages_visible
SELECT * FROM messages
WHERE queue_id = :queue_id AND group_id = :group_id AND visible_ms <= :now_ms
ORDER BY visible_ms, id LIMIT :limit;

-- name: messages_first_of_group
SELECT * FROM messages
WHERE queue_id = :queue_id AND group_id = :group_id AND group_id <> '' ORDER BY id LIMIT :limit;

-- name: message
SELECT * FROM messages WHERE id = :id;

-- name: message_contents
SELECT * FROM message_contents WHERE id = :id;

-- name: message_receive
UPDATE messages SET visible_ms = :visible_ms, received_ms = :now_ms, receives = receives + 1,
    first_received_ms = COALESCE(first_received_ms, :now_ms)
WHERE id = :id RETURNING *;

-- name: message_see
UPDATE messages SET visible_ms = :visible_ms WHERE id = :id;

-- name: message_bury
UPDATE messages SET queue_id = :queue_id, visible_ms = :now_ms, sent_ms = :sent_ms,
    receives_before = receives, received_ms = NULL, came_from = :came_from
WHERE id = :id;

-- name: message_resend
UPDATE messages SET queue_id = :queue_id, visible_ms = :now_ms, sent_ms = :now_ms, receives = 0,
    receives_before = 0, first_received_ms = NULL, received_ms = NULL, came_from = NULL,
    message_id = :message_id
WHERE id = :id;

-- name: message_remove
DELETE FROM messages WHERE id = :id;

-- name: message_contents_remove
DELETE FROM message_contents WHERE id = :id;

-- name: messages_sent_before
SELECT * FROM messages WHERE queue_id = :queue_id AND sent_ms <= :sent_ms ORDER BY sent_ms
LIMIT :limit;

-- name: messages_remaining
SELECT * FROM messages
WHERE queue_id = :queue_id AND sent_ms <= :sent_ms AND id <= :up_to ORDER BY sent_ms LIMIT :limit;

-- name: messages_count
SELECT
    (SELECT COUNT(*) FROM messages WHERE queue_id = :queue_id AND visible_ms <= :now_ms)
        AS visible,
    (SELECT COUNT(*) FROM messages
        WHERE queue_id = :queue_id AND receives > receives_before AND visible_ms > :now_ms)
        AS in_flight,
    (SELECT COUNT(*) FROM messages WHERE queue_id = :queue_id AND visible_ms > :now_ms) AS waiting;

-- name: messages_in_flight
SELECT COUNT(*) AS messages FROM messages
WHERE queue_id = :queue_id AND receives > receives_before AND visible_ms > :now_ms;

-- name: messages_oldest
SELECT sent_ms FROM messages
WHERE queue_id = :queue_id AND sent_ms > :since_ms AND receives - receives_before < :receives
ORDER BY sent_ms LIMIT 1;

-- Groups

-- name: groups_in_flight
SELECT COUNT(DISTINCT group_id) AS groups FROM messages
WHERE queue_id = :queue_id AND receives > receives_before AND visible_ms > :now_ms;

-- name: groups_ready
SELECT group_id, ready_ms FROM message_groups
WHERE queue_id = :queue_id AND ready_ms <= :now_ms ORDER BY ready_ms LIMIT :limit;

-- name: groups_next
SELECT MIN(ready_ms) AS at_ms FROM message_groups WHERE queue_id = :queue_id;

-- name: group_set
INSERT INTO message_groups (queue_id, group_id, ready_ms)
VALUES (:queue_id, :group_id, :ready_ms)
ON CONFLICT (queue_id, group_id) DO UPDATE SET ready_ms = excluded.ready_ms;

-- name: group_add
INSERT INTO message_groups (queue_id, group_id, ready_ms)
VALUES (:queue_id, :group_id, :ready_ms)
ON CONFLICT (queue_id, group_id) DO NOTHING;

-- name: group_add_earliest
INSERT INTO message_groups (queue_id, group_id, ready_ms)
VALUES (:queue_id, :group_id, :ready_ms)
ON CONFLICT (queue_id, group_id) DO UPDATE SET ready_ms = MIN(ready_ms, excluded.ready_ms);

-- name: group_remove
DELETE FROM message_groups WHERE queue_id = :queue_id AND group_id = :group_id;

-- name: group_in_flight_until
SELECT MAX(visible_ms) AS at_ms FROM messages
WHERE queue_id = :queue_id AND group_id = :group_id AND receives > receives_before;

-- name: group_in_flight
SELECT COUNT(*) AS messages FROM (
    SELECT 1 FROM messages
    WHERE queue_id = :queue_id AND group_id = :group_id AND receives > receives_before
        AND visible_ms > :now_ms
    LIMIT :limit
);

-- name: group_next
SELECT MIN(visible_ms) AS at_ms FROM messages
WHERE queue_id = :queue_id AND group_id = :group_id;

-- What FIFO queues remember

-- name: duplicate
SELECT * FROM message_duplicates
WHERE queue_id = :queue_id AND scope = :scope AND deduplication_id = :deduplication_id
    AND until_ms > :now_ms;

-- name: duplicate_add
INSERT OR REPLACE INTO message_duplicates
VALUES (:queue_id, :scope, :deduplication_id, :message_id, :sequence, :until_ms);

-- name: duplicates_forget
DELETE FROM message_duplicates WHERE (queue_id, scope, deduplication_id) IN (
    SELECT queue_id, scope, deduplication_id FROM message_duplicates
    WHERE until_ms <= :now_ms LIMIT :limit
);

-- name: attempt
SELECT * FROM receive_attempts
WHERE queue_id = :queue_id AND attempt_id = :attempt_id AND until_ms > :now_ms;

-- name: attempt_add
INSERT OR REPLACE INTO receive_attempts VALUES (:queue_id, :attempt_id, :until_ms, :received);

-- name: attempts_forget
DELETE FROM receive_attempts WHERE (queue_id, attempt_id) IN (
    SELECT queue_id, attempt_id FROM receive_attempts WHERE until_ms <= :now_ms LIMIT :limit
);

-- name: remains
SELECT * FROM queue_remains ORDER BY id LIMIT 1;

-- name: remains_done
DELETE FROM queue_remains WHERE id = :id;

-- Moves

-- name: move_add
INSERT INTO message_moves
    (handle, account, region, source, destination, rate, status, to_move, started_ms)
VALUES (:handle, :account, :region, :source, :destination, :rate, 'RUNNING', :to_move, :started_ms);

-- name: move
SELECT * FROM message_moves WHERE handle = :handle;

-- name: moves_of_source
SELECT * FROM message_moves WHERE source = :source ORDER BY started_ms DESC, rowid DESC
LIMIT :limit;

-- name: moves_running
SELECT * FROM message_moves WHERE status IN ('RUNNING', 'CANCELLING');

-- name: move_progress
UPDATE message_moves SET moved = moved + :more WHERE handle = :handle;

-- name: move_status
UPDATE message_moves SET status = :status, failure = :failure WHERE handle = :handle;

-- name: moves_forget
DELETE FROM message_moves WHERE source = :source AND status NOT IN ('RUNNING', 'CANCELLING')
    AND handle NOT IN (SELECT handle FROM message_moves WHERE source = :source
        ORDER BY started_ms DESC, rowid DESC LIMIT :keep);

-- name: moves_remove
DELETE FROM message_moves WHERE source = :source;
