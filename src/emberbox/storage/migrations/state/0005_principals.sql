-- Users, groups, access keys, instance profiles, issuers of web identities, aliases of accounts.
-- Policies of users, groups and roles are kept alike. Sessions know when they were issued and what
-- limits them; their secrets come from the key of the data directory, which the database has not.

CREATE TABLE users (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    path TEXT NOT NULL,
    created REAL NOT NULL,
    boundary TEXT,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, name)
);
CREATE UNIQUE INDEX users_without_case ON users (account, name COLLATE NOCASE);
CREATE INDEX users_by_boundary ON users (account, boundary);

CREATE TABLE user_groups (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    path TEXT NOT NULL,
    created REAL NOT NULL,
    PRIMARY KEY (account, name)
);
CREATE UNIQUE INDEX user_groups_without_case ON user_groups (account, name COLLATE NOCASE);

CREATE TABLE group_members (
    account TEXT NOT NULL,
    group_name TEXT NOT NULL,
    user TEXT NOT NULL,
    PRIMARY KEY (account, group_name, user)
);
CREATE INDEX group_members_by_user ON group_members (account, user);

-- kind is user, group or role.
CREATE TABLE inline_policies (
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    entity TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, kind, entity, name)
);
INSERT INTO inline_policies SELECT account, 'role', role, name, document FROM role_policies;
DROP TABLE role_policies;

CREATE TABLE policy_attachments (
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    entity TEXT NOT NULL,
    policy_arn TEXT NOT NULL,
    PRIMARY KEY (account, kind, entity, policy_arn)
);
INSERT INTO policy_attachments SELECT account, 'role', role, policy_arn FROM role_attachments;
DROP TABLE role_attachments;
CREATE INDEX policy_attachments_by_policy ON policy_attachments (account, policy_arn);

-- user is NULL for a key of the account's root; the secret is sealed.
CREATE TABLE access_keys (
    access_key TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    user TEXT,
    secret BLOB NOT NULL,
    created REAL NOT NULL,
    is_active INTEGER NOT NULL,
    used REAL,
    used_service TEXT,
    used_region TEXT
);
CREATE INDEX access_keys_by_user ON access_keys (account, user);

CREATE TABLE instance_profiles (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    path TEXT NOT NULL,
    created REAL NOT NULL,
    role TEXT,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, name)
);
CREATE UNIQUE INDEX instance_profiles_without_case
ON instance_profiles (account, name COLLATE NOCASE);
CREATE INDEX instance_profiles_by_role ON instance_profiles (account, role);

CREATE TABLE oidc_providers (
    account TEXT NOT NULL,
    url TEXT NOT NULL,
    clients TEXT NOT NULL,
    thumbprints TEXT NOT NULL,
    created REAL NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, url)
);

CREATE TABLE account_aliases (account TEXT PRIMARY KEY, alias TEXT NOT NULL UNIQUE);

DROP TABLE sessions;
CREATE TABLE sessions (
    access_key TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    user TEXT,
    role TEXT,
    name TEXT,
    issued REAL NOT NULL,
    expires REAL NOT NULL,
    limits TEXT NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires);

DROP TABLE secrets;
