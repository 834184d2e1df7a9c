"""Which windows of sums a period is read from: the longest that lie in it, and shorter ones at its ends."""

from __future__ import annotations

WINDOWS = (10, 60, 3_600, 86_400)
"""Seconds of the windows of ``cost_windows``."""

POINTS = 240
"""Most points of a curve, about as many as can be told apart."""

STEPS = (10, 60, 300, 900, 3_600, 86_400, 604_800)
"""Seconds between points of a curve; each is a multiple of a window."""

LONG = 3_600
"""Windows of at least so many seconds are in ``cost_parts_long`` as well, without the short ones between them."""


def step_of(seconds: int) -> int:
    """Seconds between the points of a curve over a period of ``seconds``."""
    return next((step for step in STEPS if step * POINTS >= seconds), STEPS[-1])


def window_of(step: int) -> int:
    """The longest windows that make steps of ``step`` seconds."""
    return max(window for window in WINDOWS if step % window == 0)


COVERED = (
    "((window_seconds = {fine:UInt32} AND (window_start >= toDateTime({since:UInt32})"
    " AND window_start < toDateTime({hours_from:UInt32})"
    " OR window_start >= toDateTime({hours_until:UInt32}) AND window_start < toDateTime({until:UInt32}))))"
)
COVERED_LONG = (
    "((window_seconds = 3600 AND (window_start >= toDateTime({hours_from:UInt32})"
    " AND window_start < toDateTime({days_from:UInt32})"
    " OR window_start >= toDateTime({days_until:UInt32}) AND window_start < toDateTime({hours_until:UInt32})))"
    " OR (window_seconds = 86400 AND window_start >= toDateTime({days_from:UInt32})"
    " AND window_start < toDateTime({days_until:UInt32})))"
)
"""Tests of ``cost_parts`` and of ``cost_parts_long`` that together take each moment of a period once."""


def cover(since: int, until: int) -> dict[str, int]:
    """The parameters of these tests for a period, epoch seconds: hours within it, days within those.

    >>> cover(0, 90_000)
    {'fine': 60, 'hours_from': 0, 'hours_until': 90000, 'days_from': 0, 'days_until': 86400}
    """
    hours = _within(since, until, 3_600)
    days = _within(*hours, 86_400)
    fine = min(60, window_of(step_of(until - since)))
    return {
        "fine": fine,
        "hours_from": hours[0],
        "hours_until": hours[1],
        "days_from": days[0],
        "days_until": days[1],
    }


def _within(since: int, until: int, length: int) -> tuple[int, int]:
    """From the first beginning to the last end of windows that lie in a period; its end twice if none does."""
    first, last = -(-since // length) * length, until // length * length
    return (first, last) if first < last else (until, until)
