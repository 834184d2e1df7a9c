-- Prompt files of Git repositories, answers of shadows beside the live ones, and questions that a cache could have answered.

-- Which versions of which prompt files are committed: what `mirante prompts sync` has read. One row per commit that touched a file.
CREATE TABLE IF NOT EXISTS mirante.prompt_files_data
(
    repository String,
    path String,
    name LowCardinality(String),
    commit_sha String,
    blob_sha String,
    committed_at DateTime64(3, 'UTC'),
    latest Bool DEFAULT false,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (repository, path, commit_sha);

CREATE VIEW IF NOT EXISTS mirante.prompt_files AS
SELECT * EXCEPT (version)
FROM mirante.prompt_files_data FINAL;

CREATE TABLE IF NOT EXISTS mirante.shadow_pairs_data
(
    -- Of the shadow's request.
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    request_id String CODEC(ZSTD(1)),
    version UInt64,
    tenant LowCardinality(String) DEFAULT 'default',
    feature LowCardinality(String) DEFAULT '',
    variant LowCardinality(String),
    response_id String CODEC(ZSTD(1)),
    live_request_id String CODEC(ZSTD(1)),
    live_response_id String CODEC(ZSTD(1)),
    model LowCardinality(String) DEFAULT '',
    live_model LowCardinality(String) DEFAULT '',
    prompt_sha LowCardinality(String) DEFAULT '',
    live_prompt_sha LowCardinality(String) DEFAULT '',
    outcome LowCardinality(String) DEFAULT '',
    live_outcome LowCardinality(String) DEFAULT '',
    output_chars UInt64 DEFAULT 0,
    live_output_chars UInt64 DEFAULT 0,
    -- NULL: one of them gave no text.
    similarity Nullable(Float64),
    cost_usd Nullable(Decimal(38, 12)),
    live_cost_usd Nullable(Decimal(38, 12)),
    latency_ms Nullable(Float64),
    live_latency_ms Nullable(Float64),
    -- Mean of the evaluations of the answer; NULL: none.
    score Nullable(Float64),
    live_score Nullable(Float64)
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, feature, time, request_id);

CREATE VIEW IF NOT EXISTS mirante.shadow_pairs AS
SELECT * EXCEPT (version)
FROM mirante.shadow_pairs_data FINAL;

-- What the pairs say so far: one row per comparison and metric.
CREATE TABLE IF NOT EXISTS mirante.shadow_verdicts_data
(
    tenant LowCardinality(String) DEFAULT 'default',
    feature LowCardinality(String) DEFAULT '',
    variant LowCardinality(String),
    model LowCardinality(String) DEFAULT '',
    live_model LowCardinality(String) DEFAULT '',
    prompt_sha LowCardinality(String) DEFAULT '',
    live_prompt_sha LowCardinality(String) DEFAULT '',
    metric LowCardinality(String),
    version UInt64,
    time DateTime64(3, 'UTC'),
    pairs UInt64,
    difference Float64,
    low Float64,
    high Float64,
    verdict LowCardinality(String)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, feature, variant, model, live_model, prompt_sha, live_prompt_sha, metric);

CREATE VIEW IF NOT EXISTS mirante.shadow_verdicts AS
SELECT * EXCEPT (version)
FROM mirante.shadow_verdicts_data FINAL;

CREATE TABLE IF NOT EXISTS mirante.cache_candidates_data
(
    tenant LowCardinality(String) DEFAULT 'default',
    feature LowCardinality(String) DEFAULT '',
    group_id String,
    version UInt64,
    question String CODEC(ZSTD(3)),
    requests UInt64,
    users UInt64 DEFAULT 0,
    cost_usd Decimal(38, 12) DEFAULT 0,
    unpriced_requests UInt64 DEFAULT 0,
    answers UInt64 DEFAULT 0,
    answers_differ Bool DEFAULT false,
    first_seen DateTime64(3, 'UTC'),
    last_seen DateTime64(3, 'UTC'),
    response_ids Array(String)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, feature, group_id);

CREATE VIEW IF NOT EXISTS mirante.cache_candidates AS
SELECT * EXCEPT (version)
FROM mirante.cache_candidates_data FINAL
WHERE requests > 1;
