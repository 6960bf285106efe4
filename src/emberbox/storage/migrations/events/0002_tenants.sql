-- Which tenant of a function that isolates its tenants an event is for; empty for other functions.

ALTER TABLE events ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
