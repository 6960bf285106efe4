-- Versions of functions: code and configuration. Version $LATEST is the function itself.

CREATE TABLE functions (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    role TEXT NOT NULL,
    runtime TEXT NOT NULL,
    handler TEXT NOT NULL,
    package_id TEXT NOT NULL,
    code_sha256 TEXT NOT NULL,
    code_size INTEGER NOT NULL,
    revision_id TEXT NOT NULL,
    last_modified REAL NOT NULL,
    description TEXT NOT NULL,
    timeout_s INTEGER NOT NULL,
    memory_mb INTEGER NOT NULL,
    ephemeral_mb INTEGER NOT NULL,
    environment TEXT,
    architecture TEXT NOT NULL,
    tracing_mode TEXT NOT NULL,
    log_group TEXT NOT NULL,
    log_format TEXT NOT NULL,
    log_application_level TEXT,
    log_system_level TEXT,
    state TEXT NOT NULL,
    state_reason TEXT,
    state_reason_code TEXT,
    update_status TEXT,
    update_reason TEXT,
    update_reason_code TEXT,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, region, name, version)
);
CREATE INDEX functions_by_size ON functions (account, region, code_size);
CREATE INDEX functions_by_package ON functions (package_id);
