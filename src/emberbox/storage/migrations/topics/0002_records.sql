-- What SNS keeps besides topics, as JSON: platform applications and their endpoints, settings of text
-- messages, numbers of the sandbox.

CREATE TABLE sns_records (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (account, region, kind, name)
) WITHOUT ROWID;
