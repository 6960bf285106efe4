-- name: account_resource
SELECT * FROM account_resources
WHERE account = :account AND region = :region AND kind = :kind AND name = :name;

-- name: account_resources
SELECT * FROM account_resources
WHERE account = :account AND region = :region AND kind = :kind
ORDER BY name;

-- name: account_resource_count
SELECT COUNT(*) AS resources FROM account_resources
WHERE account = :account AND region = :region AND kind = :kind;

-- name: account_resource_add
INSERT INTO account_resources (account, region, kind, name, value, tags, modified)
VALUES (:account, :region, :kind, :name, :value, :tags, :modified)
ON CONFLICT DO NOTHING;

-- name: account_resource_put
UPDATE account_resources SET value = :value, tags = :tags, modified = :modified
WHERE account = :account AND region = :region AND kind = :kind AND name = :name;

-- name: account_resource_remove
DELETE FROM account_resources
WHERE account = :account AND region = :region AND kind = :kind AND name = :name;

-- name: account_resources_of_kind
SELECT * FROM account_resources
WHERE kind = :kind
ORDER BY account, region, name;
