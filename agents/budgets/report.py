"""The findings on budgets, limits and loops, in words and numbers for whoever is called."""

from __future__ import annotations

from datetime import UTC, datetime
from shlex import quote

from agents.budgets.burn import Burn
from agents.budgets.rules import RUNAWAY_SPAN, Rule
from agents.budgets.runaway import Loop
from agents.budgets.windows import duration
from schemas.findings import PERIOD_END, Finding

GENERATOR = "budgets"

_KILLABLE = ("session", "user", "feature", "model", "tenant")
"""Scopes of a kill switch, the narrowest first."""

_KEEP = 60.0


def exhausted(
    rule: Rule, values: tuple[str, ...], *, time: float, since: float, spent: int, window: tuple[int, int], examples: list[str]
) -> Finding:
    """``window``: what the limit holds for; ``since``: within 5 s, when it was reached."""
    per_second = spent / max(since - window[0], 1.0)
    when = f"in the {rule.window}" if rule.window.rolling else f"of this {rule.window}, which ends at {_moment(window[1], time)}"
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
        summary=f"Budget {_who(rule, values)} is exhausted: {amount(rule, spent)} of {amount(rule, rule.limit)} {when}.",
        action=_action(rule, values, f"budget {rule.name} exhausted"),
        usd_per_hour=_usd_per_hour(rule, per_second),
        requests=spent if rule.unit == "requests" else None,
        response_ids=examples,
        detail=_period(rule, window),
        generator=GENERATOR,
    )


def burning(rule: Rule, values: tuple[str, ...], *, time: int, found: Burn, window: tuple[int, int], examples: list[str]) -> Finding:
    """A budget that does not last as long as its window if it goes on."""
    pair = found.pair
    share = found.spent / rule.limit
    summary = (
        f"Budget {_who(rule, values)} will be exhausted at {_moment(found.exhausted, time)} if it goes on: "
        f"{amount(rule, found.spent)} of {amount(rule, rule.limit)} are used ({share:.0%}), "
        f"in the last {duration(pair.long)} {found.rate:.1f} times as fast as the {rule.window} allows."
    )
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
        summary=summary,
        description=f"Also over the last {duration(pair.short)}, so it goes on. Even spending of the whole budget is 1.",
        action=_action(rule, values, f"budget {rule.name} burns"),
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
    )


def limited(
    rule: Rule, values: tuple[str, ...], *, time: float, since: float, used: int, window: tuple[int, int], examples: list[str]
) -> Finding:
    """More than a rate limit allows."""
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
        summary=f"Rate limit {_who(rule, values)} is exceeded: {amount(rule, used)} of {amount(rule, rule.limit)} in {duration(span)}.",
        action=_action(rule, values, f"rate limit {rule.name} exceeded"),
        usd_per_hour=_usd_per_hour(rule, used / span),
        requests=used if rule.unit == "requests" else None,
        response_ids=examples,
        generator=GENERATOR,
    )


def looping(
    rule: Rule, values: tuple[str, ...], *, time: float, since: float, loop: Loop, window: tuple[int, int], examples: list[str]
) -> Finding:
    """A session or trace that grows without end."""
    what = f"{rule.name.capitalize()} {values[0]}"
    if rule.name == "session":
        action = _action(rule, values, "runaway loop")
    else:
        query = "SELECT DISTINCT feature, session_id FROM interactions WHERE trace_id = '{}'".format(values[0].replace("'", "''"))
        action = f"Stop the agent that runs this trace; `mirante query {quote(query)}` names it."
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
        summary=f"{what} is a runaway loop: {loop.reason}; {loop.requests} calls have cost {usd(loop.usd)} so far.",
        cause=loop.reason,
        action=action,
        usd_per_hour=loop.usd * 3_600 / RUNAWAY_SPAN,
        requests=loop.requests,
        response_ids=examples,
        generator=GENERATOR,
    )


def amount(rule: Rule, number: int) -> str:
    """A number in the unit of its rule, for people. ``number``: picodollars where the unit is
    USD."""
    return usd(number / 1e12) if rule.unit == "usd" else f"{number:,} {rule.unit}"


def usd(amount: float) -> str:
    """Two decimals; four below a dollar, where calls are."""
    return f"{amount:,.2f} USD" if amount >= 1 or amount == 0 else f"{amount:.4f} USD"


def _number(rule: Rule, number: int) -> float:
    return number / 1e12 if rule.unit == "usd" else float(number)


def _usd_per_hour(rule: Rule, per_second: float) -> float | None:
    return per_second * 3_600 / 1e12 if rule.unit == "usd" else None


def _period(rule: Rule, window: tuple[int, int]) -> dict[str, float]:
    return {} if rule.window.rolling else {PERIOD_END: float(window[1])}


def _moment(at: float, now: float) -> str:
    """UTC; with the day unless it is today's."""
    try:
        moment = datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return "a far day"
    today = moment.date() == datetime.fromtimestamp(now, UTC).date()
    return f"{moment:%H:%M} UTC" if today else f"{moment:%H:%M} UTC on {moment:%Y-%m-%d}"


def _who(rule: Rule, values: tuple[str, ...]) -> str:
    dimensions = {**rule.scope, **dict(zip(rule.by, values, strict=True))}
    described = ", ".join(f"{name} {value or '(none)'}" for name, value in dimensions.items())
    return f"{rule.name} ({described})" if described else rule.name


def _action(rule: Rule, values: tuple[str, ...], reason: str) -> str:
    dimensions = {**rule.scope, **dict(zip(rule.by, values, strict=True))}
    scope = next((f"{d}:{dimensions[d]}" for d in _KILLABLE if dimensions.get(d) and "*" not in dimensions[d]), "global")
    return f"Stop it with `mirante kill {quote(scope)} --reason {quote(reason)}`, or raise the limit in mirante.toml."
