-- name: buckets
SELECT * FROM buckets;

-- name: bucket
SELECT * FROM buckets WHERE name = :name;

-- name: bucket_add
INSERT INTO buckets (name, account, region, created, versioning, settings)
VALUES (:name, :account, :region, :created, :versioning, :settings);

-- name: bucket_alter
UPDATE buckets SET versioning = :versioning, settings = :settings WHERE name = :name;

-- name: bucket_remove
DELETE FROM buckets WHERE id = :id;

-- name: bucket_holds
SELECT EXISTS (SELECT 1 FROM objects WHERE bucket = :bucket)
    OR EXISTS (SELECT 1 FROM uploads WHERE bucket = :bucket) AS holds;

-- name: object_latest
SELECT * FROM objects WHERE bucket = :bucket AND key = :key AND is_latest = 1;

-- name: object_version
SELECT * FROM objects WHERE bucket = :bucket AND key = :key AND version = :version;

-- name: object_add
INSERT INTO objects (bucket, key, version, is_latest, is_marker, size, etag, modified,
    storage_class, facts, pieces)
VALUES (:bucket, :key, :version, 1, :is_marker, :size, :etag, :modified, :storage_class, :facts,
    :pieces);

-- name: object_not_latest
UPDATE objects SET is_latest = 0 WHERE bucket = :bucket AND key = :key AND is_latest = 1;

-- name: object_newest_is_latest
UPDATE objects SET is_latest = 1 WHERE id = (
    SELECT id FROM objects WHERE bucket = :bucket AND key = :key ORDER BY id DESC LIMIT 1);

-- name: object_remove
DELETE FROM objects WHERE id = :id;

-- name: object_facts
UPDATE objects SET facts = :facts WHERE id = :id;

-- name: objects_from
SELECT id, key, version, is_latest, is_marker, size, etag, modified, storage_class, facts
FROM objects INDEXED BY objects_latest
WHERE bucket = :bucket AND key >= :start AND key < :stop AND is_latest = 1 AND is_marker = 0
ORDER BY key LIMIT :limit;

-- name: versions_from
SELECT id, key, version, is_latest, is_marker, size, etag, modified, storage_class, facts
FROM objects INDEXED BY objects_versions
WHERE bucket = :bucket AND key >= :start AND key < :stop
    AND NOT (key = :start AND id >= :below)
ORDER BY key, id DESC LIMIT :limit;

-- name: upload_add
INSERT INTO uploads (id, bucket, key, begun, facts) VALUES (:id, :bucket, :key, :begun, :facts);

-- name: upload
SELECT * FROM uploads WHERE id = :id AND bucket = :bucket AND key = :key;

-- name: upload_remove
DELETE FROM uploads WHERE id = :id;

-- name: uploads_from
SELECT * FROM uploads INDEXED BY uploads_keys
WHERE bucket = :bucket AND key >= :start AND key < :stop AND NOT (key = :start AND id <= :above)
ORDER BY key, id LIMIT :limit;

-- name: part
SELECT * FROM parts WHERE upload = :upload AND number = :number;

-- name: part_put
INSERT OR REPLACE INTO parts (upload, number, etag, size, modified, checksums, pieces)
VALUES (:upload, :number, :etag, :size, :modified, :checksums, :pieces);

-- name: parts
SELECT * FROM parts WHERE upload = :upload AND number > :above ORDER BY number LIMIT :limit;

-- name: blob_add
INSERT INTO blobs (id, uses, body) VALUES (:id, 1, :body);

-- name: blob_use
UPDATE blobs SET uses = uses + 1 WHERE id = :id;

-- name: blob_leave
UPDATE blobs SET uses = uses - 1 WHERE id = :id;

-- name: blob_unused
SELECT body IS NULL AS is_file FROM blobs WHERE id = :id AND uses <= 0;

-- name: blob_remove
DELETE FROM blobs WHERE id = :id;

-- name: blob_body
SELECT body FROM blobs WHERE id = :id;

-- name: blob_exists
SELECT 1 FROM blobs WHERE id = :id;

-- name: garbage_add
INSERT OR IGNORE INTO garbage (blob) VALUES (:blob);

-- name: garbage
SELECT blob FROM garbage LIMIT :limit;

-- name: garbage_remove
DELETE FROM garbage WHERE blob = :blob;

-- name: notice_add
INSERT INTO notices (bucket, account, region, target, body, trace, due)
VALUES (:bucket, :account, :region, :target, :body, :trace, :due);

-- name: notices_due
SELECT * FROM notices WHERE due <= :now ORDER BY id LIMIT :limit;

-- name: notice_next
SELECT MIN(due) AS due FROM notices;

-- name: notice_again
UPDATE notices SET due = :due, attempts = attempts + 1 WHERE id = :id;

-- name: notice_remove
DELETE FROM notices WHERE id = :id;
