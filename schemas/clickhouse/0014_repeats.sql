-- Records whose event was published before or elsewhere: each event counts once, and each record ends as a row, a repeat or a dead letter.

CREATE TABLE IF NOT EXISTS mirante.repeats_data
(
    source LowCardinality(String),
    topic LowCardinality(String),
    partition Int32,
    offset Int64,
    time DateTime64(3, 'UTC'),
    event_id String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (source, topic, partition, offset);

CREATE VIEW IF NOT EXISTS mirante.repeats AS
SELECT *
FROM mirante.repeats_data FINAL;
