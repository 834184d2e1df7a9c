"""A month of what the dashboard reads, made by the engine itself, in the shapes that a worker writes.

Interactions of twenty tenants (the first ones much larger than the last), twelve features with two models each, prompts that change by the
week, users of whom few call often, and texts of some hundred words that are as unevenly common as in a language. Sums by window come from
the interactions as stage 1 makes them: 10 s, a minute, an hour and a day, by source partition and segment. Beside them labels, drift tests,
alerts, feedback, dead letters, switches and questions.

One day is made from numbers and added up; the others are copies of it (INSERT ... SELECT) with ids, times,
prompt versions and ends of answers of their own. The last day is cut off and added up by itself. Ten million
rows take the engine seven minutes of processor time, and about as much again to merge.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deploy.dashboard.windows import WINDOWS
from schemas.sketch import LOG_GAMMA

DAY = 86_400
PARTITIONS, SEGMENT = 4, 16_384

_COMMON_WORDS = (
    "the of to and a in is that it for you we was on are with please order invoice customer "
    "account payment delivery total month help not can my your would have from this what why "
    "how do de que o para com uma pedido fatura cliente conta pagamento entrega prazo valor "
    "boleto ajuda obrigado qual quando porque minha seu nota fiscal frete troca estorno"
)
_SYLLABLES = "ba ce di fo gu la me ni ro su ta ve xi po ju ra se mi to ca lu den tor mar"
_WORDS = f"""arrayConcat(splitByChar(' ', '{_COMMON_WORDS}'),
    arrayMap(i -> concat(syllables[1 + i % 24], syllables[1 + intDiv(i, 24) % 24], syllables[1 + (i * 7 + intDiv(i, 576)) % 24]),
    range(8000)))"""

_INTERACTIONS = """
INSERT INTO mirante.interactions_data (time, request_id, version, outcome, response_id, session_id, tenant, feature, environment, trace_id,
  span_id, user_id, provider, model_requested, model, prompt_name, prompt_sha, response_time, status, finish_reason, input_tokens,
  output_tokens, cache_read_tokens, cost_usd, cost_source, latency_ms, ttft_ms, json_valid, pii, injection, messages, output)
WITH
  splitByChar(' ', '{syllables}') AS syllables, {words} AS words,
  (n, seed) -> (sipHash64(n, seed) % 1000000) / 1000000 AS dice,
  toUInt8(20 * pow(dice(intDiv(number, 5), 1), 2)) AS whose,
  toUInt8(12 * pow(dice(intDiv(number, 5), 2), 1.5)) AS which,
  (which * 2 + (sipHash64(intDiv(number, 5), 3) % 4 = 0)) % 5 AS served,
  toUInt64(300 * exp(1.2 * (dice(number, 4) + dice(number, 5) + dice(number, 6)))) AS latency,
  multiIf(number % 67 = 0, 'refusal',
    number % 97 = 0, 'api_error', number % 193 = 0, 'timeout', number % 211 = 0, 'truncated', 'ok') AS ended,
  toUInt64(200 * exp(2 * dice(number, 7))) AS read, toUInt64(20 * exp(3 * dice(number, 8))) AS written,
  (n, seed, many) -> arrayStringConcat(
    arrayMap(i -> words[1 + toUInt32(length(words) * pow(dice(n * 4096 + i, seed), 4))], range(many)), ' ') AS prose
SELECT fromUnixTimestamp64Milli(toInt64({start_ms} + least(number * {step} + sipHash64(number) % 1000, {day_ms} - 1)), 'UTC') AS at,
  concat('req-', lower(hex(sipHash64(number)))), 2, ended, concat('resp-', toString(number)), concat('s-', toString(intDiv(number, 5))),
  concat('tenant-', toString(whose)), concat('feature-', toString(which)), 'production', concat('t-', toString(intDiv(number, 2))),
  toString(number), concat('u-', toString(toUInt32(50000 * pow(dice(intDiv(number, 5), 9), 3)))),
  ['openai', 'openai', 'anthropic', 'google', 'openai'][served + 1],
  ['gpt-4o-mini', 'gpt-4.1', 'claude-sonnet-4-5', 'gemini-2.5-flash', 'in-house-7b'][served + 1] AS name, name,
  concat('prompt-', toString(which)), lower(hex(sipHash64(which, 0))),
  at + toIntervalMillisecond(latency), if(ended IN ('api_error', 'timeout'), 'error', 'ok'), if(ended = 'truncated', 'length', 'stop'),
  if(ended = 'timeout', NULL, read), if(ended = 'timeout', NULL, written), 0,
  if(served = 4 OR ended = 'timeout', NULL, toDecimal128((read * 15 + written * 60) / 100000000, 12)),
  if(served = 4, 'unknown', 'computed'), if(ended = 'timeout', NULL, latency), if(ended = 'timeout', NULL, latency / 4),
  if(which % 3 = 0, number % 41 != 0, NULL), if(number % 53 = 0, '[{{"kind":"email","where":"messages","count":1}}]', '[]'),
  if(number % 1009 = 0, '[{{"where":"user","probability":0.93}}]', '[]'),
  concat('[{{"role":"user","content":"', prose(number, 10, 15 + sipHash64(number, 12) % 50), '"}}]'),
  concat(prose(number, 13, 20 + sipHash64(number, 14) % 100), ' ', hex(sipHash64(number, 15)))
FROM numbers({count})
"""

_COPIED = """
INSERT INTO mirante.interactions_data
WITH toUInt64(substring(response_id, 6)) + {day} * {count} AS n
SELECT * REPLACE (time + toIntervalDay({day}) AS time, concat('req-', lower(hex(sipHash64(n)))) AS request_id,
  concat('resp-', toString(n)) AS response_id, concat('s-', toString(intDiv(n, 5))) AS session_id,
  concat('t-', toString(intDiv(n, 2))) AS trace_id, toString(n) AS span_id, response_time + toIntervalDay({day}) AS response_time,
  lower(hex(sipHash64(toUInt8(substring(feature, 9)), intDiv({day}, 7)))) AS prompt_sha,
  concat(substring(output, 1, length(output) - 16), hex(sipHash64(n, 15))) AS output)
FROM (SELECT * FROM mirante.interactions_data
  WHERE time >= fromUnixTimestamp64Milli(toInt64({start_ms})) AND time < fromUnixTimestamp64Milli(toInt64({start_ms} + {until_day_ms})))
"""

_WINDOWS = """
INSERT INTO mirante.cost_parts (window_start, window_seconds, tenant, feature, environment, provider, model, prompt_sha, source,
  source_partition, segment, version, requests, ok, refusal, truncated, api_error, timeout, input_tokens, output_tokens, cost_usd,
  unpriced_requests, latency_bins, latency_counts, ttft_bins, ttft_counts)
WITH value -> toInt16(ceil(log(value) / {log_gamma})) AS bin
SELECT toDateTime(intDiv(toUnixTimestamp(time), {seconds}) * {seconds}, 'UTC') AS window_start, {seconds}, tenant, feature, environment,
  provider, model, prompt_sha, 'kafka', toInt32(sipHash64(session_id) % {partitions}) AS part,
  intDiv(toUnixTimestamp64Milli(time) - {start_ms}, {step} * {partitions} * {segment}) AS segment, 2 * count(), count(),
  countIf(outcome = 'ok'), countIf(outcome = 'refusal'), countIf(outcome = 'truncated'), countIf(outcome = 'api_error'),
  countIf(outcome = 'timeout'), sum(input_tokens), sum(output_tokens), sum(coalesce(cost_usd, 0)), countIf(cost_usd IS NULL),
  (sumMapIf([bin(assumeNotNull(latency_ms))], [toUInt64(1)], latency_ms IS NOT NULL) AS latencies).1, latencies.2,
  (sumMapIf([bin(assumeNotNull(ttft_ms))], [toUInt64(1)], ttft_ms IS NOT NULL) AS firsts).1, firsts.2
FROM mirante.interactions_data
WHERE time >= fromUnixTimestamp64Milli(toInt64({from_ms})) AND time < fromUnixTimestamp64Milli(toInt64({until_ms}))
GROUP BY window_start, tenant, feature, environment, provider, model, prompt_sha, part, segment
"""

_COPIED_WINDOWS = """
INSERT INTO mirante.cost_parts
SELECT * REPLACE (window_start + toIntervalDay({day}) AS window_start,
  lower(hex(sipHash64(toUInt8(substring(feature, 9)), intDiv({day}, 7)))) AS prompt_sha)
FROM (SELECT * FROM mirante.cost_parts
  WHERE window_start >= toDateTime({start_ms} / 1000) AND window_start < toDateTime({start_ms} / 1000 + 86400))
"""

_LABELS = """
INSERT INTO mirante.labels_data (time, label_id, response_id, version, label, score, request_id, session_id, tenant, feature, model,
  explicit, signals, final)
SELECT time, concat('label-', response_id), response_id, 3, multiIf(score > 0.6, 'positive', score < 0.4, 'negative', 'neutral'),
  sqrt((sipHash64(response_id) % 1000) / 1000) AS score, request_id, session_id, tenant, feature, model,
  sipHash64(response_id) % 11 = 0, '["repeat"]', true
FROM mirante.interactions_data
WHERE time >= fromUnixTimestamp64Milli(toInt64({from_ms})) AND time < fromUnixTimestamp64Milli(toInt64({until_ms}))
  AND outcome = 'ok' AND sipHash64(session_id) % 2 = 0
"""

_FEEDBACK = """
INSERT INTO mirante.feedback_data (time, event_id, kind, tenant, session_id, response_id)
SELECT time + toIntervalSecond(20), concat('f-', response_id), 'thumbs_down', tenant, session_id, response_id
FROM mirante.interactions_data
WHERE time >= fromUnixTimestamp64Milli(toInt64({from_ms})) AND time < fromUnixTimestamp64Milli(toInt64({until_ms}))
  AND sipHash64(response_id) % 20 = 0
"""

_DRIFT = """
INSERT INTO mirante.drift_data (time, feature, model, metric, detector, window_n, reference_version, statistic, p_value, drifted,
  reference_n, current_n, cause, detail)
WITH number % 24 AS series, intDiv(number, 24) % 8 AS metric, intDiv(number, 192) % 3 AS size, intDiv(number, 576) AS turn
SELECT fromUnixTimestamp64Milli(toInt64({start_ms} + turn * 600000), 'UTC') AS at, concat('feature-', toString(intDiv(series, 2))),
  ['gpt-4o-mini', 'claude-sonnet-4-5'][series % 2 + 1],
  ['style', 'words', 'length', 'refusal', 'error', 'invalid', 'question', 'quality'][metric + 1], 'mmd', [50, 100, 200][size + 1], 1, 0.1,
  (sipHash64(number) % 1000) / 1000, turn % 1500 = 1499 AND series = 3, 400, 200, 'silent_provider_change',
  '{{"change_point": "2026-11-01T00:00:00Z", "terms": ["certainly", "delve"]}}'
FROM numbers({tests})
"""

_ALERTS = """
INSERT INTO mirante.alerts_data (alert_id, version, fingerprint, name, severity, status, starts_at, updated_at, ends_at, labels,
  annotations, value, expected, threshold, evidence, generator)
WITH intDiv(number, 3) AS life, number % 3 AS state
SELECT concat('al-', toString(life)), state + 1, toString(life % 200),
  ['RefusalRate', 'ErrorRate', 'CostSpike', 'LatencyHigh', 'BudgetBurn'][life % 5 + 1], ['info', 'ticket', 'page'][life % 3 + 1],
  if(state = 2 AND life % 300 != 299, 'resolved', 'firing') AS is,
  fromUnixTimestamp64Milli(toInt64({start_ms} + (life + 1) * {days} * 86400000 / 3000), 'UTC') AS begun,
  begun + toIntervalMinute(state * 4), if(is = 'resolved', begun + toIntervalMinute(8), NULL),
  map('tenant', concat('tenant-', toString(life % 20)), 'feature', concat('feature-', toString(life % 12))),
  map('summary', 'Refusals of feature-3 at 9% (usual 1.5%)', 'impact', '120 calls', 'action', 'Open the calls.'), 0.09, 0.015, 0.05,
  concat('{{"response_ids":["resp-', toString(sipHash64(life) % {rows}), '"]}}'), 'anomaly'
FROM numbers(9000)
"""

_OTHERS = (
    """INSERT INTO mirante.deadletter_data (source, topic, partition, offset, time, stage, reason, value)
    SELECT 'kafka', ['llm.requests', 'llm.responses'][number % 2 + 1], number % 4, number,
      fromUnixTimestamp64Milli(toInt64({start_ms} + number * {days} * 1728), 'UTC'), 'interactions',
      concat('not an event: field ', toString(number % 20)), '{{"event_id":' FROM numbers(50000)""",
    """INSERT INTO mirante.controls_data (cluster, topic, partition, offset, status, time, scope, action, reason, author)
    SELECT 'kafka', 'llm.controls', number % 4, number, 'applied',
      fromUnixTimestamp64Milli(toInt64({start_ms} + number * {days} * 172800), 'UTC'), concat('feature:feature-', toString(number % 12)),
      if(number % 2 = 0, 'throttle', 'restore'), 'a drill', 'dashboard' FROM numbers(500)""",
    """INSERT INTO mirante.prompt_files_data (repository, path, name, commit_sha, blob_sha, committed_at, latest, version)
    SELECT 'prompts', concat('prompts/', toString(number % 12), '.md'), concat('prompt-', toString(number % 12)), hex(number),
      lower(hex(sipHash64(number % 12, intDiv(number, 12)))),
      fromUnixTimestamp64Milli(toInt64({start_ms} + number * {days} * 1440000), 'UTC'), number >= 48, 1 FROM numbers(60)""",
    """INSERT INTO mirante.cache_candidates_data (tenant, feature, group_id, version, question, requests, users, cost_usd, answers,
      first_seen, last_seen, response_ids)
    SELECT concat('tenant-', toString(number % 20)), concat('feature-', toString(number % 12)), hex(number), 1,
      concat('How do I change my invoice address, number ', toString(number), '?'), 2 + number % 90, 2, 0.01, 2,
      fromUnixTimestamp64Milli(toInt64({start_ms}), 'UTC'), fromUnixTimestamp64Milli(toInt64({start_ms} + 60000), 'UTC'), ['resp-1']
      FROM numbers(20000)""",
    """INSERT INTO mirante.shadow_verdicts_data (tenant, feature, variant, model, live_model, metric, version, time, pairs, difference,
      low, high, verdict)
    SELECT 'tenant-0', concat('feature-', toString(number % 12)), 'shadow', 'gpt-4.1', 'gpt-4o-mini',
      ['cost', 'latency', 'score', 'length'][intDiv(number, 12) + 1], 1, fromUnixTimestamp64Milli(toInt64({start_ms}), 'UTC'), 400, 0.1,
      0.05, 0.15, 'better' FROM numbers(48)""",
)


_MERGED_LATER = ("interactions_data", "ids", "cost_parts", "cost_parts_long", "labels_data")
_SMALLEST, _LARGEST = "max_bytes_to_merge_at_min_space_in_pool", "max_bytes_to_merge_at_max_space_in_pool"


@dataclass(frozen=True)
class Shape:
    """About ``rows`` interactions of so many ``days`` (UTC), of which the last one ends at ``until`` (epoch seconds)."""

    rows: int
    days: int
    until: int

    @property
    def start_ms(self) -> int:
        """Midnight: no window begins before a day's interactions and ends after them."""
        return (self.until // DAY - self.days + 1) * DAY * 1000

    @property
    def per_day(self) -> int:
        """Interactions of a whole day: sessions of five and traces of two end with it."""
        days = self.days - 1 + self.until % DAY / DAY
        return max(10, round(self.rows / days / 10) * 10)


def fill(client: Any, shape: Shape, say: Callable[[str], None]) -> None:
    """Fill the tables of an empty database, day by day."""
    begun = time.monotonic()
    step = max(1, DAY * 1000 // shape.per_day)
    common = {"start_ms": shape.start_ms, "step": step, "rows": shape.rows, "days": shape.days, "count": shape.per_day}
    sizes = {"partitions": PARTITIONS, "segment": SEGMENT, "log_gamma": LOG_GAMMA}
    # One merge of all days instead of many on the way.
    for table in _MERGED_LATER:
        client.command(f"ALTER TABLE mirante.{table} MODIFY SETTING {_SMALLEST} = 1, {_LARGEST} = 1")
    client.command(_INTERACTIONS.format(**common, syllables=_SYLLABLES, words=_WORDS, day_ms=DAY * 1000))
    for day in range(shape.days):
        last = day == shape.days - 1
        midnight = shape.start_ms + day * DAY * 1000
        span = {"from_ms": midnight, "until_ms": midnight + DAY * 1000}
        until_day_ms = shape.until % DAY * 1000 if last else DAY * 1000
        if day:
            client.command(_COPIED.format(**common, day=day, until_day_ms=until_day_ms))
        if day == 0 or last:
            for seconds in WINDOWS:
                client.command(_WINDOWS.format(**common, **span, **sizes, seconds=seconds))
        else:
            client.command(_COPIED_WINDOWS.format(**common, day=day))
        for statement in (_LABELS, _FEEDBACK):
            client.command(statement.format(**common, **span))
        say(f"day {day + 1} of {shape.days} made in {time.monotonic() - begun:.0f} s")
    client.command(_DRIFT.format(**common, tests=576 * 144 * shape.days))
    client.command(_ALERTS.format(**common))
    for statement in _OTHERS:
        client.command(statement.format(**common))
    for table in _MERGED_LATER:
        client.command(f"ALTER TABLE mirante.{table} RESET SETTING {_SMALLEST}, {_LARGEST}")
