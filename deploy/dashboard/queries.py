"""The queries of the dashboard, by name. The browser names one and gives typed parameters; it sends no SQL.

Values reach ClickHouse as query parameters (``{name:Type}``), never as text of a statement. What a
statement itself depends on (the length of windows, the dimension to group by) is chosen here from
fixed fragments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.dashboard.params import SERIES, SPAN, Choice, Param, Text, Whole
from deploy.dashboard.windows import COVERED, COVERED_LONG, LONG, cover, step_of, window_of
from deploy.dashboard.wording import LANGUAGES

Values = Mapping[str, str | int]

DIMENSIONS = (
    "feature", "model", "tenant", "provider", "environment", "prompt_sha", "variant",
)  # fmt: skip

LOOKED_AT = 1_000
"""Rows among which are those that are shown, repeats of them included."""
CHANGING = ("outcome", "model", "provider")
"""What an answer may change: a row that had it may have been superseded by one that has not."""

OUTCOMES = (
    "ok", "refusal", "content_filter", "truncated", "api_error", "timeout", "cancelled", "blocked",
    "unanswered",
)  # fmt: skip

_SERIES = " AND ".join(
    f"({{{name}:String}} = '' OR {name} = {{{name}:String}})"
    for name in ("tenant", "feature", "model", "provider")
)
_SPAN = "{column} >= toDateTime({{since:UInt32}}) AND {column} < toDateTime({{until:UInt32}})"
_WINDOWS = f"window_seconds = {{window:UInt32}} AND {_SPAN.format(column='window_start')}"
_TIMES = _SPAN.format(column="time")
# The parts themselves: cost_windows would sum them by series first, and then all is summed once more.
_CURVE = f"<parts> AS w FINAL<bins> WHERE {_WINDOWS} AND {_SERIES}"
_PERIOD = (
    f"(SELECT * FROM mirante.cost_parts FINAL WHERE {COVERED} AND {_SERIES} UNION ALL"
    f" SELECT * FROM mirante.cost_parts_long FINAL WHERE {COVERED_LONG} AND {_SERIES}) AS w<bins>"
)
_SUMS = f"""sum(w.requests) AS requests, {", ".join(f"sum(w.{name}) AS {name}" for name in OUTCOMES)},
    toFloat64(sum(w.cost_usd)) AS cost_usd, sum(w.unpriced_requests) AS unpriced,
    sum(w.input_tokens) AS input_tokens, sum(w.output_tokens) AS output_tokens,
    sum(w.cache_read_tokens) AS cache_read_tokens"""
_OTHER = 100_000
"""Added to the bins of times to first token, to tell them from those of latencies."""
_BINS = (
    f" ARRAY JOIN arrayConcat(w.latency_bins, arrayMap(b -> b + {_OTHER}, w.ttft_bins)) AS bin,"
    " arrayConcat(w.latency_counts, w.ttft_counts) AS n"
)
_QUANTILES = ", ".join(
    f"mirante_quantile(tails.{name}.1, tails.{name}.2, {q}) AS {name}_p{q * 100:.0f}_ms"
    for name in ("latency", "ttft")
    for q in (0.5, 0.99)
)


def _measured(key: str, parts: str, sums: str = _SUMS) -> str:
    """Sums and quantiles by ``key``, an expression with its name as in ``feature AS value``.

    Bins are added up one by one: ``sumMap`` takes ten times as long over a month.
    """
    name = key.rpartition(" ")[2]
    return (
        f"SELECT sums.*, {_QUANTILES} FROM"
        f" (SELECT {key}, {sums} FROM {parts.replace('<bins>', '')} GROUP BY {name} HAVING requests > 0) AS sums"
        f" LEFT JOIN (SELECT {name}, arraySort(groupArrayIf((bin, total), bin < {_OTHER // 2})) AS latency,"
        f" arraySort(groupArrayIf((bin - {_OTHER}, total), bin >= {_OTHER // 2})) AS ttft FROM"
        f" (SELECT {key}, bin, sum(n) AS total FROM {parts.replace('<bins>', _BINS)} GROUP BY {name}, bin)"
        f" GROUP BY {name}) AS tails USING ({name})"
    )


def _with_whole(key: str, parts: str) -> str:
    """`_measured` by ``key``, and of all together in a row of its own, ``whole`` = 1: bins are read once for both."""
    bins = (
        f"SELECT {key}, bin, sum(n) AS total FROM {parts.replace('<bins>', _BINS)} GROUP BY value, bin"
    )
    return (
        f"SELECT sums.*, {_QUANTILES} FROM"
        f" (SELECT {key}, {_WHOLE}, {_SUMS} FROM {parts.replace('<bins>', '')}"
        " GROUP BY GROUPING SETS ((value), ()) HAVING requests > 0) AS sums"
        " LEFT JOIN (SELECT value, whole, arraySort(groupArrayIf((bin, total), bin < <half>)) AS latency,"
        " arraySort(groupArrayIf((bin - <other>, total), bin >= <half>)) AS ttft FROM"
        f" (SELECT value, {_WHOLE}, bin, sum(total) AS total FROM ({bins})"
        " GROUP BY GROUPING SETS ((value, bin), (bin))) GROUP BY value, whole) AS tails USING (value, whole)"
    ).replace("<half>", str(_OTHER // 2)).replace("<other>", str(_OTHER))


_WHOLE = "grouping(value) AS whole"
_T = "toUnixTimestamp(toStartOfInterval(window_start, toIntervalSecond({step:UInt32}))) AS t"


@dataclass(frozen=True)
class Query:
    """``sql`` may hold ``{window:UInt32}`` and ``{step:UInt32}`` (chosen by the period asked for),
    ``<parts>`` (the table with these windows), tests of `windows.py`, ``<dimension>`` (one of
    DIMENSIONS, the parameter ``by``) and ``<first>`` (those that come first, where they suffice)."""

    sql: str
    params: tuple[Param, ...] = ()
    table: str = "cost_windows"
    """What must be there; an older database may not have it."""
    kept: float | None = None
    """Seconds for which its answer is kept; None: as `source.kept_for` has it."""

    def statement(self, values: Values) -> str:
        """The statement for these values."""
        sql = self.sql.replace("<dimension>", str(values.get("by", DIMENSIONS[0])))
        changing = values.get("order") == "newest" and any(map(values.get, CHANGING))
        sql = sql.replace("<first>", "" if changing else f" ORDER BY {_ORDER} LIMIT {LOOKED_AT}")
        if "<parts>" not in sql:
            return sql
        long = window_of(_step(values)) >= LONG
        return sql.replace("<parts>", "mirante.cost_parts_long" if long else "mirante.cost_parts")

    def bound(self, values: Values) -> dict[str, str | int]:
        """Parameters of the statement."""
        found = {name: value for name, value in values.items() if name != "by"}
        if "{step:" in self.sql:
            found["step"] = _step(values)
        if "{window:" in self.sql:
            found["window"] = window_of(_step(values))
        if "{hours_from:" in self.sql:
            found |= cover(int(values["since"]), int(values["until"]))
        return found


def _step(values: Values) -> int:
    return step_of(int(values["until"]) - int(values["since"]))


_CALL = (
    "toUnixTimestamp64Milli(time) AS ms, request_id, response_id, session_id, trace_id, tenant,"
    " feature, environment, provider, model, prompt_name, prompt_sha, variant, operation, outcome,"
    " toFloat64(cost_usd) AS cost_usd, cost_source, input_tokens, output_tokens, latency_ms, ttft_ms,"
    " user_id, json_valid, pii != '[]' AS has_pii, injection != '[]' AS has_attack"
)

_CALLS = (
    f"{_TIMES} AND {_SERIES} AND ({{outcome:String}} = '' OR outcome = {{outcome:String}})"
    " AND ({user:String} = '' OR user_id = {user:String})"
    " AND ({prompt_sha:String} = '' OR prompt_sha = {prompt_sha:String})"
    " AND ({flag:String} != 'invalid' OR json_valid = false)"
    " AND ({flag:String} != 'attack' OR injection != '[]')"
    " AND ({flag:String} != 'personal' OR pii != '[]')"
    " AND ({flag:String} != 'unpriced' OR (cost_source IN ('unknown', 'partial')"
    " AND (input_tokens IS NOT NULL OR output_tokens IS NOT NULL)))"
    " AND ({text:String} = '' OR positionCaseInsensitiveUTF8(output, {text:String}) > 0"
    " OR positionCaseInsensitiveUTF8(messages, {text:String}) > 0)"
)
_ORDER = (
    "if({order:String} = 'newest', toUnixTimestamp64Milli(time), 0) DESC,"
    " if({order:String} = 'dearest', cost_usd, 0) DESC NULLS LAST,"
    " if({order:String} = 'slowest', latency_ms, 0) DESC NULLS LAST"
)

_ALERT = (
    "alert_id, fingerprint, name, severity, status, toUnixTimestamp64Milli(starts_at) AS starts,"
    " toUnixTimestamp64Milli(updated_at) AS updated,"
    " if(isNull(ends_at), NULL, toUnixTimestamp64Milli(assumeNotNull(ends_at))) AS ends,"
    " labels, annotations, value, expected, threshold, evidence, generator"
)

QUERIES: Mapping[str, Query] = {
    # What there is at all: without it a page says how to get data, or where the data are.
    "bounds": Query(
        "WITH (SELECT min(window_start) FROM mirante.cost_parts) AS day"
        " SELECT count() > 0 AS any, toUnixTimestamp(min(window_start)) AS first,"
        " (SELECT toUnixTimestamp(max(window_start)) + 10 FROM mirante.cost_parts) AS last"
        " FROM mirante.cost_parts WHERE window_seconds = 10 AND window_start < day + 86400",
        kept=5,
    ),
    "filters": Query(
        "SELECT groupUniqArray(200)(tenant) AS tenants, groupUniqArray(500)(feature) AS features,"
        " groupUniqArray(500)(model) AS models, groupUniqArray(100)(provider) AS providers"
        " FROM mirante.cost_parts_long WHERE window_seconds = 86400",
        kept=30,
    ),
    "totals": Query(_measured("'' AS value", _PERIOD), (*SPAN, *SERIES)),
    "curve": Query(f"{_measured(_T, _CURVE)} ORDER BY t", (*SPAN, *SERIES)),
    "curve_by": Query(
        f"SELECT {_T}, <dimension> AS value, toFloat64(sum(w.cost_usd)) AS cost_usd,"
        f" sum(w.requests) AS requests FROM {_CURVE.replace('<bins>', '')}"
        " GROUP BY t, value HAVING requests > 0 ORDER BY t, cost_usd DESC LIMIT 12 BY t",
        (*SPAN, *SERIES, Choice("by", DIMENSIONS)),
    ),
    # The first row is of all together.
    "breakdown": Query(
        f"{_with_whole('<dimension> AS value', _PERIOD)}"
        " ORDER BY whole DESC, cost_usd DESC, requests DESC LIMIT 201",
        (*SPAN, *SERIES, Choice("by", DIMENSIONS)),
    ),
    # The same of another period to compare with, without quantiles: those are what takes long.
    "spent": Query(
        f"SELECT <dimension> AS value, {_WHOLE}, toFloat64(sum(w.cost_usd)) AS cost_usd,"
        f" sum(w.requests) AS requests FROM {_PERIOD.replace('<bins>', '')}"
        " GROUP BY GROUPING SETS ((value), ()) HAVING requests > 0"
        " ORDER BY whole DESC, cost_usd DESC, requests DESC LIMIT 1001",
        (*SPAN, *SERIES, Choice("by", DIMENSIONS)),
    ),
    "users": Query(
        "SELECT user_id AS value, count() AS requests, toFloat64(sum(cost_usd)) AS usd,"
        " countIf(outcome != 'ok') AS failed, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens"
        f" FROM mirante.calls_data FINAL WHERE {_TIMES} AND {_SERIES} AND user_id != ''"
        " GROUP BY value ORDER BY usd DESC, requests DESC LIMIT 100",
        (*SPAN, *SERIES),
        "calls_data",
    ),
    # How long each series has been watched: what still learns follows from it.
    "series": Query(
        "SELECT feature, model, toUnixTimestamp(min(window_start)) AS first,"
        " toUnixTimestamp(max(window_start)) AS last, sum(w.requests) AS requests"
        " FROM mirante.cost_parts AS w FINAL WHERE window_seconds = 60"
        " AND window_start >= toDateTime({until:UInt32}) - toIntervalHour(13)"
        " AND window_start < toDateTime({until:UInt32})"
        " GROUP BY feature, model HAVING requests > 0 ORDER BY requests DESC LIMIT 200",
        SPAN[1:],
    ),
    "alerts": Query(
        f"SELECT {_ALERT} FROM mirante.alerts WHERE (status = 'firing' OR ({_SPAN.format(column='starts_at')}))"
        " AND ({status:String} = 'all' OR status = {status:String})"
        " AND ({name:String} = '' OR name = {name:String})"
        " AND ({tenant:String} = '' OR labels['tenant'] = {tenant:String})"
        " AND ({feature:String} = '' OR labels['feature'] = {feature:String})"
        " ORDER BY status = 'firing' DESC, indexOf(['info', 'ticket', 'page'], severity) DESC,"
        " starts_at DESC LIMIT 500",
        (
            *SPAN,
            Choice("status", ("all", "firing", "resolved")),
            *(Text(name) for name in ("name", "tenant", "feature")),
            Choice("lang", LANGUAGES),
        ),
        "alerts",
    ),
    "alert_names": Query(
        "SELECT DISTINCT name FROM mirante.alerts_data ORDER BY name LIMIT 200", (), "alerts", kept=30
    ),
    "alert": Query(
        f"SELECT {_ALERT} FROM mirante.alerts_data WHERE alert_id = {{id:String}}"
        " ORDER BY version DESC LIMIT 1 BY version LIMIT 200",
        (Text("id"), Choice("lang", LANGUAGES)),
        "alerts",
    ),
    "alert_siblings": Query(
        "SELECT alert_id, name, severity, status, toUnixTimestamp64Milli(starts_at) AS starts,"
        " if(isNull(ends_at), NULL, toUnixTimestamp64Milli(assumeNotNull(ends_at))) AS ends"
        " FROM mirante.alerts WHERE fingerprint = {fingerprint:String}"
        " ORDER BY starts_at DESC LIMIT 50",
        (Text("fingerprint"),),
        "alerts",
    ),
    # Over time (``over_time`` = 1), and by feature and model: labels are read once for both.
    "satisfaction": Query(
        "SELECT toUnixTimestamp(toStartOfInterval(time, toIntervalSecond({step:UInt32}))) AS t, feature,"
        " model, grouping(feature) AS over_time, count() AS answers, avg(score) AS satisfaction,"
        " countIf(label = 'positive') AS positive, countIf(label = 'negative') AS negative,"
        " countIf(explicit) AS explicit FROM mirante.labels"
        f" WHERE {_TIMES} AND ({{tenant:String}} = '' OR tenant = {{tenant:String}})"
        " AND ({feature:String} = '' OR feature = {feature:String})"
        " AND ({model:String} = '' OR model = {model:String})"
        " GROUP BY GROUPING SETS ((t), (feature, model)) ORDER BY over_time DESC, t, answers DESC LIMIT 500",
        (*SPAN, Text("tenant"), Text("feature"), Text("model")),
        "labels",
    ),
    "label_quality": Query(
        "SELECT tenant, feature, argMax(recent, time) AS recent, argMax(auc, time) AS auc,"
        " argMax(calibration, time) AS calibration, argMax(log_loss, time) AS log_loss,"
        " sum(feedbacks) AS feedbacks FROM mirante.label_quality"
        f" WHERE {_TIMES} AND ({{tenant:String}} = '' OR tenant = {{tenant:String}})"
        " AND ({feature:String} = '' OR feature = {feature:String})"
        " GROUP BY tenant, feature ORDER BY feedbacks DESC LIMIT 200",
        (*SPAN, Text("tenant"), Text("feature")),
        "label_quality",
    ),
    "guards": Query(
        "SELECT feature, count() AS calls, countIf(outcome = 'refusal') AS refusals, countIf(attack) AS attacks,"
        " countIf(json_valid = false) AS invalid, countIf(json_valid IS NOT NULL) AS checked, countIf(personal) AS personal"
        f" FROM mirante.calls_data FINAL WHERE {_TIMES} AND {_SERIES}"
        " GROUP BY feature ORDER BY calls DESC LIMIT 200",
        (*SPAN, *SERIES),
        "calls_data",
    ),
    "drift": Query(
        "SELECT feature, model, cause, reference_version,"
        " toUnixTimestamp64Milli(min(time)) AS seen, toUnixTimestamp64Milli(max(time)) AS last,"
        " groupUniqArray(metric) AS metrics, min(p_value) AS p_value, argMin(detail, time) AS detail,"
        " any(reference_n) AS reference_n, any(current_n) AS current_n"
        f" FROM mirante.drift WHERE drifted AND {_TIMES}"
        " AND ({feature:String} = '' OR feature = {feature:String})"
        " AND ({model:String} = '' OR model = {model:String})"
        " GROUP BY feature, model, cause, reference_version ORDER BY seen DESC LIMIT 100",
        (*SPAN, Text("feature"), Text("model")),
        "drift",
    ),
    "drift_watched": Query(
        "SELECT feature, model, toUnixTimestamp64Milli(max(time)) AS last, count() AS tests,"
        f" countIf(drifted) AS drifted FROM mirante.drift WHERE {_TIMES}"
        " GROUP BY feature, model ORDER BY last DESC LIMIT 200",
        SPAN,
        "drift",
    ),
    "texts": Query(
        "SELECT response_id, request_id, toUnixTimestamp64Milli(time) AS ms,"
        " substringUTF8(messages, 1, 4000) AS messages, substringUTF8(output, 1, 4000) AS output"
        " FROM mirante.interactions WHERE response_id IN splitByChar('\\n', {ids:String})"
        f" AND {_TIMES} LIMIT 20",
        (*SPAN, Text("ids")),
        "interactions",
    ),
    # Looked for without FINAL, which would merge all rows of the period with their texts; those found
    # are read again as they are now. What is superseded has neither cost nor latency.
    "calls": Query(
        f"SELECT {_CALL}, substringUTF8(output, 1, 160) AS preview FROM mirante.interactions_data FINAL"
        " PREWHERE (tenant, feature, time) IN (SELECT tenant, feature, time FROM mirante.interactions_data"
        f" WHERE {_CALLS}<first>)"
        f" WHERE {_CALLS} ORDER BY {_ORDER} LIMIT {{limit:UInt32}}",
        (
            *SPAN,
            *SERIES,
            Text("outcome"),
            Text("user"),
            Text("prompt_sha"),
            Choice("flag", ("any", "invalid", "attack", "personal", "unpriced")),
            Text("text"),
            Choice("order", ("newest", "dearest", "slowest")),
            Whole("limit", 1, 500, 100),
        ),
        "interactions",
    ),
    "prompts": Query(
        "SELECT version.1 AS feature, version.2 AS prompt_sha, * EXCEPT (version) FROM ("
        + _measured(
            "(feature, prompt_sha) AS version",
            f"{_PERIOD} WHERE prompt_sha != ''",
            "toUnixTimestamp(min(window_start)) AS first, toUnixTimestamp(max(window_start)) AS last,"
            " sum(w.requests) AS requests, sum(w.requests) - sum(w.ok) AS failed,"
            " toFloat64(sum(w.cost_usd)) AS cost_usd",
        )
        + ") ORDER BY feature, last DESC LIMIT 300",
        (*SPAN, *SERIES),
    ),
    "prompt_files": Query(
        "SELECT path, name, commit_sha, blob_sha, toUnixTimestamp64Milli(committed_at) AS committed,"
        " latest FROM mirante.prompt_files ORDER BY committed_at DESC LIMIT 500",
        (),
        "prompt_files",
        kept=30,
    ),
    "shadow_verdicts": Query(
        "SELECT tenant, feature, variant, model, live_model, prompt_sha, live_prompt_sha, metric,"
        " pairs, difference, low, high, verdict, toUnixTimestamp64Milli(time) AS ms"
        " FROM mirante.shadow_verdicts_data FINAL ORDER BY feature, model, metric LIMIT 300",
        (),
        "shadow_verdicts_data",
        kept=30,
    ),
    "cache": Query(
        "SELECT tenant, feature, question, requests, users, toFloat64(cost_usd) AS usd, answers_differ,"
        " response_ids FROM mirante.cache_candidates ORDER BY cost_usd DESC LIMIT 50",
        (),
        "cache_candidates",
        kept=30,
    ),
    "controls": Query(
        "SELECT scope, action, limit, reason, source, author, note, status,"
        " toUnixTimestamp64Milli(time) AS ms,"
        " if(isNull(expires_at), NULL, toUnixTimestamp64Milli(assumeNotNull(expires_at))) AS expires"
        " FROM mirante.controls ORDER BY time DESC, offset DESC LIMIT 300",
        (),
        "controls",
    ),
    "dead_letters": Query(
        "SELECT topic, reason, count() AS events, toUnixTimestamp64Milli(max(time)) AS last,"
        " argMax((partition, offset), time) AS newest FROM mirante.deadletter"
        " GROUP BY topic, reason ORDER BY events DESC LIMIT 100",
        (),
        "deadletter",
        kept=5,
    ),
    "unpriced": Query(
        "SELECT provider, model, cost_source, count() AS calls,"
        " sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) AS tokens,"
        " toUnixTimestamp64Milli(min(time)) AS first"
        f" FROM mirante.calls_data FINAL WHERE {_TIMES} AND cost_source IN ('unknown', 'partial')"
        " AND (input_tokens IS NOT NULL OR output_tokens IS NOT NULL)"
        " GROUP BY provider, model, cost_source ORDER BY calls DESC LIMIT 100",
        SPAN,
        "calls_data",
    ),
}
"""Name -> query."""
