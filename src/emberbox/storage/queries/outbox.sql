-- name: parcel_add
INSERT INTO parcels (content, due, is_slow) VALUES (:content, :due, :is_slow) RETURNING id;

-- name: parcels_due
SELECT id, content, attempts FROM parcels WHERE is_slow = :is_slow AND due <= :now
ORDER BY due, id LIMIT :limit;

-- name: parcels_later
SELECT due FROM parcels WHERE is_slow = :is_slow AND due > :now ORDER BY due LIMIT 1;

-- name: parcel_again
UPDATE parcels SET attempts = :attempts, due = :due WHERE id = :id;

-- name: parcel_remove
DELETE FROM parcels WHERE id = :id;

-- name: parcels_count
SELECT COUNT(*) AS waiting FROM parcels;
