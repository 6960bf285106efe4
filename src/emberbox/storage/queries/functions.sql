-- name: function
SELECT * FROM functions
WHERE account = :account AND region = :region AND name = :name AND version = :version;

-- name: function_add
INSERT INTO functions (
    account, region, name, version, role, runtime, handler, package_id, code_sha256, code_size,
    revision_id, last_modified, description, timeout_s, memory_mb, ephemeral_mb, environment,
    architecture, tracing_mode, log_group, log_format, log_application_level, log_system_level,
    state, state_reason, state_reason_code, update_status, update_reason, update_reason_code, tags
) VALUES (
    :account, :region, :name, :version, :role, :runtime, :handler, :package_id, :code_sha256,
    :code_size, :revision_id, :last_modified, :description, :timeout_s, :memory_mb, :ephemeral_mb,
    :environment, :architecture, :tracing_mode, :log_group, :log_format, :log_application_level,
    :log_system_level, :state, :state_reason, :state_reason_code, :update_status, :update_reason,
    :update_reason_code, :tags
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
    tags = :tags
WHERE account = :account AND region = :region AND name = :name AND version = :version;

-- name: function_remove
DELETE FROM functions WHERE account = :account AND region = :region AND name = :name;

-- name: function_page
SELECT * FROM functions
WHERE account = :account AND region = :region AND name > :after AND version = :version
ORDER BY name LIMIT :limit;

-- name: functions_of_all
SELECT * FROM functions WHERE version = :version;

-- name: functions_usage
SELECT COALESCE(SUM(code_size), 0) AS code_size, COUNT(DISTINCT name) AS functions
FROM functions WHERE account = :account AND region = :region;

-- name: functions_code_size
SELECT COALESCE(SUM(code_size), 0) AS code_size
FROM functions WHERE account = :account AND region = :region;

-- name: functions_packages
SELECT DISTINCT package_id FROM functions;

-- name: functions_unsettled
SELECT * FROM functions WHERE state = :state OR update_status = :update_status;
