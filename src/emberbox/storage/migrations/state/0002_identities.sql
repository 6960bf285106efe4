-- Roles, policies, what is attached to what, and temporary credentials. IAM has no regions.

CREATE TABLE roles (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    path TEXT NOT NULL,
    created REAL NOT NULL,
    description TEXT NOT NULL,
    max_session_s INTEGER NOT NULL,
    boundary TEXT,
    trust TEXT NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, name)
);
CREATE UNIQUE INDEX roles_without_case ON roles (account, name COLLATE NOCASE);

CREATE TABLE role_policies (
    account TEXT NOT NULL,
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, role, name)
);

CREATE TABLE role_attachments (
    account TEXT NOT NULL,
    role TEXT NOT NULL,
    policy_arn TEXT NOT NULL,
    PRIMARY KEY (account, role, policy_arn)
);
CREATE INDEX role_attachments_by_policy ON role_attachments (account, policy_arn);
CREATE INDEX roles_by_boundary ON roles (account, boundary);

CREATE TABLE policies (
    account TEXT NOT NULL,
    arn TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    path TEXT NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    description TEXT NOT NULL,
    default_version INTEGER NOT NULL,
    last_version INTEGER NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, arn)
);
CREATE UNIQUE INDEX policies_without_case ON policies (account, name COLLATE NOCASE);

CREATE TABLE policy_versions (
    account TEXT NOT NULL,
    arn TEXT NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    created REAL NOT NULL,
    PRIMARY KEY (account, arn, version)
);

CREATE TABLE sessions (
    access_key TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    role TEXT,
    name TEXT,
    expires REAL NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires);

CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL);
