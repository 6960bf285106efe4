-- name: topics
SELECT * FROM topics;

-- name: topic
SELECT * FROM topics WHERE account = :account AND region = :region AND name = :name;

-- name: topic_put
INSERT INTO topics (account, region, name, attributes, tags, data_protection)
VALUES (:account, :region, :name, :attributes, :tags, :data_protection)
ON CONFLICT (account, region, name) DO UPDATE SET attributes = excluded.attributes,
    tags = excluded.tags, data_protection = excluded.data_protection;

-- name: topic_remove
DELETE FROM topics WHERE account = :account AND region = :region AND name = :name;

-- name: subscriptions
SELECT * FROM subscriptions;

-- name: subscription
SELECT * FROM subscriptions WHERE id = :id;

-- name: subscription_put
INSERT OR REPLACE INTO subscriptions
    (id, account, region, topic, owner, protocol, endpoint, attributes, token, is_confirmed,
     is_authenticated, created_ms)
VALUES (:id, :account, :region, :topic, :owner, :protocol, :endpoint, :attributes, :token,
    :is_confirmed, :is_authenticated, :created_ms);

-- name: subscription_remove
DELETE FROM subscriptions WHERE id = :id;

-- name: subscriptions_of_topic_remove
DELETE FROM subscriptions WHERE account = :account AND region = :region AND topic = :name;

-- name: publication_add
INSERT INTO publications (content, deliveries) VALUES (:content, :deliveries) RETURNING id;

-- name: publication_next
SELECT COALESCE(MAX(seq), 0) + 1 AS id FROM sqlite_sequence WHERE name = 'publications';

-- name: delivery_add
INSERT INTO deliveries (publication, subscription, due_ms)
VALUES (:publication, :subscription, :due_ms);

-- name: deliveries_due
SELECT d.id, d.publication, d.attempts, p.content FROM deliveries AS d
JOIN publications AS p ON p.id = d.publication
WHERE d.subscription = :subscription AND d.due_ms <= :now_ms ORDER BY d.due_ms, d.id LIMIT :limit;

-- name: deliveries_first
SELECT d.id, d.publication, d.attempts, d.due_ms, p.content FROM deliveries AS d
JOIN publications AS p ON p.id = d.publication
WHERE d.subscription = :subscription ORDER BY d.id LIMIT :limit;

-- name: deliveries_next
SELECT MIN(due_ms) AS at_ms FROM deliveries WHERE subscription = :subscription;

-- name: deliveries_waiting
SELECT DISTINCT subscription FROM deliveries;

-- name: delivery_again
UPDATE deliveries SET attempts = :attempts, due_ms = :due_ms WHERE id = :id;

-- name: delivery_remove
DELETE FROM deliveries WHERE id = :id RETURNING publication;

-- name: deliveries_some
SELECT id FROM deliveries WHERE subscription = :subscription LIMIT :limit;

-- name: publication_less
UPDATE publications SET deliveries = deliveries - 1 WHERE id = :id RETURNING deliveries;

-- name: publication_remove
DELETE FROM publications WHERE id = :id;

-- name: publication_duplicate
SELECT * FROM publication_duplicates
WHERE topic = :topic AND scope = :scope AND deduplication_id = :deduplication_id
    AND until_ms > :now_ms;

-- name: publication_duplicate_add
INSERT OR REPLACE INTO publication_duplicates
VALUES (:topic, :scope, :deduplication_id, :message_id, :sequence, :until_ms);

-- name: publication_duplicates_of_topic_remove
DELETE FROM publication_duplicates WHERE topic = :topic;

-- name: publication_duplicates_forget
DELETE FROM publication_duplicates WHERE until_ms <= :now_ms;

-- name: sns_record
SELECT content FROM sns_records
WHERE account = :account AND region = :region AND kind = :kind AND name = :name;

-- name: sns_record_put
INSERT OR REPLACE INTO sns_records VALUES (:account, :region, :kind, :name, :content);

-- name: sns_record_remove
DELETE FROM sns_records
WHERE account = :account AND region = :region AND kind = :kind AND name = :name;

-- name: sns_records_after
SELECT name, content FROM sns_records
WHERE account = :account AND region = :region AND kind = :kind AND name > :after
    AND substr(name, 1, length(:prefix)) = :prefix
ORDER BY name LIMIT :limit;

-- name: sns_records_remove
DELETE FROM sns_records
WHERE account = :account AND region = :region AND kind = :kind
    AND substr(name, 1, length(:prefix)) = :prefix;
