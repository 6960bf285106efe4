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

-- Users

-- name: user
SELECT * FROM users WHERE account = :account AND name = :name;

-- name: user_add
INSERT INTO users VALUES (:account, :name, :id, :path, :created, :boundary, :tags)
ON CONFLICT DO NOTHING;

-- name: user_change
UPDATE users SET name = :new_name, path = :path, tags = :tags
WHERE account = :account AND name = :name;

-- name: user_bound
UPDATE users SET boundary = :boundary WHERE account = :account AND name = :name;

-- name: user_remove
DELETE FROM users WHERE account = :account AND name = :name;

-- name: users
SELECT * FROM users WHERE account = :account ORDER BY name;

-- name: user_memberships_rename
UPDATE group_members SET user = :new_name WHERE account = :account AND user = :name;

-- name: user_keys_rename
UPDATE access_keys SET user = :new_name WHERE account = :account AND user = :name;

-- Groups

-- name: group
SELECT * FROM user_groups WHERE account = :account AND name = :name;

-- name: group_add
INSERT INTO user_groups VALUES (:account, :name, :id, :path, :created) ON CONFLICT DO NOTHING;

-- name: group_change
UPDATE user_groups SET name = :new_name, path = :path
WHERE account = :account AND name = :name;

-- name: group_remove
DELETE FROM user_groups WHERE account = :account AND name = :name;

-- name: groups
SELECT * FROM user_groups WHERE account = :account ORDER BY name;

-- name: group_members_rename
UPDATE group_members SET group_name = :new_name WHERE account = :account AND group_name = :name;

-- name: group_join
INSERT INTO group_members VALUES (:account, :name, :user) ON CONFLICT DO NOTHING;

-- name: group_leave
DELETE FROM group_members WHERE account = :account AND group_name = :name AND user = :user;

-- name: group_members
SELECT u.* FROM group_members AS m
JOIN users AS u ON u.account = m.account AND u.name = m.user
WHERE m.account = :account AND m.group_name = :name ORDER BY u.name;

-- name: groups_of_user
SELECT g.* FROM group_members AS m
JOIN user_groups AS g ON g.account = m.account AND g.name = m.group_name
WHERE m.account = :account AND m.user = :user ORDER BY g.name;

-- Inline policies

-- name: inline_put
INSERT INTO inline_policies VALUES (:account, :kind, :entity, :name, :document)
ON CONFLICT DO UPDATE SET document = excluded.document;

-- name: inline_remove
DELETE FROM inline_policies
WHERE account = :account AND kind = :kind AND entity = :entity AND name = :name;

-- name: inlines
SELECT name, document FROM inline_policies
WHERE account = :account AND kind = :kind AND entity = :entity ORDER BY name;

-- name: inlines_rename
UPDATE inline_policies SET entity = :new_name
WHERE account = :account AND kind = :kind AND entity = :entity;

-- Attachments

-- name: policy_attach
INSERT INTO policy_attachments VALUES (:account, :kind, :entity, :policy_arn) ON CONFLICT DO NOTHING;

-- name: policy_detach
DELETE FROM policy_attachments
WHERE account = :account AND kind = :kind AND entity = :entity AND policy_arn = :policy_arn;

-- name: policy_attachments
SELECT policy_arn FROM policy_attachments
WHERE account = :account AND kind = :kind AND entity = :entity ORDER BY policy_arn;

-- name: policy_attachments_rename
UPDATE policy_attachments SET entity = :new_name
WHERE account = :account AND kind = :kind AND entity = :entity;

-- name: attached_documents
SELECT a.policy_arn, v.document FROM policy_attachments AS a
LEFT JOIN policies AS p ON p.account = a.account AND p.arn = a.policy_arn
LEFT JOIN policy_versions AS v
    ON v.account = p.account AND v.arn = p.arn AND v.version = p.default_version
WHERE a.account = :account AND a.kind = :kind AND a.entity = :entity ORDER BY a.policy_arn;

-- name: default_document
SELECT v.document FROM policies AS p
JOIN policy_versions AS v
    ON v.account = p.account AND v.arn = p.arn AND v.version = p.default_version
WHERE p.account = :account AND p.arn = :arn;

-- name: attached_entities
SELECT kind, entity FROM policy_attachments
WHERE account = :account AND policy_arn = :policy_arn ORDER BY kind, entity;

-- name: bounded_entities
SELECT 'role' AS kind, name AS entity FROM roles
WHERE account = :account AND boundary = :policy_arn
UNION ALL
SELECT 'user', name FROM users WHERE account = :account AND boundary = :policy_arn;

-- name: policy_uses
SELECT policy_arn, COUNT(*) AS attached, 0 AS bounded FROM policy_attachments
WHERE account = :account GROUP BY policy_arn
UNION ALL
SELECT boundary, 0, COUNT(*) FROM roles
WHERE account = :account AND boundary IS NOT NULL GROUP BY boundary
UNION ALL
SELECT boundary, 0, COUNT(*) FROM users
WHERE account = :account AND boundary IS NOT NULL GROUP BY boundary;

-- Access keys

-- name: access_key
SELECT * FROM access_keys WHERE access_key = :access_key;

-- name: access_key_add
INSERT INTO access_keys
VALUES (:access_key, :account, :user, :secret, :created, :is_active, NULL, NULL, NULL)
ON CONFLICT DO NOTHING;

-- name: access_key_change
UPDATE access_keys SET is_active = :is_active WHERE access_key = :access_key;

-- name: access_key_used
UPDATE access_keys SET used = :used, used_service = :service, used_region = :region
WHERE access_key = :access_key;

-- name: access_key_remove
DELETE FROM access_keys WHERE access_key = :access_key;

-- name: access_keys
SELECT * FROM access_keys WHERE account = :account AND user IS :user ORDER BY access_key;

-- Instance profiles

-- name: profile
SELECT * FROM instance_profiles WHERE account = :account AND name = :name;

-- name: profile_add
INSERT INTO instance_profiles VALUES (:account, :name, :id, :path, :created, NULL, :tags)
ON CONFLICT DO NOTHING;

-- name: profile_change
UPDATE instance_profiles SET role = :role, tags = :tags
WHERE account = :account AND name = :name;

-- name: profile_remove
DELETE FROM instance_profiles WHERE account = :account AND name = :name;

-- name: profiles
SELECT * FROM instance_profiles WHERE account = :account ORDER BY name;

-- name: profiles_of_role
SELECT * FROM instance_profiles WHERE account = :account AND role = :role ORDER BY name;

-- Issuers of web identities, account aliases

-- name: provider
SELECT * FROM oidc_providers WHERE account = :account AND url = :url;

-- name: provider_add
INSERT INTO oidc_providers VALUES (:account, :url, :clients, :thumbprints, :created, :tags)
ON CONFLICT DO NOTHING;

-- name: provider_change
UPDATE oidc_providers SET clients = :clients, thumbprints = :thumbprints, tags = :tags
WHERE account = :account AND url = :url;

-- name: provider_remove
DELETE FROM oidc_providers WHERE account = :account AND url = :url;

-- name: providers
SELECT * FROM oidc_providers WHERE account = :account ORDER BY url;

-- name: alias_of_account
SELECT alias FROM account_aliases WHERE account = :account;

-- name: account_alias_put
INSERT INTO account_aliases VALUES (:account, :alias)
ON CONFLICT (account) DO UPDATE SET alias = excluded.alias;

-- name: account_of_alias
SELECT account FROM account_aliases WHERE alias = :alias;

-- name: account_alias_remove
DELETE FROM account_aliases WHERE account = :account AND alias = :alias;

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

-- Sessions

-- name: session
SELECT * FROM sessions WHERE access_key = :access_key;

-- name: session_add
INSERT INTO sessions
VALUES (:access_key, :account, :user, :role, :name, :issued, :expires, :limits)
ON CONFLICT DO NOTHING;

-- name: sessions_forget
DELETE FROM sessions
WHERE access_key IN (
    SELECT access_key FROM sessions WHERE expires < :before ORDER BY expires LIMIT :limit
);
