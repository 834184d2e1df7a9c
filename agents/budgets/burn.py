"""How fast a budget is used up: burn rates over several windows, and when it will be exhausted if it goes on.

Google, *The Site Reliability Workbook* (2018), chapter 5, "Multiwindow, Multi-Burn-Rate Alerts": a rate over a long window says that it
matters, the same rate over a short one that it still goes on. The workbook's windows are for 30 days; here they are scaled to the
budget's. A budget of money, unlike one of errors, may be spent to its end, so a burn rate alone is no alarm: it must also
exhaust the budget before the window ends.
"""

from __future__ import annotations

from typing import NamedTuple

from agents.budgets.windows import BUCKET, BudgetWindow, History, between, entries

_LEAST_STEPS = 3
"""Usage in so many steps of the long window at least: one expensive call does not go on."""

_WORKBOOK = ((14.4, 12, 1, True), (6.0, 72, 6, True), (1.0, 864, 72, False))
"""Burn rate; long and short window in 1/8640 of the budget's (1 h and 5 min, 6 h and 30 min, 3 d and 6 h of 30 days); whether fast."""


class Pair(NamedTuple):
    """``rate``: multiple of even spending; ``long``, ``short``: seconds."""

    rate: float
    long: int
    short: int
    fast: bool


class Burn(NamedTuple):
    """A burn that goes on. ``rate``: multiple of even spending; ``per_second``: over the long window, as far as it lies in the
    budget's; ``exhausted``: epoch seconds."""

    pair: Pair
    rate: float
    per_second: float
    spent: int
    exhausted: float


def pairs_of(window: BudgetWindow) -> tuple[Pair, ...]:
    """The workbook's pairs for a window, without those that half the budget would be gone before they could speak."""
    fine = -(-window.seconds // (8_640 * BUCKET)) * BUCKET
    pairs = (Pair(rate, long * fine, short * fine, fast) for rate, long, short, fast in _WORKBOOK)
    return tuple(pair for pair in pairs if pair.rate * pair.long <= window.seconds / 2)


def least_spent(pairs: tuple[Pair, ...], limit: int, seconds: int) -> int:
    """With less than this used in a window, none of its pairs can burn."""
    return int(min((pair.rate * pair.long for pair in pairs), default=0) / seconds * limit)


def burn(
    history: History, now: int, *, pairs: tuple[Pair, ...], limit: int, window: BudgetWindow, start: int, end: int
) -> Burn | None:
    """Whether a budget burns at ``now``. ``start``, ``end``: of its calendar window; ``history``: folded at ``now``."""
    ahead = sum(amount for time, amount in entries(history) if time >= now)
    spent = history[0] - ahead
    if spent >= limit:
        return None  # exhausted, which is another alert
    length = window.seconds if window.rolling else end - start
    even = limit / length
    for pair in pairs:
        recent = between(history, now - pair.long, now)
        rate = recent / pair.long / even
        if rate < pair.rate or between(history, now - pair.short, now) / pair.short / even < pair.rate:
            continue
        if sum(now - pair.long <= time < now for time in history[1::2]) < _LEAST_STEPS:
            continue
        per_second = recent / (pair.long if window.rolling else min(pair.long, now - start))
        exhausted = now + (limit - spent) / per_second
        # What leaves a rolling window is not known ahead: only a near end counts.
        if exhausted >= (now + length / 4 if window.rolling else end):
            continue
        # Chronic: the whole window so far must point the same way, or every morning's traffic would be an alarm.
        if not pair.fast and not window.rolling and spent / (now - start) * length < limit:
            continue
        return Burn(pair, per_second / even, per_second, spent, exhausted)
    return None
