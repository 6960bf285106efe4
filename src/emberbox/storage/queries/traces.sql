-- name: trace_touch
INSERT INTO traces (account, region, trace_id, begun, touched, ended, bytes, revision, is_cut)
VALUES (:account, :region, :trace_id, :begun, :touched, :ended, 0, 1, 0)
ON CONFLICT DO UPDATE SET
    begun = MIN(begun, :begun),
    touched = :touched,
    ended = MAX(ended, :ended),
    revision = revision + 1
RETURNING id, bytes;

-- name: trace_grown
UPDATE traces SET bytes = bytes + :bytes, is_cut = MAX(is_cut, :is_cut) WHERE id = :id;

-- name: segment_put
INSERT INTO segments (trace, id, is_open, document) VALUES (:trace, :id, :is_open, :document)
ON CONFLICT DO UPDATE SET is_open = :is_open, document = :document WHERE is_open >= :is_open;

-- name: trace
SELECT * FROM traces WHERE account = :account AND region = :region AND trace_id = :trace_id;

-- name: segments_of
SELECT document FROM segments WHERE trace = :trace ORDER BY id;

-- name: traces_begun
SELECT * FROM traces
WHERE account = :account AND region = :region AND begun >= :start AND begun <= :end AND id > :after
ORDER BY id LIMIT :limit;

-- name: traces_touched
SELECT * FROM traces
WHERE account = :account AND region = :region AND touched >= :start AND touched <= :end
    AND id > :after
ORDER BY id LIMIT :limit;

-- name: traces_ended
SELECT * FROM traces
WHERE account = :account AND region = :region AND ended >= :start AND ended <= :end AND id > :after
ORDER BY id LIMIT :limit;

-- name: traces_forget
DELETE FROM traces WHERE touched < :before;

-- name: traces_size
SELECT COALESCE(SUM(bytes), 0) AS bytes FROM traces;

-- name: traces_keep_newest
DELETE FROM traces WHERE id IN (
    SELECT id FROM (
        SELECT id, SUM(bytes) OVER (ORDER BY touched DESC, id DESC) AS kept FROM traces
    ) WHERE kept > :bytes
);

-- name: rules
SELECT * FROM sampling_rules WHERE account = :account AND region = :region ORDER BY name LIMIT 100;

-- name: rule
SELECT * FROM sampling_rules WHERE account = :account AND region = :region AND name = :name;

-- name: rule_put
INSERT OR REPLACE INTO sampling_rules (account, region, name, rule, created, modified)
VALUES (:account, :region, :name, :rule, :created, :modified);

-- name: rule_remove
DELETE FROM sampling_rules WHERE account = :account AND region = :region AND name = :name;

-- name: groups
SELECT * FROM trace_groups WHERE account = :account AND region = :region ORDER BY name LIMIT 100;

-- name: group_new
INSERT INTO trace_groups (account, region, name, arn, expression)
VALUES (:account, :region, :name, :arn, :expression)
ON CONFLICT DO NOTHING RETURNING name;

-- name: group_change
UPDATE trace_groups SET expression = :expression
WHERE account = :account AND region = :region AND name = :name;

-- name: group_remove
DELETE FROM trace_groups WHERE account = :account AND region = :region AND name = :name;

-- name: tags
SELECT tags FROM tags WHERE account = :account AND region = :region AND arn = :arn;

-- name: tags_put
INSERT OR REPLACE INTO tags (account, region, arn, tags) VALUES (:account, :region, :arn, :tags);

-- name: tags_remove
DELETE FROM tags WHERE account = :account AND region = :region AND arn = :arn;
