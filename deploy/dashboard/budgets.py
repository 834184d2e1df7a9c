"""What was spent of each budget, and what it will be if it goes on like this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from agents.budgets.rules import PERSONAL, Rule, read_rules
from deploy.dashboard.source import QuerySource
from deploy.dashboard.windows import COVERED, COVERED_LONG, cover
from streams.settings import Settings

PICODOLLARS = 10**12
RECENT = 3_600
"""Seconds whose pace is projected."""

_COLUMNS = {
    "tenant": "tenant",
    "feature": "feature",
    "model": "model",
    "provider": "provider",
    "environment": "environment",
    "prompt": "prompt_sha",
}
_AMOUNTS = {
    "usd": "w.cost_usd",
    "tokens": "w.input_tokens + w.output_tokens",
    "requests": "w.requests",
}


def budgets_of(settings: Settings) -> list[Rule]:
    """The budgets of the settings that are not per user, session or trace."""
    rules = read_rules(budgets=settings.budgets).by_id.values()
    return [rule for rule in rules if rule.kind == "budget" and not set(rule.by) & set(PERSONAL)]


async def standing(source: QuerySource, rules: Sequence[Rule], now: float) -> list[dict[str, Any]]:
    """Each budget and group: ``limit``, ``used`` since ``since``, ``projected`` at ``until``.

    ``now``: epoch seconds. Amounts are in the budget's unit. Of a rolling window nothing is
    projected: it has no end.
    """
    found = []
    for rule in rules:
        limit = rule.limit / PICODOLLARS if rule.unit == "usd" else rule.limit
        start, end = rule.window.bounds(int(now))
        if rule.window.rolling:
            start, end = int(now) - rule.window.seconds, int(now)
        sql, parameters = _statement(rule)
        recent = max(start, (int(now) - RECENT) // 60 * 60)
        period = {"since": start, "until": recent, "end": end, **cover(start, recent)}
        rows = await source.rows(sql, {**parameters, **period})
        for row in rows:
            pace = row["recent"] / max(1.0, now - recent)
            left = 0.0 if rule.window.rolling else max(0.0, end - now)
            found.append(
                {
                    "name": rule.name,
                    "group": {dimension: row[f"by_{dimension}"] for dimension in rule.by},
                    "unit": rule.unit,
                    "window": str(rule.window),
                    "limit": limit,
                    "used": row["used"],
                    "projected": row["used"] + pace * left,
                    "since": start,
                    "until": end,
                }
            )
    return found


def _statement(rule: Rule) -> tuple[str, Mapping[str, str]]:
    """Amounts by group; a scope's ``*`` stands for any characters."""
    amount = _AMOUNTS[rule.unit]
    names = [dimension for dimension in rule.by if dimension in _COLUMNS]
    shown = "".join(f"{_COLUMNS[name]} AS by_{name}, " for name in names)
    tests, values = [], {}
    for number, (dimension, pattern) in enumerate(sorted(rule.scope.items())):
        if dimension in _COLUMNS:
            tests.append(f" AND {_COLUMNS[dimension]} LIKE {{scope{number}:String}}")
            escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            values[f"scope{number}"] = escaped.replace("*", "%")
    group = f" GROUP BY {', '.join(f'by_{name}' for name in names)}" if names else ""
    matches = "".join(tests)
    sql = (
        f"SELECT {shown}toFloat64(sum({amount})) AS used, toFloat64(sumIf({amount}, fresh)) AS recent FROM ("
        f"SELECT *, false AS fresh FROM mirante.cost_parts FINAL WHERE {COVERED}{matches}"
        f" UNION ALL SELECT *, false FROM mirante.cost_parts_long FINAL WHERE {COVERED_LONG}{matches}"
        " UNION ALL SELECT *, true FROM mirante.cost_parts FINAL WHERE window_seconds = 60"
        " AND window_start >= toDateTime({until:UInt32})"
        f" AND window_start < toDateTime({{end:UInt32}}){matches}) AS w{group} ORDER BY used DESC LIMIT 20"
    )
    return sql, values


def today(now: float) -> int:
    """Start of the UTC day, epoch seconds."""
    moment = datetime.fromtimestamp(now, UTC)
    return int(moment.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
