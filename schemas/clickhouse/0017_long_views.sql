-- Hours and days as `cost_windows` has them, read from where they lie alone: a month of cost_windows is read with all of its windows of ten
-- seconds and a minute.

CREATE OR REPLACE VIEW mirante.cost_windows_long AS
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
    toUInt64(sum(p.requests)) AS requests,
    sum(p.ok) AS ok,
    sum(p.refusal) AS refusal,
    sum(p.content_filter) AS content_filter,
    sum(p.truncated) AS truncated,
    sum(p.api_error) AS api_error,
    sum(p.timeout) AS timeout,
    sum(p.cancelled) AS cancelled,
    sum(p.blocked) AS blocked,
    toUInt64(sum(p.unanswered)) AS unanswered,
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
FROM mirante.cost_parts_long AS p FINAL
GROUP BY window_start, window_seconds, tenant, feature, environment, provider, model, prompt_sha, variant
HAVING requests > 0;
