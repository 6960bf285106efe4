-- How much code an account has in a region, kept as functions and layers come, change and go: adding
-- it up anew for every write takes the longer the more there are.
CREATE TABLE code_totals (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    code_size INTEGER NOT NULL,
    PRIMARY KEY (account, region)
);

INSERT INTO code_totals (account, region, code_size)
SELECT account, region, SUM(code_size) FROM (
    SELECT account, region, code_size FROM functions
    UNION ALL
    SELECT account, region, code_size FROM layer_versions
)
GROUP BY account, region;

CREATE TRIGGER function_code_comes AFTER INSERT ON functions
BEGIN
    INSERT INTO code_totals (account, region, code_size)
    VALUES (NEW.account, NEW.region, NEW.code_size)
    ON CONFLICT DO UPDATE SET code_size = code_size + excluded.code_size;
END;

CREATE TRIGGER function_code_changes AFTER UPDATE OF code_size ON functions
WHEN NEW.code_size <> OLD.code_size
BEGIN
    UPDATE code_totals SET code_size = code_size + NEW.code_size - OLD.code_size
    WHERE account = NEW.account AND region = NEW.region;
END;

CREATE TRIGGER function_code_goes AFTER DELETE ON functions
BEGIN
    UPDATE code_totals SET code_size = code_size - OLD.code_size
    WHERE account = OLD.account AND region = OLD.region;
END;

CREATE TRIGGER layer_code_comes AFTER INSERT ON layer_versions
BEGIN
    INSERT INTO code_totals (account, region, code_size)
    VALUES (NEW.account, NEW.region, NEW.code_size)
    ON CONFLICT DO UPDATE SET code_size = code_size + excluded.code_size;
END;

CREATE TRIGGER layer_code_goes AFTER DELETE ON layer_versions
BEGIN
    UPDATE code_totals SET code_size = code_size - OLD.code_size
    WHERE account = OLD.account AND region = OLD.region;
END;

DROP INDEX functions_by_size;
DROP INDEX layer_versions_by_size;

-- Empty but once, after the first start that seals: a server need not look through all functions.
CREATE INDEX functions_not_sealed ON functions (account) WHERE typeof(environment) = 'text';
