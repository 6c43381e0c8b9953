-- What a process left within the last minutes is not worth bringing over: the next one begins anew.
DROP TABLE shard_sessions;
DROP TABLE snapshots;

CREATE TABLE kept_shards (
    bot BLOB NOT NULL,
    shard INTEGER NOT NULL,
    shard_count INTEGER NOT NULL,
    session BLOB NOT NULL,
    saved_at INTEGER NOT NULL,
    PRIMARY KEY (bot, shard, shard_count)
) STRICT;

CREATE TABLE kept_guilds (
    bot BLOB NOT NULL,
    shard INTEGER NOT NULL,
    shard_count INTEGER NOT NULL,
    place INTEGER NOT NULL,
    data BLOB NOT NULL,
    saved_at INTEGER NOT NULL,
    PRIMARY KEY (bot, shard, shard_count, place)
) STRICT;

ALTER TABLE identifies ADD COLUMN bucket INTEGER NOT NULL DEFAULT 0;
