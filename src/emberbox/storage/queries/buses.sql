-- name: archived_add
INSERT INTO archived (account, region, archive, at, event)
VALUES (:account, :region, :archive, :at, :event);

-- name: archived_some
SELECT id, at, event FROM archived
WHERE account = :account AND region = :region AND archive = :archive
    AND (at, id) > (:after, :after_id) AND at < :until
ORDER BY at, id LIMIT :limit;

-- name: archived_size
SELECT COUNT(*) AS events, COALESCE(SUM(LENGTH(event)), 0) AS bytes FROM archived
WHERE account = :account AND region = :region AND archive = :archive;

-- name: archived_forget
DELETE FROM archived WHERE id IN (
    SELECT id FROM archived
    WHERE account = :account AND region = :region AND archive = :archive AND at < :before
    LIMIT 1000
);

-- name: clock_put
INSERT OR REPLACE INTO rule_clocks (account, region, name, next)
VALUES (:account, :region, :name, :next);

-- name: clock_remove
DELETE FROM rule_clocks WHERE account = :account AND region = :region AND name = :name;

-- name: clocks_due
SELECT * FROM rule_clocks WHERE next <= :now ORDER BY next LIMIT :limit;

-- name: clocks_next
SELECT next FROM rule_clocks ORDER BY next LIMIT 1;

-- name: clock_take
DELETE FROM rule_clocks
WHERE account = :account AND region = :region AND name = :name AND next = :next;
