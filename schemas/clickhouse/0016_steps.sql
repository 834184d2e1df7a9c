-- Steps of traces that are no model calls: tools, retrievals, agents, workflows, as OpenTelemetry tells of them.

CREATE TABLE IF NOT EXISTS mirante.steps_data
(
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    -- '' for a step that nothing is around.
    parent_id String DEFAULT '' CODEC(ZSTD(1)),
    -- Of the call it is part of; '' if of none.
    response_id String DEFAULT '' CODEC(ZSTD(1)),
    session_id String DEFAULT '' CODEC(ZSTD(1)),
    tenant LowCardinality(String) DEFAULT 'default',
    feature LowCardinality(String) DEFAULT '',
    -- tool, retrieval, agent, workflow, part (of a call that another span counts).
    kind LowCardinality(String),
    duration_ms Nullable(Float64),
    status LowCardinality(String),
    name String DEFAULT '' CODEC(ZSTD(1)),
    error_type String DEFAULT '' CODEC(ZSTD(1)),
    error_message String DEFAULT '' CODEC(ZSTD(1)),
    -- How they begin, without personal data.
    input String DEFAULT '' CODEC(ZSTD(3)),
    output String DEFAULT '' CODEC(ZSTD(3)),
    pii String DEFAULT '[]' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (trace_id, span_id)
SETTINGS index_granularity = 1024;

CREATE VIEW IF NOT EXISTS mirante.steps AS
SELECT *
FROM mirante.steps_data FINAL;
