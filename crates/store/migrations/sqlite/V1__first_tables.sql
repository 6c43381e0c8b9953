-- Ids are AUTOINCREMENT: one that was given out never names another row, even after a purge.
-- Ids of Discord's are 64 bits without a sign, kept bit for bit. Times are Unix milliseconds.

CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    owner INTEGER,
    expires_at INTEGER,
    uses_left INTEGER,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at INTEGER
) STRICT;
CREATE INDEX tokens_by_kind ON tokens (kind, id);
CREATE INDEX tokens_by_owner ON tokens (owner, id);

CREATE TABLE notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    decision INTEGER NOT NULL,
    guild INTEGER NOT NULL,
    application INTEGER,
    note TEXT,
    at INTEGER NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX notifications_by_user ON notifications (user_id, id);

-- Users one of whose clients has acknowledged a notification.
CREATE TABLE acknowledgers (user_id INTEGER PRIMARY KEY) STRICT;

CREATE TABLE feed (
    place INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
-- One row. Its lock is what makes places follow the order of commits.
CREATE TABLE feed_state (head INTEGER NOT NULL, floor INTEGER NOT NULL) STRICT;
INSERT INTO feed_state (head, floor) VALUES (0, 0);

CREATE TABLE shard_sessions (
    shard INTEGER NOT NULL,
    shard_count INTEGER NOT NULL,
    data BLOB NOT NULL,
    saved_at INTEGER NOT NULL,
    PRIMARY KEY (shard, shard_count)
) STRICT;

CREATE TABLE snapshots (
    shard INTEGER NOT NULL,
    shard_count INTEGER NOT NULL,
    place INTEGER NOT NULL,
    data BLOB NOT NULL,
    saved_at INTEGER NOT NULL,
    PRIMARY KEY (shard, shard_count, place)
) STRICT;

CREATE TABLE identifies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bot BLOB NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX identifies_by_bot ON identifies (bot, at);

-- The invite that the site shows; null where it shows none.
CREATE TABLE invites (
    guild INTEGER PRIMARY KEY,
    code TEXT
) STRICT;

-- A guild's form has user_id 0; a draft has its user's.
CREATE TABLE documents (
    guild INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (guild, user_id)
) STRICT;

CREATE TABLE document_versions (
    guild INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    actor INTEGER,
    at INTEGER NOT NULL,
    patch TEXT,
    patch_id TEXT,
    content TEXT NOT NULL,
    PRIMARY KEY (guild, user_id, revision)
) STRICT;
CREATE UNIQUE INDEX document_versions_by_patch
    ON document_versions (guild, user_id, actor, patch_id) WHERE patch_id IS NOT NULL;

CREATE TABLE submissions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    guild INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    answers TEXT NOT NULL,
    status TEXT NOT NULL,
    submitted_at INTEGER NOT NULL,
    decided_at INTEGER,
    reviewer INTEGER,
    note TEXT
) STRICT;
CREATE INDEX submissions_by_guild ON submissions (guild, id);
CREATE UNIQUE INDEX submissions_waiting
    ON submissions (guild, user_id) WHERE status IN ('pending', 'on_hold');

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    guild INTEGER NOT NULL,
    at INTEGER NOT NULL,
    actor INTEGER,
    action TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_guild ON audit (guild, id);

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    guild INTEGER NOT NULL,
    event TEXT,
    endpoint TEXT,
    task TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    error TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (event, endpoint)
) STRICT;
CREATE INDEX outbox_due ON outbox (topic, next_at, id) WHERE state = 'pending';
CREATE INDEX outbox_by_guild ON outbox (guild, topic, id);
