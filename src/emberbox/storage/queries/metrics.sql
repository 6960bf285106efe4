-- name: series_add
INSERT INTO series (account, region, namespace, name, dimensions, unit, last_s)
VALUES (:account, :region, :namespace, :name, :dimensions, :unit, :last_s)
ON CONFLICT DO UPDATE SET last_s = MAX(last_s, :last_s)
RETURNING id;

-- name: series_of_metric
SELECT * FROM series
WHERE account = :account AND region = :region AND namespace = :namespace AND name = :name
    AND dimensions = :dimensions AND (:unit IS NULL OR unit = :unit)
ORDER BY id LIMIT 64;

-- name: series_list
SELECT * FROM series
WHERE account = :account AND region = :region AND id > :after AND last_s >= :since
    AND (:namespace IS NULL OR namespace = :namespace)
    AND (:name IS NULL OR name = :name)
ORDER BY id LIMIT :limit;

-- name: series_last_touched
SELECT * FROM series WHERE last_s >= :since ORDER BY account, region, namespace, name LIMIT :limit;

-- name: point
SELECT * FROM points WHERE series = :series AND at = :at;

-- name: point_put
INSERT OR REPLACE INTO points (series, at, count, total, low, high, content)
VALUES (:series, :at, :count, :total, :low, :high, :content);

-- name: points_between
SELECT * FROM points WHERE series = :series AND at >= :start AND at < :end
ORDER BY at LIMIT :limit;

-- name: points_forget
DELETE FROM points WHERE at < :before;

-- name: series_forget
DELETE FROM series WHERE last_s < :before;

-- name: alarm
SELECT * FROM alarms WHERE account = :account AND region = :region AND name = :name;

-- name: alarm_put
INSERT OR REPLACE INTO alarms (
    account, region, name, settings, state, reason, reason_data, state_s, updated_s, configured_s,
    tags
) VALUES (
    :account, :region, :name, :settings, :state, :reason, :reason_data, :state_s, :updated_s,
    :configured_s, :tags
);

-- name: alarm_remove
DELETE FROM alarms WHERE account = :account AND region = :region AND name = :name;

-- name: alarms_page
SELECT * FROM alarms
WHERE account = :account AND region = :region AND name > :after
ORDER BY name LIMIT :limit;

-- name: alarms_of_all
SELECT * FROM alarms ORDER BY account, region, name;

-- name: alarm_history_add
INSERT INTO alarm_history (account, region, name, at_s, kind, summary, data)
VALUES (:account, :region, :name, :at_s, :kind, :summary, :data);

-- name: alarm_history_page
SELECT * FROM alarm_history
WHERE account = :account AND region = :region AND (:name IS NULL OR name = :name)
    AND at_s >= :start AND at_s <= :end AND (:kind IS NULL OR kind = :kind) AND id < :before
ORDER BY id DESC LIMIT :limit;

-- name: alarm_history_forget
DELETE FROM alarm_history WHERE at_s < :before;
