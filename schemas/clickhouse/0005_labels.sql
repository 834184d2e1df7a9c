-- Labels: every version of whether an answer satisfied its user, and the latest one of each.

CREATE TABLE IF NOT EXISTS mirante.labels_data
(
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    label_id String CODEC(ZSTD(1)),
    response_id String CODEC(ZSTD(1)),
    version UInt64,
    label LowCardinality(String),
    score Float64,
    request_id String DEFAULT '' CODEC(ZSTD(1)),
    session_id String DEFAULT '' CODEC(ZSTD(1)),
    tenant LowCardinality(String) DEFAULT 'default',
    feature LowCardinality(String) DEFAULT '',
    model LowCardinality(String) DEFAULT '',
    explicit Bool DEFAULT false,
    signals String DEFAULT '[]' CODEC(ZSTD(1)),
    final Bool DEFAULT false,
    INDEX by_response_id response_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_session_id session_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, feature, time, label_id);

CREATE VIEW IF NOT EXISTS mirante.labels AS
SELECT *
FROM mirante.labels_data FINAL;
