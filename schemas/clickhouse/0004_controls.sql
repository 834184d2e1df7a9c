-- Audit of kill switches and throttles: one row per thing that happened to a switch, for ever.
-- Not partitioned: there are few, and a repeat of one is identical wherever it lands.

CREATE TABLE IF NOT EXISTS mirante.controls_data
(
    cluster LowCardinality(String),
    topic LowCardinality(String),
    partition Int32,
    offset Int64,
    status LowCardinality(String),
    time DateTime64(3, 'UTC'),
    scope String CODEC(ZSTD(1)),
    action LowCardinality(String),
    limit Nullable(Float64),
    reason String DEFAULT '' CODEC(ZSTD(1)),
    source LowCardinality(String) DEFAULT 'operator',
    expires_at Nullable(DateTime64(3, 'UTC')),
    author String DEFAULT '' CODEC(ZSTD(1)),
    note String DEFAULT '' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (cluster, topic, partition, offset, status);

CREATE VIEW IF NOT EXISTS mirante.controls AS
SELECT *
FROM mirante.controls_data FINAL;
