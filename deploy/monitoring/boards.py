"""Grafana boards. Panels over ClickHouse use its plugin's macros, those over Prometheus are PromQL.

The JSON is the dashboard model of Grafana 12 (schema version 41), for the data source plugins
``grafana-clickhouse-datasource`` and ``prometheus``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA_VERSION = 41
WIDTH = 24
CLICKHOUSE = {"type": "grafana-clickhouse-datasource", "uid": "mirante-clickhouse"}
PROMETHEUS = {"type": "prometheus", "uid": "mirante-prometheus"}

_SERIES = " AND ".join(
    f"{column} IN (${{{name}:singlequote}})"
    for column, name in (("tenant", "tenant"), ("feature", "feature"), ("model", "model"))
)
_BUCKET = "$__timeInterval(window_start) AS time"


def _parts(curve: bool) -> str:
    """Parts of sums that take each moment of the period once: days and hours that lie in it, minutes at its ends.

    Of a curve only windows that its steps are multiples of. All times in UTC, as windows are.
    """
    begin, end = "toTimeZone($__fromTime, 'UTC')", "toTimeZone($__toTime, 'UTC')"

    def edges(length: int, start_of: str, first: str, last: str) -> tuple[str, str]:
        within = f"{start_of}({first} + {length - 1})", f"{start_of}({last})"
        if not curve:
            return within
        fits = f"$__interval_s % {length} = 0"  # if not, nothing lies between these
        return f"if({fits}, {within[0]}, {end} + 1)", f"if({fits}, {within[1]}, {begin})"

    hours = edges(3_600, "toStartOfHour", begin, end)
    days = edges(86_400, "toStartOfDay", *hours)
    minutes = "window_seconds = 60 AND $__timeFilter(window_start)"
    return (
        f"(SELECT * FROM mirante.cost_parts FINAL WHERE {minutes} AND {_outside(hours)} AND {_SERIES}"
        f" UNION ALL SELECT * FROM mirante.cost_parts_long FINAL WHERE (window_seconds = 3600 AND {_inside(hours)} AND {_outside(days)}"
        f" OR window_seconds = 86400 AND {_inside(hours)} AND {_inside(days)}) AND {_SERIES}) AS w"
    )


def _inside(edges: tuple[str, str]) -> str:
    return f"window_start >= {edges[0]} AND window_start < {edges[1]}"


def _outside(edges: tuple[str, str]) -> str:
    return f"(window_start < {edges[0]} OR window_start >= {edges[1]})"


_PERIOD, _CURVE = f"FROM {_parts(curve=False)}", f"FROM {_parts(curve=True)}"


def _quantiles(of: str, **names: float) -> str:
    """Curves of quantiles. Bins are added up one by one: ``sumMap`` takes many times as long."""
    shown = ", ".join(f"mirante_quantile(tail.1, tail.2, {q}) AS {name}" for name, q in names.items())
    return (
        f"SELECT time, {shown} FROM (SELECT time, arraySort(groupArray((bin, total))) AS tail FROM"
        f" (SELECT {_BUCKET}, bin, sum(n) AS total {_CURVE} ARRAY JOIN w.{of}_bins AS bin, w.{of}_counts AS n"
        " GROUP BY time, bin) GROUP BY time) ORDER BY time"
    )


@dataclass(frozen=True)
class Panel:
    """One panel. ``sql`` or ``promql`` by alias; ``unit`` as Grafana names units; ``width`` of 24."""

    title: str
    kind: Literal["timeseries", "stat", "table", "bargauge"]
    sql: str = ""
    promql: tuple[tuple[str, str], ...] = ()
    unit: str = "short"
    width: int = 12
    height: int = 8
    description: str = ""
    stack: bool = False


@dataclass(frozen=True)
class Board:
    """A board and its panels, laid out in rows in their order."""

    uid: str
    title: str
    panels: tuple[Panel, ...]
    variables: bool = True
    tags: tuple[str, ...] = field(default=("mirante",))


COSTS = Board(
    "mirante-costs",
    "Mirante: costs and latency",
    (
        Panel(
            "Spend",
            "stat",
            f"SELECT toFloat64(sum(w.cost_usd)) AS usd {_PERIOD}",
            unit="currencyUSD",
            width=6,
            height=4,
        ),
        Panel("Requests", "stat", f"SELECT sum(w.requests) AS requests {_PERIOD}", width=6, height=4),
        Panel(
            "Cost per 1,000 tokens in",
            "stat",
            f"SELECT 1000 * toFloat64(sum(w.cost_usd)) / sum(w.input_tokens) AS usd {_PERIOD}",
            unit="currencyUSD",
            width=6,
            height=4,
            description="Whole cost of the calls by their input tokens.",
        ),
        Panel(
            "Cost per 1,000 tokens out",
            "stat",
            f"SELECT 1000 * toFloat64(sum(w.cost_usd)) / sum(w.output_tokens) AS usd {_PERIOD}",
            unit="currencyUSD",
            width=6,
            height=4,
            description="Whole cost of the calls by their output tokens.",
        ),
        Panel(
            "Cost by feature",
            "timeseries",
            f"SELECT {_BUCKET}, feature, toFloat64(sum(w.cost_usd)) AS usd {_CURVE} GROUP BY time, feature ORDER BY time",
            unit="currencyUSD",
            stack=True,
        ),
        Panel(
            "Cost by model",
            "timeseries",
            f"SELECT {_BUCKET}, model, toFloat64(sum(w.cost_usd)) AS usd {_CURVE} GROUP BY time, model ORDER BY time",
            unit="currencyUSD",
            stack=True,
        ),
        Panel(
            "Latency",
            "timeseries",
            _quantiles("latency", p50=0.5, p95=0.95, p99=0.99),
            unit="ms",
        ),
        Panel(
            "Time to first token",
            "timeseries",
            _quantiles("ttft", p50=0.5, p99=0.99),
            unit="ms",
        ),
        Panel(
            "Tokens",
            "timeseries",
            f"SELECT {_BUCKET}, sum(w.input_tokens) AS input, sum(w.output_tokens) AS output, "
            f"sum(w.cache_read_tokens) AS cached {_CURVE} GROUP BY time ORDER BY time",
        ),
        Panel(
            "Who spends",
            "table",
            "SELECT tenant, feature, model, sum(w.requests) AS calls, toFloat64(sum(w.cost_usd)) AS usd, "
            "sum(w.unpriced_requests) AS unpriced, mirante_quantile("
            "sumMap(w.latency_bins, w.latency_counts).1, sumMap(w.latency_bins, w.latency_counts).2, 0.99) AS p99_ms "
            f"{_PERIOD} GROUP BY tenant, feature, model HAVING calls > 0 ORDER BY usd DESC LIMIT 100",
        ),
    ),
)

BEHAVIOUR = Board(
    "mirante-behaviour",
    "Mirante: behaviour",
    (
        Panel(
            "How calls end",
            "timeseries",
            f"SELECT {_BUCKET}, sum(w.ok) AS ok, sum(w.refusal) AS refusal, sum(w.content_filter) AS content_filter, "
            "sum(w.truncated) AS truncated, sum(w.api_error) AS api_error, sum(w.timeout) AS timeout, "
            "sum(w.cancelled) AS cancelled, sum(w.blocked) AS blocked, sum(w.unanswered) AS unanswered "
            f"{_CURVE} GROUP BY time ORDER BY time",
            stack=True,
        ),
        Panel(
            "Refusals",
            "timeseries",
            f"SELECT {_BUCKET}, feature, sum(w.refusal) / sum(w.requests) AS refusals {_CURVE} "
            "GROUP BY time, feature HAVING sum(w.requests) > 0 ORDER BY time",
            unit="percentunit",
        ),
        Panel(
            "Satisfaction",
            "timeseries",
            "SELECT $__timeInterval(time) AS at, feature, avg(score) AS satisfaction FROM mirante.labels "
            f"WHERE $__timeFilter(time) AND {_SERIES} GROUP BY at, feature ORDER BY at",
            unit="percentunit",
        ),
        Panel(
            "What the guards found",
            "table",
            "SELECT feature, count() AS calls, countIf(outcome = 'refusal') AS refusals, "
            "countIf(json_valid = false) AS invalid_output, countIf(injection != '[]') AS attacks, "
            "countIf(pii != '[]') AS personal_data FROM mirante.interactions "
            f"WHERE $__timeFilter(time) AND {_SERIES} GROUP BY feature ORDER BY calls DESC",
        ),
        Panel(
            "Drift",
            "table",
            "SELECT min(time) AS seen, feature, model, cause, groupUniqArray(metric) AS moved "
            "FROM mirante.drift WHERE drifted AND $__timeFilter(time) "
            "GROUP BY feature, model, cause ORDER BY seen DESC LIMIT 100",
            width=24,
        ),
    ),
)

ALERTS = Board(
    "mirante-alerts",
    "Mirante: alerts",
    (
        Panel(
            "Firing",
            "stat",
            "SELECT count() AS alerts FROM mirante.alerts WHERE status = 'firing'",
            width=6,
            height=4,
        ),
        Panel(
            "Firing pages",
            "stat",
            "SELECT count() AS pages FROM mirante.alerts WHERE status = 'firing' AND severity = 'page'",
            width=6,
            height=4,
        ),
        Panel(
            "Alerts that began",
            "timeseries",
            "SELECT $__timeInterval(starts_at) AS time, name, count() AS alerts FROM mirante.alerts "
            "WHERE $__timeFilter(starts_at) GROUP BY time, name ORDER BY time",
            stack=True,
        ),
        Panel(
            "Alerts",
            "table",
            "SELECT starts_at, status, severity, name, annotations['summary'] AS summary, ends_at, "
            "annotations['action'] AS action FROM mirante.alerts WHERE $__timeFilter(starts_at) "
            "ORDER BY status = 'firing' DESC, severity = 'page' DESC, starts_at DESC LIMIT 200",
            width=24,
            height=12,
        ),
        Panel(
            "Switches",
            "table",
            "SELECT time, scope, action, limit, reason, source, author, expires_at FROM mirante.controls "
            "WHERE $__timeFilter(time) ORDER BY time DESC LIMIT 100",
            width=24,
        ),
    ),
    variables=False,
)

HEALTH = Board(
    "mirante-health",
    "Mirante: workers",
    (
        Panel(
            "Events accepted",
            "timeseries",
            promql=(
                ("{{topic}}", "sum by (topic) (rate(mirante_events_total[$__rate_interval]))"),
            ),
            unit="reqps",
        ),
        Panel("Lag", "timeseries", promql=(("{{topic}}", "sum by (topic) (mirante_lag)"),)),
        Panel(
            "Delay, Kafka to ClickHouse",
            "timeseries",
            unit="s",
            promql=tuple(
                (
                    f"P{round(q * 100)}",
                    f"histogram_quantile({q}, sum by (le) (rate(mirante_delay_seconds_bucket[$__rate_interval])))",
                )
                for q in (0.5, 0.99)
            ),
        ),
        Panel(
            "Checkpoints",
            "timeseries",
            unit="s",
            promql=(
                (
                    "{{agent}}",
                    "histogram_quantile(0.99, sum by (le, agent) (rate(mirante_checkpoint_seconds_bucket[$__rate_interval])))",
                ),
            ),
        ),
        Panel(
            "Dead letters",
            "timeseries",
            promql=(
                (
                    "{{stage}}",
                    "sum by (stage) (increase(mirante_dead_letters_total[$__rate_interval]))",
                ),
            ),
        ),
        Panel(
            "Dead letters by reason",
            "table",
            "SELECT topic, reason, count() AS events, max(time) AS last FROM mirante.deadletter "
            "WHERE $__timeFilter(time) GROUP BY topic, reason ORDER BY events DESC LIMIT 100",
        ),
        Panel(
            "Rows stored",
            "timeseries",
            promql=(("{{table}}", "sum by (table) (rate(mirante_rows_total[$__rate_interval]))"),),
            unit="reqps",
        ),
        Panel(
            "Memory",
            "timeseries",
            promql=(("{{instance}}", 'process_resident_memory_bytes{job="mirante"}'),),
            unit="bytes",
        ),
    ),
    variables=False,
)

BOARDS = (COSTS, BEHAVIOUR, ALERTS, HEALTH)


def document(board: Board) -> dict[str, Any]:
    """A board as Grafana reads it."""
    return {
        "uid": board.uid,
        "title": board.title,
        "tags": list(board.tags),
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [_variable(name) for name in ("tenant", "feature", "model")]
            if board.variables
            else []
        },
        "annotations": {"list": [_alert_marks()]},
        "links": [
            {
                "title": "Mirante",
                "type": "dashboards",
                "tags": ["mirante"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
                "icon": "external link",
                "tooltip": "",
                "url": "",
                "targetBlank": False,
            }
        ],
        "panels": list(_laid_out(board.panels)),
    }


def _laid_out(panels: Iterable[Panel]) -> Iterable[dict[str, Any]]:
    x = y = tallest = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        yield _panel(panel, number, {"x": x, "y": y, "w": panel.width, "h": panel.height})
        x, tallest = x + panel.width, max(tallest, panel.height)


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    source = CLICKHOUSE if panel.sql else PROMETHEUS
    custom: dict[str, Any] = {}
    if panel.kind == "timeseries":
        custom = {
            "drawStyle": "line", "lineWidth": 1, "fillOpacity": 25 if panel.stack else 8, "showPoints": "auto",
            "stacking": {"mode": "normal" if panel.stack else "none", "group": "A"},
        }  # fmt: skip
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": custom}, "overrides": []},
        "options": {},
        "targets": [_sql_target(panel)]
        if panel.sql
        else [_prom_target(*one, n) for n, one in enumerate(panel.promql)],
    }


def _sql_target(panel: Panel) -> dict[str, Any]:
    series = panel.kind == "timeseries"
    return {
        "refId": "A",
        "datasource": CLICKHOUSE,
        "editorType": "sql",
        "queryType": "timeseries" if series else "table",
        "format": 0 if series else 1,
        "rawSql": panel.sql,
    }


def _prom_target(legend: str, expression: str, number: int) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + number),
        "datasource": PROMETHEUS,
        "expr": expression,
        "legendFormat": legend,
        "range": True,
        "editorMode": "code",
    }


def _variable(name: str) -> dict[str, Any]:
    sql = f"SELECT DISTINCT {name} FROM mirante.cost_parts_long WHERE window_seconds = 86400 ORDER BY {name}"
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": CLICKHOUSE,
        "query": {
            "rawSql": sql,
            "refId": f"variable-{zlib.crc32(name.encode()):08x}",
            "queryType": "table",
            "format": 1,
        },
        "includeAll": True,
        "multi": True,
        "current": {"text": ["All"], "value": ["$__all"]},
        "refresh": 2,
        "sort": 1,
        "options": [],
        "hide": 0,
        "regex": "",
        "skipUrlSync": False,
    }


def _alert_marks() -> dict[str, Any]:
    sql = (
        "SELECT starts_at AS time, ends_at AS timeEnd, annotations['summary'] AS text, name AS tags "
        "FROM mirante.alerts WHERE severity != 'info' AND $__timeFilter(starts_at)"
    )
    return {
        "name": "Alerts",
        "datasource": CLICKHOUSE,
        "enable": True,
        "iconColor": "red",
        "target": {
            "refId": "Anno",
            "editorType": "sql",
            "queryType": "table",
            "format": 1,
            "rawSql": sql,
        },
    }
