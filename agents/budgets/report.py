"""The findings on budgets, limits and loops, with their facts."""

from __future__ import annotations

from shlex import quote
from typing import Any

from agents.budgets.burn import Burn
from agents.budgets.rules import Rule
from agents.budgets.runaway import Loop
from agents.budgets.windows import BUCKET
from schemas.findings import PERIOD_END, Finding

GENERATOR = "budgets"

_KEEP = 60.0


def exhausted(
    rule: Rule, values: tuple[str, ...], *, time: float, since: float, spent: int, window: tuple[int, int], examples: list[str]
) -> Finding:
    """``window``: what the limit holds for; ``since``: within 5 s, when it was reached."""
    per_second = spent / max(since - window[0], 1.0)
    return Finding(
        name="BudgetExhausted",
        labels=rule.labels(values),
        by=list(rule.by),
        time=time,
        active=True,
        severity=rule.severity,
        since=since,
        episode=None if rule.window.rolling else float(window[0]),
        keep=_KEEP if rule.window.rolling else 0.0,  # a period is over when it is over: the next one's alert is another
        value=_number(rule, spent),
        threshold=_number(rule, rule.limit),
        window=window,
        usd_per_hour=_usd_per_hour(rule, per_second),
        requests=spent if rule.unit == "requests" else None,
        response_ids=examples,
        detail=_period(rule, window),
        generator=GENERATOR,
        facts={"kind": "budget_exhausted", "spent": _number(rule, spent), **_counted(rule, window)},
    )


def burning(rule: Rule, values: tuple[str, ...], *, time: int, found: Burn, window: tuple[int, int], examples: list[str]) -> Finding:
    """A budget that does not last as long as its window if it goes on."""
    pair = found.pair
    return Finding(
        name="BudgetBurn",
        labels=rule.labels(values),
        by=list(rule.by),
        time=time,
        active=True,
        severity=rule.severity if pair.fast or rule.severity != "page" else "ticket",
        since=time - pair.short,
        keep=max(_KEEP, 2.0 * rule.resolution.fine),
        value=found.rate,
        expected=1.0,
        threshold=pair.rate,
        window=window,
        usd_per_hour=_usd_per_hour(rule, found.per_second),
        requests=found.spent if rule.unit == "requests" else None,
        response_ids=examples,
        detail={
            "exhausted_at": found.exhausted,
            "spent": _number(rule, found.spent),
            "limit": _number(rule, rule.limit),
            **_period(rule, window),
        },
        generator=GENERATOR,
        facts={
            "kind": "budget_burn",
            "spent": _number(rule, found.spent),
            "gone": float(found.exhausted),
            "long": pair.long,
            "short": pair.short,
            **_counted(rule, window),
        },
    )


def limited(
    rule: Rule, values: tuple[str, ...], *,
    time: float, since: float, used: int, window: tuple[int, int], examples: list[str], where: dict[str, str],
) -> Finding:  # fmt: skip
    """More than a rate limit allows. ``where``: labels that say where its calls are."""
    span = rule.window.seconds
    return Finding(
        name="RateLimitExceeded",
        labels=rule.labels(values),
        by=list(rule.by),
        time=time,
        active=True,
        severity=rule.severity,
        since=since,
        value=_number(rule, used),
        threshold=_number(rule, rule.limit),
        window=window,
        usd_per_hour=_usd_per_hour(rule, used / span),
        requests=used if rule.unit == "requests" else None,
        response_ids=examples,
        generator=GENERATOR,
        facts={"kind": "rate_limit", "over": span, **_counted(rule, window)},
        where=where,
    )


def looping(
    rule: Rule, values: tuple[str, ...], *,
    time: float, since: float, loop: Loop, window: tuple[int, int], examples: list[str], where: dict[str, str],
) -> Finding:  # fmt: skip
    """A session or trace that grows without end. ``since``: its first call; ``where``: labels that say where its calls are."""
    query = "SELECT DISTINCT feature, session_id FROM interactions WHERE trace_id = '{}'".format(values[0].replace("'", "''"))
    return Finding(
        name="RunawayLoop",
        labels=rule.labels(values),
        by=list(rule.by),
        time=time,
        active=True,
        severity=rule.severity,
        since=since,
        value=loop.value,
        threshold=loop.threshold,
        window=window,
        usd_per_hour=loop.usd * 3_600 / max(loop.seconds, BUCKET),
        requests=loop.requests,
        response_ids=examples,
        generator=GENERATOR,
        facts={
            "kind": loop.kind, "calls": loop.requests, "over": loop.seconds, "usd": loop.usd, "steps": loop.steps, **loop.shown,
            **({} if rule.name == "session" else {"query": f"mirante query {quote(query)}"}),
        },
        where=where,
    )


def _number(rule: Rule, number: int) -> float:
    return number / 1e12 if rule.unit == "usd" else float(number)


def _usd_per_hour(rule: Rule, per_second: float) -> float | None:
    return per_second * 3_600 / 1e12 if rule.unit == "usd" else None


def _period(rule: Rule, window: tuple[int, int]) -> dict[str, float]:
    return {} if rule.window.rolling else {PERIOD_END: float(window[1])}


def _counted(rule: Rule, window: tuple[int, int]) -> dict[str, Any]:
    """What is counted in which window, up to which limit."""
    ends = {} if rule.window.rolling else {"ends": float(window[1])}
    return {"unit": rule.unit, "limit": _number(rule, rule.limit), "window": rule.window.kind, "seconds": rule.window.seconds, **ends}
