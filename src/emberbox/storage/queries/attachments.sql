-- name: attachments
SELECT * FROM attachments;

-- name: attachment
SELECT * FROM attachments
WHERE account = :account AND region = :region AND function = :function
    AND kind = :kind AND qualifier = :qualifier;

-- name: attachment_put
INSERT INTO attachments (account, region, function, kind, qualifier, value, modified)
VALUES (:account, :region, :function, :kind, :qualifier, :value, :modified)
ON CONFLICT DO UPDATE SET value = excluded.value, modified = excluded.modified;

-- name: attachment_remove
DELETE FROM attachments
WHERE account = :account AND region = :region AND function = :function
    AND kind = :kind AND qualifier = :qualifier;
