-- name: layer_version
SELECT * FROM layer_versions
WHERE account = :account AND region = :region AND name = :name AND number = :number;

-- name: layer_version_add
INSERT INTO layer_versions (
    account, region, name, number, package_id, code_sha256, code_size, stored_size, unzipped_size,
    code_object, created, description, runtimes, architectures, license_info, policy, policy_revision
) VALUES (
    :account, :region, :name, :number, :package_id, :code_sha256, :code_size, :stored_size,
    :unzipped_size, :code_object, :created, :description, :runtimes, :architectures, :license_info, :policy, :policy_revision
);

-- name: layer_version_policy_put
UPDATE layer_versions SET policy = :policy, policy_revision = :policy_revision
WHERE account = :account AND region = :region AND name = :name AND number = :number;

-- name: layer_version_remove
DELETE FROM layer_versions
WHERE account = :account AND region = :region AND name = :name AND number = :number;

-- name: layer_number
SELECT number FROM layer_numbers WHERE account = :account AND region = :region AND name = :name;

-- name: layer_number_put
INSERT INTO layer_numbers (account, region, name, number)
VALUES (:account, :region, :name, :number)
ON CONFLICT DO UPDATE SET number = excluded.number;

-- name: layer_versions_down_from
SELECT * FROM layer_versions
WHERE account = :account AND region = :region AND name = :name AND number < :below
ORDER BY number DESC;

-- name: layers_after
SELECT DISTINCT name FROM layer_versions
WHERE account = :account AND region = :region AND name > :after
ORDER BY name;

-- name: layers_packages
SELECT DISTINCT package_id FROM layer_versions;
