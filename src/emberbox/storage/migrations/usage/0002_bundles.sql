-- Single invocations by the bundle: one row for what a subject ran within a moment.
-- A payload is a JSON list of lists; one that is a BLOB is compressed by zlib.

CREATE TABLE bundles (
    id INTEGER PRIMARY KEY,
    subject INTEGER NOT NULL REFERENCES subjects (id),
    last_at REAL NOT NULL,
    payload NOT NULL
);
CREATE INDEX bundles_by_time ON bundles (last_at);

INSERT INTO bundles (subject, last_at, payload)
SELECT
    subject,
    at,
    json_array(
        json_array(
            request_id, at, duration_ms, billed_ms, init_ms, peak_mb, cpu_ms, error, qualifier
        )
    )
FROM runs;

DROP TABLE runs;
