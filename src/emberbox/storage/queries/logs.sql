-- Groups

-- name: log_group
SELECT * FROM log_groups WHERE account = :account AND region = :region AND name = :name;

-- name: log_group_add
INSERT INTO log_groups
    (account, region, name, created_ms, class, is_protected, retention_days, tags)
VALUES (:account, :region, :name, :created_ms, :group_class, :is_protected, :retention_days, :tags)
ON CONFLICT DO NOTHING;

-- name: log_group_remove
DELETE FROM log_groups WHERE id = :id;

-- name: log_group_retain
UPDATE log_groups SET retention_days = :days WHERE id = :id;

-- name: log_group_protect
UPDATE log_groups SET is_protected = :is_protected WHERE id = :id;

-- name: log_group_tag
UPDATE log_groups SET tags = :tags WHERE id = :id;

-- name: log_group_grow
UPDATE log_groups SET size_bytes = MAX(0, size_bytes + :more) WHERE id = :id;

-- name: log_groups
SELECT * FROM log_groups
WHERE account = :account AND region = :region AND name >= :low AND name < :high
    AND (:pattern IS NULL OR instr(name, :pattern) > 0)
    AND (:classes IS NULL OR class IN (SELECT value FROM json_each(:classes)))
ORDER BY name LIMIT :limit;

-- name: log_groups_that_expire
SELECT id, retention_days FROM log_groups
WHERE retention_days IS NOT NULL AND id > :after ORDER BY id LIMIT :limit;

-- Streams

-- name: log_stream
SELECT * FROM log_streams WHERE group_id = :group_id AND name = :name;

-- name: log_stream_ids
SELECT g.id AS group_id, s.id AS stream_id
FROM log_groups AS g JOIN log_streams AS s ON s.group_id = g.id AND s.name = :name
WHERE g.account = :account AND g.region = :region AND g.name = :group_name;

-- name: log_stream_add
INSERT INTO log_streams (group_id, name, created_ms) VALUES (:group_id, :name, :created_ms)
ON CONFLICT DO NOTHING;

-- name: log_stream_remove
DELETE FROM log_streams WHERE id = :id;

-- name: log_stream_doom
INSERT INTO log_doomed VALUES (:id);

-- name: log_streams_doom_all
INSERT INTO log_doomed SELECT id FROM log_streams WHERE group_id = :group_id;

-- name: log_streams_remove_all
DELETE FROM log_streams WHERE group_id = :group_id;

-- name: log_stream_grow
UPDATE log_streams SET
    first_event_ms = MIN(COALESCE(first_event_ms, :first_ms), :first_ms),
    last_event_ms = MAX(COALESCE(last_event_ms, :last_ms), :last_ms),
    last_ingested_ms = :now_ms,
    size_bytes = size_bytes + :more
WHERE id = :id;

-- name: log_stream_shrink
UPDATE log_streams SET
    first_event_ms = COALESCE(
        (SELECT MIN(first_ms) FROM log_chunks WHERE stream_id = :id), last_event_ms
    ),
    size_bytes = MAX(0, size_bytes - :less)
WHERE id = :id;

-- name: log_streams_by_name_up
SELECT * FROM log_streams
WHERE group_id = :group_id AND name >= :low AND name < :high
ORDER BY name LIMIT :limit;

-- name: log_streams_by_name_down
SELECT * FROM log_streams
WHERE group_id = :group_id AND name >= :low AND name < :high
ORDER BY name DESC LIMIT :limit;

-- name: log_streams_by_time_up
SELECT * FROM log_streams
WHERE group_id = :group_id AND COALESCE(last_event_ms, 0) >= :after_ms
    AND (COALESCE(last_event_ms, 0), name) > (:after_ms, :after)
ORDER BY COALESCE(last_event_ms, 0), name LIMIT :limit;

-- name: log_streams_by_time_down
SELECT * FROM log_streams
WHERE group_id = :group_id AND COALESCE(last_event_ms, 0) <= :after_ms
    AND (COALESCE(last_event_ms, 0), name) < (:after_ms, :after)
ORDER BY COALESCE(last_event_ms, 0) DESC, name DESC LIMIT :limit;

-- Chunks

-- name: log_chunk_add
INSERT INTO log_chunks
    (group_id, stream_id, first_ms, last_ms, ingested_ms, events, size_bytes, blob)
VALUES (:group_id, :stream_id, :first_ms, :last_ms, :now_ms, :events, :size_bytes, :blob);

-- name: log_chunks_of_stream_up
SELECT id, first_ms, last_ms, ingested_ms, size_bytes, blob, NULL AS stream FROM log_chunks
WHERE stream_id = :scope AND first_ms >= :near_ms AND first_ms <= :high_ms AND last_ms >= :low_ms
    AND (first_ms, id) > (:after_ms, :after_id)
ORDER BY first_ms, id LIMIT :limit;

-- name: log_chunks_of_stream_down
SELECT id, first_ms, last_ms, ingested_ms, size_bytes, blob, NULL AS stream FROM log_chunks
WHERE stream_id = :scope AND last_ms <= :near_ms AND first_ms <= :high_ms AND last_ms >= :low_ms
    AND (last_ms, id) < (:after_ms, :after_id)
ORDER BY last_ms DESC, id DESC LIMIT :limit;

-- name: log_chunks_of_group_up
SELECT c.id, c.first_ms, c.last_ms, c.ingested_ms, c.size_bytes, c.blob, s.name AS stream
FROM log_chunks AS c CROSS JOIN log_streams AS s ON s.id = c.stream_id
WHERE c.group_id = :scope
    AND c.first_ms >= :near_ms AND c.first_ms <= :high_ms AND c.last_ms >= :low_ms
    AND (c.first_ms, c.id) > (:after_ms, :after_id)
    AND (:streams IS NULL OR c.stream_id IN (SELECT value FROM json_each(:streams)))
    AND s.name >= :name_low AND s.name < :name_high
ORDER BY c.first_ms, c.id LIMIT :limit;

-- name: log_chunks_of_group_down
SELECT c.id, c.first_ms, c.last_ms, c.ingested_ms, c.size_bytes, c.blob, s.name AS stream
FROM log_chunks AS c CROSS JOIN log_streams AS s ON s.id = c.stream_id
WHERE c.group_id = :scope
    AND c.last_ms <= :near_ms AND c.first_ms <= :high_ms AND c.last_ms >= :low_ms
    AND (c.last_ms, c.id) < (:after_ms, :after_id)
    AND (:streams IS NULL OR c.stream_id IN (SELECT value FROM json_each(:streams)))
    AND s.name >= :name_low AND s.name < :name_high
ORDER BY c.last_ms DESC, c.id DESC LIMIT :limit;

-- name: log_chunks_expired
SELECT id, stream_id, size_bytes FROM log_chunks
WHERE group_id = :group_id AND last_ms < :cutoff_ms ORDER BY last_ms LIMIT :limit;

-- name: log_chunk_remove
DELETE FROM log_chunks WHERE id = :id;

-- name: log_doomed_next
SELECT stream_id FROM log_doomed LIMIT :limit;

-- name: log_doomed_done
DELETE FROM log_doomed WHERE stream_id = :stream_id;

-- name: log_chunks_remove_some
DELETE FROM log_chunks
WHERE id IN (SELECT id FROM log_chunks WHERE stream_id = :stream_id LIMIT :limit);

-- Journal

-- name: log_journal_covered
SELECT covered FROM log_journal;

-- name: log_journal_cover
UPDATE log_journal SET covered = MAX(covered, :covered);

-- Filters

-- name: log_filters_all
SELECT f.*, g.account, g.region, g.name AS group_name
FROM log_filters AS f JOIN log_groups AS g ON g.id = f.group_id
ORDER BY f.name;

-- name: log_filter
SELECT f.*, g.account, g.region, g.name AS group_name
FROM log_filters AS f JOIN log_groups AS g ON g.id = f.group_id
WHERE f.group_id = :group_id AND f.kind = :kind AND f.name = :name;

-- name: log_filters_count
SELECT COUNT(*) AS count FROM log_filters
WHERE group_id = :group_id AND kind = :kind AND name <> :name;

-- name: log_filter_put
INSERT INTO log_filters (group_id, kind, name, pattern, settings, created_ms, position)
VALUES (
    :group_id, :kind, :name, :pattern, :settings, :now_ms,
    COALESCE((SELECT MAX(id) FROM log_chunks), 0)
)
ON CONFLICT DO UPDATE SET pattern = excluded.pattern, settings = excluded.settings;

-- name: log_filter_remove
DELETE FROM log_filters WHERE group_id = :group_id AND kind = :kind AND name = :name;

-- name: log_filters_remove_all
DELETE FROM log_filters WHERE group_id = :group_id;

-- name: log_filter_position
SELECT position FROM log_filters WHERE id = :id;

-- name: log_filter_advance
UPDATE log_filters SET position = :position WHERE id = :id;

-- name: log_chunks_as_stored
SELECT c.id, c.ingested_ms, c.size_bytes, c.blob, s.name AS stream
FROM log_chunks AS c CROSS JOIN log_streams AS s ON s.id = c.stream_id
WHERE c.group_id = :group_id AND c.id > :after
ORDER BY c.id LIMIT :limit;

-- name: log_chunks_newest
SELECT COALESCE(MAX(id), 0) AS position FROM log_chunks;
