-- Topics, their subscriptions, and what is still to be delivered.

CREATE TABLE topics (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL,
    data_protection TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (account, region, name)
) WITHOUT ROWID;

CREATE TABLE subscriptions (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    topic TEXT NOT NULL,
    owner TEXT NOT NULL,
    protocol TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    attributes TEXT NOT NULL,
    token TEXT NOT NULL,
    is_confirmed INTEGER NOT NULL,
    is_authenticated INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX subscriptions_of_topic ON subscriptions (account, region, topic);

-- A message is kept while there are deliveries of it.
CREATE TABLE publications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content TEXT NOT NULL,
    deliveries INTEGER NOT NULL
);

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    publication INTEGER NOT NULL,
    subscription TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_ms INTEGER NOT NULL
);
CREATE INDEX deliveries_due ON deliveries (subscription, due_ms, id);

CREATE TABLE publication_duplicates (
    topic TEXT NOT NULL,
    scope TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (topic, scope, deduplication_id)
) WITHOUT ROWID;
CREATE INDEX publication_duplicates_by_time ON publication_duplicates (until_ms);
