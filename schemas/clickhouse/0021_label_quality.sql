-- How well labels foretold what users then said, by series: one row per minute in which feedback taught. A repeat is identical.

CREATE TABLE IF NOT EXISTS mirante.label_quality_data
(
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    tenant LowCardinality(String),
    feature LowCardinality(String),
    feedbacks UInt32,
    recent Float64,
    auc Nullable(Float64),
    log_loss Float64,
    calibration Float64,
    told Float64
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, feature, time);

CREATE VIEW IF NOT EXISTS mirante.label_quality AS
SELECT *
FROM mirante.label_quality_data FINAL;
