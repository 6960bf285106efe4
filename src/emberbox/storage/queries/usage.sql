-- name: subject_add
INSERT INTO subjects (account, region, name, version, memory_mb, ephemeral_mb, architecture)
VALUES (:account, :region, :name, :version, :memory_mb, :ephemeral_mb, :architecture)
ON CONFLICT DO UPDATE SET memory_mb = :memory_mb
RETURNING id;

-- name: run_add
INSERT INTO runs (
    subject, request_id, at, duration_ms, billed_ms, init_ms, peak_mb, cpu_ms, error, qualifier
) VALUES (
    :subject, :request_id, :at, :duration_ms, :billed_ms, :init_ms, :peak_mb, :cpu_ms, :error,
    :qualifier
);

-- name: totals_add
INSERT INTO totals (
    day, subject, runs, errors, cold, billed_ms, duration_ms, init_ms, peak_mb, cpu_ms,
    cpu_duration_ms
) VALUES (
    :day, :subject, :runs, :errors, :cold, :billed_ms, :duration_ms, :init_ms, :peak_mb, :cpu_ms,
    :cpu_duration_ms
)
ON CONFLICT DO UPDATE SET
    runs = runs + :runs,
    errors = errors + :errors,
    cold = cold + :cold,
    billed_ms = billed_ms + :billed_ms,
    duration_ms = duration_ms + :duration_ms,
    init_ms = init_ms + :init_ms,
    peak_mb = MAX(peak_mb, :peak_mb),
    cpu_ms = cpu_ms + :cpu_ms,
    cpu_duration_ms = cpu_duration_ms + :cpu_duration_ms;

-- name: totals_since
SELECT * FROM totals JOIN subjects ON subjects.id = totals.subject
WHERE day >= :since AND (:account IS NULL OR account = :account)
ORDER BY day, subject LIMIT :limit;

-- name: runs_page
SELECT * FROM runs JOIN subjects ON subjects.id = runs.subject
WHERE at >= :since AND account = :account AND region = :region
    AND (:name IS NULL OR name = :name)
ORDER BY at DESC LIMIT :limit;

-- name: runs_forget
DELETE FROM runs WHERE at < :before;
