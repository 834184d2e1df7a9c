-- What pages about many calls read: the figures of interactions, without texts and ids. FINAL over interactions reads the ids of every row to
-- find repeats; here they are hashed, and a week is a partition, which once it is over is merged to one part, where there are none to find.
-- Weeks and not days, so that clocks that are wrong by decades make no more partitions than there may be.

CREATE TABLE IF NOT EXISTS mirante.calls_data
(
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    -- Of the request's id.
    hash UInt64,
    version UInt64 CODEC(ZSTD(1)),
    tenant LowCardinality(String),
    feature LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    user_id String CODEC(ZSTD(1)),
    outcome LowCardinality(String),
    input_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    output_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    cost_usd Nullable(Decimal(38, 12)) CODEC(ZSTD(1)),
    cost_source LowCardinality(String),
    json_valid Nullable(Bool),
    attack Bool,
    personal Bool
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(time)
ORDER BY (tenant, feature, time, hash)
SETTINGS min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS mirante.calls_of_interactions TO mirante.calls_data AS
SELECT
    time,
    cityHash64(request_id) AS hash,
    version,
    tenant,
    feature,
    provider,
    model,
    user_id,
    outcome,
    input_tokens,
    output_tokens,
    cost_usd,
    cost_source,
    json_valid,
    injection != '[]' AS attack,
    pii != '[]' AS personal
FROM mirante.interactions_data;

-- What was there before.
INSERT INTO mirante.calls_data
SELECT
    time,
    cityHash64(request_id) AS hash,
    version,
    tenant,
    feature,
    provider,
    model,
    user_id,
    outcome,
    input_tokens,
    output_tokens,
    cost_usd,
    cost_source,
    json_valid,
    injection != '[]' AS attack,
    pii != '[]' AS personal
FROM mirante.interactions_data;
