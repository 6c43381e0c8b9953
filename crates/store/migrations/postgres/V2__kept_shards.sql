-- What a process left within the last minutes is not worth bringing over: the next one begins anew.
DROP TABLE shard_sessions;
DROP TABLE snapshots;

CREATE TABLE kept_shards (
    bot BYTEA NOT NULL,
    shard BIGINT NOT NULL,
    shard_count BIGINT NOT NULL,
    session BYTEA NOT NULL,
    saved_at BIGINT NOT NULL,
    PRIMARY KEY (bot, shard, shard_count)
);

CREATE TABLE kept_guilds (
    bot BYTEA NOT NULL,
    shard BIGINT NOT NULL,
    shard_count BIGINT NOT NULL,
    place BIGINT NOT NULL,
    data BYTEA NOT NULL,
    saved_at BIGINT NOT NULL,
    PRIMARY KEY (bot, shard, shard_count, place)
);

ALTER TABLE identifies ADD COLUMN bucket BIGINT NOT NULL DEFAULT 0;
