-- name: subject_add
INSERT INTO subjects (account, region, name, version, memory_mb, ephemeral_mb, architecture)
VALUES (:account, :region, :name, :version, :memory_mb, :ephemeral_mb, :architecture)
ON CONFLICT DO UPDATE SET memory_mb = :memory_mb
RETURNING id;

-- name: bundle_add
INSERT INTO bundles (subject, last_at, payload) VALUES (:subject, :last_at, :payload);

-- name: totals_add
INSERT INTO totals (
    day, subject, runs, errors, cold, billed_ms, duration_ms, init_ms, peak_mb, cpu_ms,
    cpu_duration_ms, provisioned_ms, kept_ms
) VALUES (
    :day, :subject, :runs, :errors, :cold, :billed_ms, :duration_ms, :init_ms, :peak_mb, :cpu_ms,
    :cpu_duration_ms, :provisioned_ms, :kept_ms
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
    cpu_duration_ms = cpu_duration_ms + :cpu_duration_ms,
    provisioned_ms = provisioned_ms + :provisioned_ms,
    kept_ms = kept_ms + :kept_ms;

-- name: totals_since
SELECT * FROM totals JOIN subjects ON subjects.id = totals.subject
WHERE day >= :since AND (:account IS NULL OR account = :account)
ORDER BY day, subject LIMIT :limit;

-- name: last_days
SELECT account, region, name, version, MAX(day) AS day
FROM totals JOIN subjects ON subjects.id = totals.subject
WHERE day >= :since AND runs > 0
GROUP BY account, region, name, version;

-- name: bundles_page
SELECT * FROM bundles JOIN subjects ON subjects.id = bundles.subject
WHERE last_at >= :since AND account = :account AND region = :region
    AND (:name IS NULL OR name = :name)
ORDER BY last_at DESC LIMIT :limit;

-- name: bundles_forget
DELETE FROM bundles WHERE last_at < :before;

-- name: generation
SELECT generation FROM generations;

-- name: generation_put
INSERT OR REPLACE INTO generations (one, generation) VALUES (1, :generation);
