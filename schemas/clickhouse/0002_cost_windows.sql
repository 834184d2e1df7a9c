-- What calls cost: absolute parts per window, series, source partition and segment, and their sum per window and series.

CREATE TABLE IF NOT EXISTS mirante.cost_parts
(
    window_start DateTime('UTC') CODEC(Delta, ZSTD(1)),
    window_seconds UInt32,
    tenant LowCardinality(String) DEFAULT 'default',
    feature LowCardinality(String) DEFAULT '',
    environment LowCardinality(String) DEFAULT '',
    provider LowCardinality(String) DEFAULT '',
    model LowCardinality(String) DEFAULT '',
    prompt_sha LowCardinality(String) DEFAULT '',
    variant LowCardinality(String) DEFAULT 'live',
    source LowCardinality(String),
    source_partition Int32,
    segment UInt64,
    version UInt64,
    requests UInt64 DEFAULT 0,
    ok UInt64 DEFAULT 0,
    refusal UInt64 DEFAULT 0,
    content_filter UInt64 DEFAULT 0,
    truncated UInt64 DEFAULT 0,
    api_error UInt64 DEFAULT 0,
    timeout UInt64 DEFAULT 0,
    cancelled UInt64 DEFAULT 0,
    blocked UInt64 DEFAULT 0,
    unanswered UInt64 DEFAULT 0,
    input_tokens UInt64 DEFAULT 0,
    output_tokens UInt64 DEFAULT 0,
    cache_read_tokens UInt64 DEFAULT 0,
    cache_write_tokens UInt64 DEFAULT 0,
    reasoning_tokens UInt64 DEFAULT 0,
    cost_usd Decimal(38, 12) DEFAULT 0,
    unpriced_requests UInt64 DEFAULT 0,
    latency_bins Array(Int16) CODEC(ZSTD(1)),
    latency_counts Array(UInt64) CODEC(ZSTD(1)),
    ttft_bins Array(Int16) CODEC(ZSTD(1)),
    ttft_counts Array(UInt64) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window_start)
PRIMARY KEY (window_start, window_seconds, tenant, feature)
ORDER BY (
    window_start, window_seconds, tenant, feature, environment, provider, model, prompt_sha, variant,
    source, source_partition, segment
);

-- Quantile q of a DDSketch with 1% relative accuracy (see CostPartRow): the representative of the bin that holds the
-- value of rank floor(q * (n - 1)), NULL without values. Bins must be sorted, as sumMap leaves them: to merge windows, call
-- it on sumMap(latency_bins, latency_counts). The view below holds its text, not its name, so the view outlives it.
CREATE FUNCTION IF NOT EXISTS mirante_quantile AS (bins, counts, q) -> if(
    arraySum(counts) = 0,
    NULL,
    if(
        bins[arrayFirstIndex(c -> c > floor(q * (arraySum(counts) - 1)), arrayCumSum(counts))] = -32768,
        0.,
        2 * pow(1.01 / 0.99, bins[arrayFirstIndex(c -> c > floor(q * (arraySum(counts) - 1)), arrayCumSum(counts))])
            / (1.01 / 0.99 + 1)
    )
);

CREATE VIEW IF NOT EXISTS mirante.cost_windows AS
SELECT
    window_start,
    window_seconds,
    window_start + toIntervalSecond(window_seconds) AS window_end,
    tenant,
    feature,
    environment,
    provider,
    model,
    prompt_sha,
    variant,
    sum(p.requests) AS requests,
    sum(p.ok) AS ok,
    sum(p.refusal) AS refusal,
    sum(p.content_filter) AS content_filter,
    sum(p.truncated) AS truncated,
    sum(p.api_error) AS api_error,
    sum(p.timeout) AS timeout,
    sum(p.cancelled) AS cancelled,
    sum(p.blocked) AS blocked,
    sum(p.unanswered) AS unanswered,
    sum(p.input_tokens) AS input_tokens,
    sum(p.output_tokens) AS output_tokens,
    sum(p.cache_read_tokens) AS cache_read_tokens,
    sum(p.cache_write_tokens) AS cache_write_tokens,
    sum(p.reasoning_tokens) AS reasoning_tokens,
    sum(p.cost_usd) AS cost_usd,
    sum(p.unpriced_requests) AS unpriced_requests,
    mirante_quantile(latency_bins, latency_counts, 0.5) AS latency_p50_ms,
    mirante_quantile(latency_bins, latency_counts, 0.95) AS latency_p95_ms,
    mirante_quantile(latency_bins, latency_counts, 0.99) AS latency_p99_ms,
    mirante_quantile(ttft_bins, ttft_counts, 0.5) AS ttft_p50_ms,
    mirante_quantile(ttft_bins, ttft_counts, 0.99) AS ttft_p99_ms,
    sumMap(p.latency_bins, p.latency_counts).1 AS latency_bins,
    sumMap(p.latency_bins, p.latency_counts).2 AS latency_counts,
    sumMap(p.ttft_bins, p.ttft_counts).1 AS ttft_bins,
    sumMap(p.ttft_bins, p.ttft_counts).2 AS ttft_counts
FROM mirante.cost_parts AS p FINAL
GROUP BY window_start, window_seconds, tenant, feature, environment, provider, model, prompt_sha, variant
-- A request first counted under one model and answered by another has left a part of zeros behind.
HAVING requests > 0;
