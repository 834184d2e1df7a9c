"""Loops: a session or trace that grows without end. Looks for what no conversation of people does, so it needs no configuration."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from math import sqrt
from statistics import fmean as mean
from typing import NamedTuple

from agents.budgets.recent import Lap
from agents.budgets.rules import RUNAWAY_SPAN, RunawayTable
from agents.budgets.windows import BUCKET

_FEW = 2
"""A cycle of so many different calls is a loop when it makes up ``_SHARE`` of all calls."""
_SHARE = 0.8
_GROWTH = 0.3
"""By how much of the first half of the span the calls, or the tokens per call, of the second exceed it."""
_SOON = 120
"""Seconds in which a quarter of ``calls`` is a loop already, if they grow by half of it: a pace beyond that of agents at work."""
_STEADY = 3.5
"""Standard deviations of a trend that are steady growth, and no chance."""
STILL = 0.75
"""A loop has ceased when it is below so much of every threshold: it must not come and go."""
_LEAST_SPAN = 60


class Loop(NamedTuple):
    """Why a group runs away: what was measured, where the threshold is, and the reason in words."""

    value: float
    threshold: float
    requests: int
    usd: float
    reason: str


def find_loop(laps: Sequence[tuple[int, Lap]], end: int, rule: RunawayTable, ease: float = 1.0) -> Loop | None:
    """Whether the calls of the ``RUNAWAY_SPAN`` seconds before ``end`` are a loop. ``ease``: multiplies every threshold."""
    laps = [(window, lap) for window, lap in laps if end - RUNAWAY_SPAN <= window < end]
    calls = sum(lap.requests for _, lap in laps)
    usd = sum(lap.picodollars for _, lap in laps) / 1e12
    minutes = RUNAWAY_SPAN // 60
    if usd > float(rule.usd) * ease:
        return Loop(usd, float(rule.usd), calls, usd, f"it has cost {usd:.2f} USD in {minutes} minutes")
    if calls >= rule.repeats * ease:
        signatures: Counter[int] = Counter()
        for _, lap in laps:
            signatures.update(dict(lap.signatures))
        common = signatures.most_common(_FEW)
        repeated = sum(count for _, count in common)
        if repeated >= rule.repeats * ease and repeated >= _SHARE * ease * calls:
            what = "one call" if len(common) == 1 else "two calls"
            reason = f"{repeated} of {calls} calls in {minutes} minutes repeat {what} almost word for word"
            return Loop(repeated, rule.repeats, calls, usd, reason)
    if calls > rule.calls * ease and (growth := _growth(laps, 1 + _GROWTH * ease, _STEADY * ease)) is not None:
        return Loop(calls, rule.calls, calls, usd, f"{calls} calls in {minutes} minutes, and {growth}")
    soon = [(window, lap) for window, lap in laps if window >= end - _SOON]
    lately = sum(lap.requests for _, lap in soon)
    if lately >= rule.calls / 4 * ease and (growth := _growth(soon, 1 + _GROWTH / 2 * ease, _STEADY * ease)) is not None:
        return Loop(lately, rule.calls / 4, calls, usd, f"{lately} calls in {_SOON // 60} minutes, and {growth}")
    return None


def _growth(laps: Sequence[tuple[int, Lap]], factor: float, least: float) -> str | None:
    """What grows from the first half of the time to the second by ``factor``, and all the time."""
    windows = _windows(laps)
    if (windows[-1][0] - windows[0][0]) + BUCKET < _LEAST_SPAN:
        return None
    middle = (windows[0][0] + windows[-1][0]) / 2
    before, after = sum(calls for window, calls, _ in windows if window < middle), sum(c for window, c, _ in windows if window >= middle)
    if before and after >= factor * before and _trend([calls for _, calls, _ in windows]) >= least:
        return f"their rate grows ({before} in the first half, {after} in the second)"
    sizes = [(window, tokens / calls) for window, calls, tokens in windows if tokens]
    small, large = [size for window, size in sizes if window < middle], [size for window, size in sizes if window >= middle]
    if small and large and mean(large) >= factor * mean(small) and _trend([size for _, size in sizes]) >= least:
        return f"they grow (from {mean(small):,.0f} to {mean(large):,.0f} tokens per call)"
    return None


def _windows(laps: Sequence[tuple[int, Lap]]) -> list[tuple[int, int, int]]:
    """(window, calls, tokens), ascending."""
    sums: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for window, lap in laps:
        sums[window][0] += lap.requests
        sums[window][1] += lap.tokens
    return [(window, calls, tokens) for window, (calls, tokens) in sorted(sums.items()) if calls]


def _trend(values: Sequence[float]) -> float:
    """Standardised trend of values in order of time (Mann, Econometrica 1945; Kendall): 3 is improbable for values without one."""
    n = len(values)
    rises = sum((later > earlier) - (later < earlier) for earlier, later in combinations(values, 2))
    return (rises - 1) / sqrt(n * (n - 1) * (2 * n + 5) / 18) if n > 1 else 0.0
