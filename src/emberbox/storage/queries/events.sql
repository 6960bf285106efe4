-- name: event_add
INSERT INTO events (
    id, account, region, name, qualifier, request_id, payload, accepted, due, attempts, refusals,
    trace, client_context, tenant
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: events_last_number
SELECT seq FROM sqlite_sequence WHERE name = 'events';

-- name: event_again
UPDATE events SET due = :due, attempts = :attempts, refusals = :refusals WHERE id = :id;

-- name: events_remove
-- `ids` is a JSON array: one statement for all of them.
DELETE FROM events WHERE id IN (SELECT value FROM JSON_EACH(:ids));

-- name: events_of_lane_remove
DELETE FROM events WHERE account = :account AND region = :region AND name = :name;

-- name: events_due
SELECT id, LENGTH(payload) AS size FROM events
WHERE account = :account AND region = :region AND name = :name AND due <= :now
ORDER BY due, id LIMIT :limit;

-- name: events_of
SELECT
    events.id, account, region, name, qualifier, request_id, payload, accepted, due, attempts,
    refusals, trace, client_context, tenant
FROM JSON_EACH(:ids) AS wanted JOIN events ON events.id = wanted.value
ORDER BY wanted.key;

-- name: events_next_due
SELECT MIN(due) AS due FROM events
WHERE account = :account AND region = :region AND name = :name AND due > :now;

-- name: events_lanes
-- One step of the index for each lane: there may be a million events of one.
WITH RECURSIVE lanes (account, region, name) AS (
    SELECT * FROM (
        SELECT account, region, name FROM events ORDER BY account, region, name LIMIT 1
    )
    UNION ALL
    SELECT events.account, events.region, events.name FROM lanes JOIN events ON events.id = COALESCE(
        (
            SELECT id FROM events
            WHERE account = lanes.account AND region = lanes.region AND name > lanes.name
            ORDER BY name LIMIT 1
        ),
        (
            SELECT id FROM events WHERE account = lanes.account AND region > lanes.region
            ORDER BY region, name LIMIT 1
        ),
        (
            SELECT id FROM events WHERE account > lanes.account
            ORDER BY account, region, name LIMIT 1
        )
    )
)
SELECT account, region, name FROM lanes;

-- name: events_count
SELECT COUNT(*) AS waiting FROM events;

-- name: delivery_add
INSERT INTO deliveries (
    kind, target, role, account, region, name, body, attributes, trace, qualifier, due, attempts
) VALUES (
    :kind, :target, :role, :account, :region, :name, :body, :attributes, :trace, :qualifier,
    :due, 0
);

-- name: delivery_again
UPDATE deliveries SET due = :due, attempts = attempts + 1 WHERE id = :id;

-- name: delivery_remove
DELETE FROM deliveries WHERE id = :id;

-- name: deliveries_due
SELECT * FROM deliveries WHERE due <= :now ORDER BY due, id LIMIT :limit;

-- name: deliveries_next_due
SELECT MIN(due) AS due FROM deliveries WHERE due > :now;
