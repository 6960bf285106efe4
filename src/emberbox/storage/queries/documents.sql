-- name: documents
SELECT * FROM documents WHERE kind = :kind;

-- name: document
SELECT value FROM documents
WHERE kind = :kind AND account = :account AND region = :region AND name = :name;

-- name: document_put
INSERT OR REPLACE INTO documents (kind, account, region, name, value)
VALUES (:kind, :account, :region, :name, :value);

-- name: document_remove
DELETE FROM documents
WHERE kind = :kind AND account = :account AND region = :region AND name = :name;
