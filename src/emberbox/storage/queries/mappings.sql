-- name: mappings
SELECT * FROM event_source_mappings;

-- name: mapping
SELECT * FROM event_source_mappings
WHERE account = :account AND region = :region AND uuid = :uuid;

-- name: mapping_like
SELECT uuid FROM event_source_mappings
WHERE account = :account AND region = :region AND function = :function
    AND COALESCE(qualifier, '') = COALESCE(:qualifier, '') AND reads = :reads AND uuid <> :uuid;

-- name: mapping_add
INSERT INTO event_source_mappings (
    uuid, account, region, function, qualifier, source, source_arn, reads, settings, enabled,
    state, modified, reason, result, tags
) VALUES (
    :uuid, :account, :region, :function, :qualifier, :source, :source_arn, :reads, :settings,
    :enabled, :state, :modified, :reason, :result, :tags
);

-- name: mapping_put
UPDATE event_source_mappings SET
    function = :function,
    qualifier = :qualifier,
    reads = :reads,
    settings = :settings,
    enabled = :enabled,
    state = :state,
    modified = :modified,
    reason = :reason,
    result = :result,
    tags = :tags
WHERE uuid = :uuid;

-- name: mapping_remove
DELETE FROM event_source_mappings WHERE uuid = :uuid;
