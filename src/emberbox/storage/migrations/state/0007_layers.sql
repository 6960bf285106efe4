-- Layers, and the settings of functions that most do not have.

CREATE TABLE layer_versions (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    package_id TEXT NOT NULL,
    code_sha256 TEXT NOT NULL,
    code_size INTEGER NOT NULL,
    unzipped_size INTEGER NOT NULL,
    created REAL NOT NULL,
    description TEXT NOT NULL,
    runtimes TEXT,
    architectures TEXT,
    license_info TEXT,
    policy TEXT NOT NULL,
    policy_revision TEXT,
    PRIMARY KEY (account, region, name, number)
);
CREATE INDEX layer_versions_by_package ON layer_versions (package_id);
CREATE INDEX layer_versions_by_size ON layer_versions (account, region, code_size);

-- The highest number ever given to a version of a layer.
CREATE TABLE layer_numbers (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
);

-- A JSON object; a setting that a function does not have is absent from it.
ALTER TABLE functions ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
