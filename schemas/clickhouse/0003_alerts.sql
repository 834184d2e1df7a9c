-- Alerts: every state of an alert's life, and the latest one of each.

CREATE TABLE IF NOT EXISTS mirante.alerts_data
(
    alert_id String,
    version UInt64,
    fingerprint String,
    name LowCardinality(String),
    severity LowCardinality(String),
    status LowCardinality(String),
    starts_at DateTime64(3, 'UTC'),
    updated_at DateTime64(3, 'UTC'),
    ends_at Nullable(DateTime64(3, 'UTC')),
    labels Map(LowCardinality(String), String),
    annotations Map(LowCardinality(String), String),
    value Nullable(Float64),
    expected Nullable(Float64),
    threshold Nullable(Float64),
    window_start Nullable(DateTime64(3, 'UTC')),
    window_end Nullable(DateTime64(3, 'UTC')),
    evidence String DEFAULT '{}' CODEC(ZSTD(1)),
    generator String DEFAULT ''
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(starts_at)
ORDER BY (starts_at, alert_id);

CREATE VIEW IF NOT EXISTS mirante.alerts AS
SELECT * EXCEPT (version)
FROM mirante.alerts_data FINAL;
