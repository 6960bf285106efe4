-- Roles

-- name: role
SELECT * FROM roles WHERE account = :account AND name = :name;

-- name: role_add
INSERT INTO roles
VALUES (:account, :name, :id, :path, :created, :description, :max_session_s, :boundary, :trust,
    :tags)
ON CONFLICT DO NOTHING;

-- name: role_count
SELECT COUNT(*) AS roles FROM roles WHERE account = :account;

-- name: role_change
UPDATE roles SET
    description = COALESCE(:description, description),
    max_session_s = COALESCE(:max_session_s, max_session_s),
    trust = COALESCE(:trust, trust),
    tags = COALESCE(:tags, tags)
WHERE account = :account AND name = :name;

-- name: role_bound
UPDATE roles SET boundary = :boundary WHERE account = :account AND name = :name;

-- name: role_remove
DELETE FROM roles WHERE account = :account AND name = :name;

-- name: roles
SELECT * FROM roles
WHERE account = :account AND name > :after
    AND substr(path, 1, length(:path_prefix)) = :path_prefix
ORDER BY name LIMIT :limit;

-- Inline policies

-- name: role_policy
SELECT * FROM role_policies WHERE account = :account AND role = :role AND name = :name;

-- name: role_policy_put
INSERT INTO role_policies VALUES (:account, :role, :name, :document)
ON CONFLICT DO UPDATE SET document = excluded.document;

-- name: role_policy_remove
DELETE FROM role_policies WHERE account = :account AND role = :role AND name = :name;

-- name: role_policies
SELECT * FROM role_policies WHERE account = :account AND role = :role ORDER BY name;

-- Attachments

-- name: role_attach
INSERT INTO role_attachments VALUES (:account, :role, :policy_arn) ON CONFLICT DO NOTHING;

-- name: role_detach
DELETE FROM role_attachments
WHERE account = :account AND role = :role AND policy_arn = :policy_arn;

-- name: role_attachments
SELECT policy_arn FROM role_attachments
WHERE account = :account AND role = :role ORDER BY policy_arn;

-- name: attached_roles
SELECT r.* FROM role_attachments AS a
JOIN roles AS r ON r.account = a.account AND r.name = a.role
WHERE a.account = :account AND a.policy_arn = :policy_arn ORDER BY r.name;

-- name: bounded_roles
SELECT * FROM roles WHERE account = :account AND boundary = :policy_arn ORDER BY name;

-- name: policy_uses
SELECT policy_arn, COUNT(*) AS attached, 0 AS bounded FROM role_attachments
WHERE account = :account GROUP BY policy_arn
UNION ALL
SELECT boundary, 0, COUNT(*) FROM roles
WHERE account = :account AND boundary IS NOT NULL GROUP BY boundary;

-- Customer managed policies

-- name: policy
SELECT * FROM policies WHERE account = :account AND arn = :arn;

-- name: policy_add
INSERT INTO policies
VALUES (:account, :arn, :name, :id, :path, :created, :created, :description, 1, 1, :tags)
ON CONFLICT DO NOTHING;

-- name: policy_count
SELECT COUNT(*) AS policies FROM policies WHERE account = :account;

-- name: policy_remove
DELETE FROM policies WHERE account = :account AND arn = :arn;

-- name: policies
SELECT * FROM policies WHERE account = :account ORDER BY arn;

-- name: policy_tag
UPDATE policies SET tags = :tags WHERE account = :account AND arn = :arn;

-- name: policy_default
UPDATE policies SET default_version = :version, updated = :now
WHERE account = :account AND arn = :arn;

-- name: policy_count_version
UPDATE policies SET last_version = :version, updated = :now
WHERE account = :account AND arn = :arn;

-- name: policy_version
SELECT * FROM policy_versions WHERE account = :account AND arn = :arn AND version = :version;

-- name: policy_version_add
INSERT INTO policy_versions VALUES (:account, :arn, :version, :document, :created);

-- name: policy_version_remove
DELETE FROM policy_versions WHERE account = :account AND arn = :arn AND version = :version;

-- name: policy_versions
SELECT * FROM policy_versions WHERE account = :account AND arn = :arn ORDER BY version DESC;

-- name: policy_versions_remove
DELETE FROM policy_versions WHERE account = :account AND arn = :arn;

-- Sessions and secrets

-- name: session
SELECT * FROM sessions WHERE access_key = :access_key;

-- name: session_add
INSERT INTO sessions VALUES (:access_key, :account, :role, :name, :expires)
ON CONFLICT DO NOTHING;

-- name: sessions_forget
DELETE FROM sessions
WHERE access_key IN (
    SELECT access_key FROM sessions WHERE expires < :before ORDER BY expires LIMIT :limit
);

-- name: secret
SELECT value FROM secrets WHERE name = :name;

-- name: secret_add
INSERT INTO secrets VALUES (:name, :value) ON CONFLICT DO NOTHING;
