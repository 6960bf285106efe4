-- name: function
SELECT * FROM functions
WHERE account = :account AND region = :region AND name = :name AND version = :version;

-- name: function_add
INSERT INTO functions (
    account, region, name, version, role, runtime, handler, package_id, code_sha256, code_size,
    stored_size, revision_id, last_modified, description, timeout_s, memory_mb, ephemeral_mb, environment,
    architecture, tracing_mode, log_group, log_format, log_application_level, log_system_level,
    state, state_reason, state_reason_code, update_status, update_reason, update_reason_code, tags,
    snap_start, snap_optimized, settings
) VALUES (
    :account, :region, :name, :version, :role, :runtime, :handler, :package_id, :code_sha256,
    :code_size, :stored_size, :revision_id, :last_modified, :description, :timeout_s, :memory_mb, :ephemeral_mb,
    :environment, :architecture, :tracing_mode, :log_group, :log_format, :log_application_level,
    :log_system_level, :state, :state_reason, :state_reason_code, :update_status, :update_reason,
    :update_reason_code, :tags, :snap_start, :snap_optimized, :settings
)
ON CONFLICT DO NOTHING;

-- name: function_put
UPDATE functions SET
    role = :role,
    runtime = :runtime,
    handler = :handler,
    package_id = :package_id,
    code_sha256 = :code_sha256,
    code_size = :code_size,
    stored_size = :stored_size,
    revision_id = :revision_id,
    last_modified = :last_modified,
    description = :description,
    timeout_s = :timeout_s,
    memory_mb = :memory_mb,
    ephemeral_mb = :ephemeral_mb,
    environment = :environment,
    architecture = :architecture,
    tracing_mode = :tracing_mode,
    log_group = :log_group,
    log_format = :log_format,
    log_application_level = :log_application_level,
    log_system_level = :log_system_level,
    state = :state,
    state_reason = :state_reason,
    state_reason_code = :state_reason_code,
    update_status = :update_status,
    update_reason = :update_reason,
    update_reason_code = :update_reason_code,
    tags = :tags,
    snap_start = :snap_start,
    snap_optimized = :snap_optimized,
    settings = :settings
WHERE account = :account AND region = :region AND name = :name AND version = :version;

-- name: function_remove
DELETE FROM functions WHERE account = :account AND region = :region AND name = :name;

-- name: functions_of_all
SELECT * FROM functions;

-- name: functions_count
SELECT COUNT(*) AS functions
FROM functions WHERE account = :account AND region = :region AND version = :version;

-- name: code_size
SELECT code_size FROM code_totals WHERE account = :account AND region = :region;

-- name: functions_packages
SELECT DISTINCT package_id FROM functions WHERE package_id <> '';

-- name: functions_layers
SELECT DISTINCT settings FROM functions WHERE settings LIKE '%"layers"%';

-- name: functions_managed
SELECT * FROM functions
WHERE account = :account AND region = :region AND settings LIKE '%"managed"%'
ORDER BY name, place;

-- name: functions_in
SELECT account, region, name, version FROM functions WHERE state = :state;

-- name: functions_asleep
SELECT DISTINCT package_id FROM functions AS asleep
WHERE state = :state AND package_id <> '' AND NOT EXISTS (
    SELECT * FROM functions AS awake
    WHERE awake.package_id = asleep.package_id AND awake.state <> :state
);

-- name: functions_unsettled
SELECT * FROM functions WHERE state = :state OR update_status = :update_status;

-- name: function_version_remove
DELETE FROM functions
WHERE account = :account AND region = :region AND name = :name AND version = :version;

-- name: function_versions
SELECT version FROM functions WHERE account = :account AND region = :region AND name = :name;

-- name: functions_all_page
SELECT * FROM functions
WHERE account = :account AND region = :region
    AND (name, place) > (:after, :after_number)
ORDER BY name, place LIMIT :limit;

-- name: function_versions_page
SELECT * FROM functions
WHERE account = :account AND region = :region AND name = :name
    AND place > :after_number
ORDER BY place LIMIT :limit;

-- name: version_number
SELECT number, description FROM version_numbers
WHERE account = :account AND region = :region AND name = :name;

-- name: version_number_put
INSERT INTO version_numbers (account, region, name, number, description)
VALUES (:account, :region, :name, :number, :description)
ON CONFLICT DO UPDATE SET number = excluded.number, description = excluded.description;

-- name: alias
SELECT * FROM aliases
WHERE account = :account AND region = :region AND function = :function AND name = :name;

-- name: alias_put
INSERT INTO aliases (account, region, function, name, version, description, weights, revision_id)
VALUES (:account, :region, :function, :name, :version, :description, :weights, :revision_id)
ON CONFLICT DO UPDATE SET
    version = excluded.version,
    description = excluded.description,
    weights = excluded.weights,
    revision_id = excluded.revision_id;

-- name: alias_remove
DELETE FROM aliases
WHERE account = :account AND region = :region AND function = :function AND name = :name;

-- name: function_aliases_remove
DELETE FROM aliases WHERE account = :account AND region = :region AND function = :name;

-- name: function_aliases
SELECT * FROM aliases
WHERE account = :account AND region = :region AND function = :function
ORDER BY name;

-- name: aliases_of_all
SELECT * FROM aliases;

-- name: reserved_put
INSERT INTO reserved_concurrency (account, region, name, reserved)
VALUES (:account, :region, :name, :reserved)
ON CONFLICT DO UPDATE SET reserved = excluded.reserved;

-- name: reserved_remove
DELETE FROM reserved_concurrency
WHERE account = :account AND region = :region AND name = :name;

-- name: reserved_by_others
SELECT COALESCE(SUM(reserved), 0) AS reserved FROM reserved_concurrency
WHERE account = :account AND region = :region AND name <> :name;

-- name: reserved_of_all
SELECT * FROM reserved_concurrency;

-- name: functions_unsealed
SELECT * FROM functions WHERE typeof(environment) = 'text';
