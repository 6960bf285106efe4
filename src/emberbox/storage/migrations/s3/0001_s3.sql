CREATE TABLE buckets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    created REAL NOT NULL,
    versioning TEXT NOT NULL DEFAULT '',
    settings TEXT NOT NULL DEFAULT '{}'
) STRICT;

-- One row a version. The bytes are in blobs: `pieces` is a list of [blob, start, size].
CREATE TABLE objects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket INTEGER NOT NULL REFERENCES buckets (id),
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    is_latest INTEGER NOT NULL,
    is_marker INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified REAL NOT NULL,
    storage_class TEXT NOT NULL,
    facts TEXT NOT NULL,
    pieces TEXT NOT NULL,
    UNIQUE (bucket, key, version)
) STRICT;
CREATE UNIQUE INDEX objects_latest ON objects (bucket, key) WHERE is_latest = 1;
CREATE INDEX objects_versions ON objects (bucket, key, id DESC);

CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    bucket INTEGER NOT NULL REFERENCES buckets (id),
    key TEXT NOT NULL,
    begun REAL NOT NULL,
    facts TEXT NOT NULL
) STRICT;
CREATE INDEX uploads_keys ON uploads (bucket, key, id);

CREATE TABLE parts (
    upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified REAL NOT NULL,
    checksums TEXT NOT NULL,
    pieces TEXT NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;

-- Small bodies are here, larger ones in a file by the blob's name.
CREATE TABLE blobs (
    id TEXT PRIMARY KEY,
    uses INTEGER NOT NULL,
    body BLOB
) STRICT;

-- Files that nobody uses any more, until they are gone.
CREATE TABLE garbage (
    blob TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- What is to be told of objects, recorded with the change that it tells of.
CREATE TABLE notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket TEXT NOT NULL,
    target TEXT NOT NULL,
    body TEXT NOT NULL,
    trace TEXT NOT NULL,
    due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX notices_due ON notices (due);
