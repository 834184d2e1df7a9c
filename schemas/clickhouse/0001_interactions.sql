-- Interactions, feedback, evaluations: storage tables and the public views over them.
--
-- Storage tables are ReplacingMergeTree and hold repeats and superseded versions until they merge. Their sort keys hold
-- immutable columns only, and the partition is computed from them, so every version of a row meets in one partition;
-- ClickHouse sees that and reads FINAL partition by partition by itself (from 24.x on, setting
-- enable_automatic_decision_for_merging_across_partitions_for_final). A SETTINGS clause in a view would say so too, but
-- setting anything is refused to users with readonly = 1. A query that does not name a text column does not read it.

CREATE DATABASE IF NOT EXISTS mirante;

CREATE TABLE IF NOT EXISTS mirante.interactions_data
(
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    request_id String CODEC(ZSTD(1)),
    version UInt64,
    outcome LowCardinality(String),
    request_event_id String DEFAULT '' CODEC(ZSTD(1)),
    response_event_id String DEFAULT '' CODEC(ZSTD(1)),
    response_id String DEFAULT '' CODEC(ZSTD(1)),
    session_id String DEFAULT '' CODEC(ZSTD(1)),
    tenant LowCardinality(String) DEFAULT 'default',
    feature LowCardinality(String) DEFAULT '',
    environment LowCardinality(String) DEFAULT '',
    user_id String DEFAULT '' CODEC(ZSTD(1)),
    trace_id String DEFAULT '' CODEC(ZSTD(1)),
    span_id String DEFAULT '' CODEC(ZSTD(1)),
    parent_span_id String DEFAULT '' CODEC(ZSTD(1)),
    operation LowCardinality(String) DEFAULT 'chat',
    provider LowCardinality(String) DEFAULT '',
    model_requested LowCardinality(String) DEFAULT '',
    model LowCardinality(String) DEFAULT '',
    prompt_name LowCardinality(String) DEFAULT '',
    prompt_sha LowCardinality(String) DEFAULT '',
    index_version LowCardinality(String) DEFAULT '',
    timeout_ms UInt64 DEFAULT 15000,
    variant LowCardinality(String) DEFAULT 'live',
    shadow_of String DEFAULT '' CODEC(ZSTD(1)),
    response_time Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    status LowCardinality(String) DEFAULT '',
    error_type LowCardinality(String) DEFAULT '',
    error_code LowCardinality(String) DEFAULT '',
    finish_reason LowCardinality(String) DEFAULT '',
    system_fingerprint LowCardinality(String) DEFAULT '',
    -- NULL: not reported. OpenTelemetry's convention: input includes cached, output includes reasoning.
    input_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    output_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    cache_read_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    cache_write_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    reasoning_tokens Nullable(UInt64) CODEC(ZSTD(1)),
    -- NULL: no known price. Never 0 for want of one.
    cost_usd Nullable(Decimal(38, 12)) CODEC(ZSTD(1)),
    cost_source LowCardinality(String) DEFAULT 'unknown',
    price_book_version LowCardinality(String) DEFAULT '',
    latency_ms Nullable(Float64) CODEC(ZSTD(1)),
    ttft_ms Nullable(Float64) CODEC(ZSTD(1)),
    cache LowCardinality(String) DEFAULT '',
    json_valid Nullable(Bool),
    pii String DEFAULT '[]' CODEC(ZSTD(1)),
    rails String DEFAULT '[]' CODEC(ZSTD(1)),
    params String DEFAULT '{}' CODEC(ZSTD(1)),
    prompt_variables String DEFAULT '{}' CODEC(ZSTD(3)),
    system_instructions String DEFAULT '' CODEC(ZSTD(3)),
    messages String DEFAULT '[]' CODEC(ZSTD(3)),
    documents String DEFAULT '[]' CODEC(ZSTD(3)),
    tools String DEFAULT '[]' CODEC(ZSTD(3)),
    output_schema String DEFAULT '' CODEC(ZSTD(3)),
    error_message String DEFAULT '' CODEC(ZSTD(3)),
    output String DEFAULT '' CODEC(ZSTD(3)),
    tool_calls String DEFAULT '[]' CODEC(ZSTD(3)),
    extra String DEFAULT '{}' CODEC(ZSTD(3)),
    INDEX by_request_id request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_response_id response_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_session_id session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_trace_id trace_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, feature, time, request_id);

CREATE VIEW IF NOT EXISTS mirante.interactions AS
SELECT * EXCEPT (version)
FROM mirante.interactions_data FINAL;

CREATE TABLE IF NOT EXISTS mirante.feedback_data
(
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    event_id String CODEC(ZSTD(1)),
    kind LowCardinality(String),
    tenant LowCardinality(String) DEFAULT 'default',
    session_id String DEFAULT '' CODEC(ZSTD(1)),
    request_id String DEFAULT '' CODEC(ZSTD(1)),
    response_id String DEFAULT '' CODEC(ZSTD(1)),
    value Nullable(Float64),
    comment String DEFAULT '' CODEC(ZSTD(3)),
    user_id String DEFAULT '' CODEC(ZSTD(1)),
    pii String DEFAULT '[]' CODEC(ZSTD(1)),
    extra String DEFAULT '{}' CODEC(ZSTD(3)),
    INDEX by_response_id response_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_session_id session_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, time, event_id);

CREATE VIEW IF NOT EXISTS mirante.feedback AS
SELECT *
FROM mirante.feedback_data FINAL;

CREATE TABLE IF NOT EXISTS mirante.evaluations_data
(
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    event_id String CODEC(ZSTD(1)),
    response_id String CODEC(ZSTD(1)),
    name LowCardinality(String),
    score Float64,
    tenant LowCardinality(String) DEFAULT 'default',
    session_id String DEFAULT '' CODEC(ZSTD(1)),
    request_id String DEFAULT '' CODEC(ZSTD(1)),
    label LowCardinality(String) DEFAULT '',
    explanation String DEFAULT '' CODEC(ZSTD(3)),
    source LowCardinality(String) DEFAULT '',
    pii String DEFAULT '[]' CODEC(ZSTD(1)),
    extra String DEFAULT '{}' CODEC(ZSTD(3)),
    INDEX by_response_id response_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, time, event_id);

CREATE VIEW IF NOT EXISTS mirante.evaluations AS
SELECT *
FROM mirante.evaluations_data FINAL;

-- Which versions of a prompt were used, from when until when.
CREATE VIEW IF NOT EXISTS mirante.prompt_versions AS
SELECT
    feature,
    prompt_name,
    prompt_sha,
    min(time) AS first_seen,
    max(time) AS last_seen,
    count() AS requests
FROM mirante.interactions
WHERE prompt_sha != '' OR prompt_name != ''
GROUP BY feature, prompt_name, prompt_sha;

-- Not partitioned: its time is not part of a dead letter's identity, so repeats must meet without it.
CREATE TABLE IF NOT EXISTS mirante.deadletter_data
(
    source LowCardinality(String),
    topic LowCardinality(String),
    partition Int32,
    offset Int64,
    time DateTime64(3, 'UTC'),
    stage LowCardinality(String),
    reason String CODEC(ZSTD(1)),
    key String DEFAULT '' CODEC(ZSTD(1)),
    value String DEFAULT '' CODEC(ZSTD(3)),
    headers String DEFAULT '[]' CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
ORDER BY (source, topic, partition, offset);

CREATE VIEW IF NOT EXISTS mirante.deadletter AS
SELECT *
FROM mirante.deadletter_data FINAL;
