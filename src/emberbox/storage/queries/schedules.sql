-- name: schedule
SELECT value FROM schedules
WHERE account = :account AND region = :region AND grp = :grp AND name = :name;

-- name: schedule_put
INSERT OR REPLACE INTO schedules (account, region, grp, name, state, value, moment, next)
VALUES (:account, :region, :grp, :name, :state, :value, :moment, :next);

-- name: schedule_remove
DELETE FROM schedules
WHERE account = :account AND region = :region AND grp = :grp AND name = :name;

-- name: schedules_due
SELECT value, moment, next FROM schedules WHERE next IS NOT NULL AND next <= :now
ORDER BY next LIMIT :limit;

-- name: schedules_next
SELECT next FROM schedules WHERE next IS NOT NULL ORDER BY next LIMIT 1;

-- name: schedule_move
UPDATE schedules SET moment = :moment, next = :next
WHERE account = :account AND region = :region AND grp = :grp AND name = :name;

-- name: schedules_page
SELECT value FROM schedules
WHERE account = :account AND region = :region AND (grp, name) > (:after_group, :after_name)
    AND (:grp = '' OR grp = :grp) AND (:state = '' OR state = :state)
    AND SUBSTR(name, 1, LENGTH(:prefix)) = :prefix
ORDER BY grp, name LIMIT :limit;

-- name: schedules_forget
DELETE FROM schedules WHERE (account, region, grp, name) IN (
    SELECT account, region, grp, name FROM schedules
    WHERE account = :account AND region = :region AND grp = :grp LIMIT 1000
);
