"""Loops: a session or trace that grows without end. Looks for what no conversation of people does, so it needs no configuration."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from math import sqrt
from statistics import fmean as mean
from typing import NamedTuple

from agents.budgets.recent import Lap
from agents.budgets.rules import RUNAWAY_SPAN, RunawayTable
from agents.budgets.windows import BUCKET
from schemas.group_usage import Caller

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
_SEVERAL = 5
"""Calls without which there is no loop, whatever they cost."""
_MOST_STEPS = 3


class Loop(NamedTuple):
    """Why a group runs away: what was measured and where the threshold is.

    ``kind`` and ``shown``: of the facts (agents/alerts/wording). ``begun``: start of the window of its first call, epoch seconds;
    ``seconds``: from there to the end of the last one. ``steps``: what it does most, such as ``execute_tool search (14)``.
    """

    kind: str
    value: float
    threshold: float
    requests: int
    usd: float
    begun: int
    seconds: int
    steps: list[str]
    shown: dict[str, float]


class _Growth(NamedTuple):
    kind: str
    before: float
    after: float


def find_loop(laps: Sequence[tuple[int, Lap]], end: int, rule: RunawayTable, ease: float = 1.0) -> Loop | None:
    """Whether the calls of the ``RUNAWAY_SPAN`` seconds before ``end`` are a loop. ``ease``: multiplies every threshold.

    One dear call is none, and neither is a handful: that is the business of budgets and of ``CostAnomaly``.
    """
    laps = [(window, lap) for window, lap in laps if end - RUNAWAY_SPAN <= window < end]
    calls = sum(lap.requests for _, lap in laps)
    if calls < _SEVERAL * ease:
        return None
    spent = sum(lap.picodollars for _, lap in laps)
    dearest = max((lap.dearest for _, lap in laps), default=0)
    if (spent - dearest) / 1e12 > float(rule.usd) * ease:
        return _loop("loop_cost", spent / 1e12, float(rule.usd), laps, {})
    if calls >= rule.repeats * ease:
        signatures: Counter[int] = Counter()
        for _, lap in laps:
            signatures.update(dict(lap.signatures))
        common = signatures.most_common(_FEW)
        repeated = sum(count for _, count in common)
        if repeated >= rule.repeats * ease and repeated >= _SHARE * ease * calls:
            asked = {signature for signature, _ in common}
            begun = min(window for window, lap in laps if asked & dict(lap.signatures).keys())
            return _loop("loop_repeats", repeated, rule.repeats, laps, {"repeated": repeated, "different": len(common)}, begun)
    if calls > rule.calls * ease and (growth := _growth(laps, 1 + _GROWTH * ease, _STEADY * ease)) is not None:
        return _loop(growth.kind, calls, rule.calls, laps, {"before": growth.before, "after": growth.after})
    soon = [(window, lap) for window, lap in laps if window >= end - _SOON]
    lately = sum(lap.requests for _, lap in soon)
    if lately >= rule.calls / 4 * ease and (growth := _growth(soon, 1 + _GROWTH / 2 * ease, _STEADY * ease)) is not None:
        return _loop(growth.kind, lately, rule.calls / 4, soon, {"before": growth.before, "after": growth.after})
    return None


def where_of(laps: Iterable[tuple[int, Lap]], own: Iterable[str]) -> dict[str, str]:
    """Labels that say where most of these calls come from: tenant, feature, model and user, but for the labels a group has of its ``own``.
    What they do not say is left out."""
    callers = _callers(laps)
    found: dict[str, str] = {}
    for at, label in enumerate(Caller._fields[:-1]):
        counts: Counter[str] = Counter()
        for caller, count in callers.items():
            counts[caller[at]] += count
        most = min(counts, key=lambda value: (-counts[value], value), default="")
        if most and label not in own:
            found[label] = most
    return found


def _loop(
    kind: str, value: float, threshold: float, laps: Sequence[tuple[int, Lap]], shown: dict[str, float], begun: int | None = None
) -> Loop:
    windows = [window for window, lap in laps if lap.requests]
    begun = min(windows) if begun is None else begun
    usd = sum(lap.picodollars for _, lap in laps) / 1e12
    steps: Counter[str] = Counter()
    for caller, count in _callers(laps).items():
        steps[caller.step] += count
    named = [f"{step} ({count})" for step, count in sorted(steps.items(), key=lambda item: (-item[1], item[0]))[:_MOST_STEPS] if step]
    return Loop(kind, value, threshold, sum(lap.requests for _, lap in laps), usd, begun, max(windows) + BUCKET - begun, named, shown)


def _callers(laps: Iterable[tuple[int, Lap]]) -> Counter[Caller]:
    callers: Counter[Caller] = Counter()
    for _, lap in laps:
        callers.update(dict(lap.callers))
    return callers


def _growth(laps: Sequence[tuple[int, Lap]], factor: float, least: float) -> _Growth | None:
    """What grows from the first half of the time to the second by ``factor``, and all the time: the number of calls, or their tokens."""
    windows = _windows(laps)
    if (windows[-1][0] - windows[0][0]) + BUCKET < _LEAST_SPAN:
        return None
    middle = (windows[0][0] + windows[-1][0]) / 2
    before, after = sum(calls for window, calls, _ in windows if window < middle), sum(c for window, c, _ in windows if window >= middle)
    if before and after >= factor * before and _trend([calls for _, calls, _ in windows]) >= least:
        return _Growth("loop_faster", before, after)
    sizes = [(window, tokens / calls) for window, calls, tokens in windows if tokens]
    small, large = [size for window, size in sizes if window < middle], [size for window, size in sizes if window >= middle]
    if small and large and mean(large) >= factor * mean(small) and _trend([size for _, size in sizes]) >= least:
        return _Growth("loop_longer", mean(small), mean(large))
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
