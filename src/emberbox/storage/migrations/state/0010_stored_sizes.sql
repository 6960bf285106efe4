-- Code that stays in a bucket does not count as code of the account: what counts has its own column.
ALTER TABLE functions ADD COLUMN stored_size INTEGER NOT NULL DEFAULT 0;
UPDATE functions SET stored_size = code_size;
ALTER TABLE layer_versions ADD COLUMN stored_size INTEGER NOT NULL DEFAULT 0;
UPDATE layer_versions SET stored_size = code_size;

-- The bucket, key and version that a layer version stays in, as JSON.
ALTER TABLE layer_versions ADD COLUMN code_object TEXT;

DROP TRIGGER function_code_comes;
DROP TRIGGER function_code_changes;
DROP TRIGGER function_code_goes;
DROP TRIGGER layer_code_comes;
DROP TRIGGER layer_code_goes;

CREATE TRIGGER function_code_comes AFTER INSERT ON functions
BEGIN
    INSERT INTO code_totals (account, region, code_size)
    VALUES (NEW.account, NEW.region, NEW.stored_size)
    ON CONFLICT DO UPDATE SET code_size = code_size + excluded.code_size;
END;

CREATE TRIGGER function_code_changes AFTER UPDATE OF stored_size ON functions
WHEN NEW.stored_size <> OLD.stored_size
BEGIN
    UPDATE code_totals SET code_size = code_size + NEW.stored_size - OLD.stored_size
    WHERE account = NEW.account AND region = NEW.region;
END;

CREATE TRIGGER function_code_goes AFTER DELETE ON functions
BEGIN
    UPDATE code_totals SET code_size = code_size - OLD.stored_size
    WHERE account = OLD.account AND region = OLD.region;
END;

CREATE TRIGGER layer_code_comes AFTER INSERT ON layer_versions
BEGIN
    INSERT INTO code_totals (account, region, code_size)
    VALUES (NEW.account, NEW.region, NEW.stored_size)
    ON CONFLICT DO UPDATE SET code_size = code_size + excluded.code_size;
END;

CREATE TRIGGER layer_code_goes AFTER DELETE ON layer_versions
BEGIN
    UPDATE code_totals SET code_size = code_size - OLD.stored_size
    WHERE account = OLD.account AND region = OLD.region;
END;
