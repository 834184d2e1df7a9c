-- The whole usage of a call, where it was served, and what of it nobody understood. The views name the columns they had when
-- they were made, so they are made anew.

ALTER TABLE mirante.interactions_data
    -- Parts of the counts before them: of what was read from and written to a cache, of input and output.
    ADD COLUMN IF NOT EXISTS cache_read_audio_tokens Nullable(UInt64) CODEC(ZSTD(1)) AFTER reasoning_tokens,
    ADD COLUMN IF NOT EXISTS cache_read_image_tokens Nullable(UInt64) CODEC(ZSTD(1)) AFTER cache_read_audio_tokens,
    ADD COLUMN IF NOT EXISTS cache_write_1h_tokens Nullable(UInt64) CODEC(ZSTD(1)) AFTER cache_read_image_tokens,
    ADD COLUMN IF NOT EXISTS input_audio_tokens Nullable(UInt64) CODEC(ZSTD(1)) AFTER cache_write_1h_tokens,
    ADD COLUMN IF NOT EXISTS output_audio_tokens Nullable(UInt64) CODEC(ZSTD(1)) AFTER input_audio_tokens,
    ADD COLUMN IF NOT EXISTS input_image_tokens Nullable(UInt64) CODEC(ZSTD(1)) AFTER output_audio_tokens,
    ADD COLUMN IF NOT EXISTS output_image_tokens Nullable(UInt64) CODEC(ZSTD(1)) AFTER input_image_tokens,
    -- What is charged by the piece: {'web_search': 5}.
    ADD COLUMN IF NOT EXISTS usage_requests Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)) AFTER output_image_tokens,
    -- Fields of usage that no count holds or that contradict each other: why cost_source is 'partial'.
    ADD COLUMN IF NOT EXISTS usage_unknown Array(LowCardinality(String)) CODEC(ZSTD(1)) AFTER usage_requests,
    -- As served; empty where the response does not say.
    ADD COLUMN IF NOT EXISTS service_tier LowCardinality(String) DEFAULT '' AFTER usage_unknown,
    ADD COLUMN IF NOT EXISTS region LowCardinality(String) DEFAULT '' AFTER service_tier;

-- Calls whose cost is a lower bound (cost_source 'partial').
ALTER TABLE mirante.cost_parts
    ADD COLUMN IF NOT EXISTS partial_requests UInt64 DEFAULT 0 AFTER unpriced_requests;

CREATE OR REPLACE VIEW mirante.interactions AS
SELECT * EXCEPT (version)
FROM mirante.interactions_data FINAL;

CREATE OR REPLACE VIEW mirante.cost_windows AS
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
    sum(p.partial_requests) AS partial_requests,
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
