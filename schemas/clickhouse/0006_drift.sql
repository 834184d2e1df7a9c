-- Drift: one row per test of one metric of a series (feature and model) against its reference.

CREATE TABLE IF NOT EXISTS mirante.drift_data
(
    time DateTime64(3, 'UTC'),
    feature LowCardinality(String),
    model LowCardinality(String),
    metric LowCardinality(String),
    detector LowCardinality(String),
    window_n UInt32,
    reference_version UInt32,
    statistic Float64,
    p_value Float64,
    drifted Bool,
    reference_n UInt32,
    current_n UInt32,
    cause LowCardinality(String) DEFAULT '',
    detail String DEFAULT '{}' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (feature, model, metric, time, detector, window_n, reference_version);

CREATE VIEW IF NOT EXISTS mirante.drift AS
SELECT *
FROM mirante.drift_data FINAL;
