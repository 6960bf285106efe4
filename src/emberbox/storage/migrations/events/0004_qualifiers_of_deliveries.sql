-- As what the function was called that a delivery is about: its metrics are by that.

ALTER TABLE deliveries ADD COLUMN qualifier TEXT NOT NULL DEFAULT '';
