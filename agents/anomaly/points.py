"""Anomalies of a plain series of numbers, whatever it measures: one threshold for all series, no look-ahead, bounded memory."""

from __future__ import annotations

from math import exp, log
from typing import Literal

from agents.anomaly.score import Score
from agents.anomaly.spot import Tail

View = Literal["usual", "usual_20", "usual_60", "step", "restless", "calm"]

_DAY = 86_400.0
_SLOTS = 48
"""Of a day."""
_MEMORY = 1_000
"""Values over which the long-term level and spread are averaged."""
_SECOND = 3.0
"""What every view but the first must be more surprising by: most anomalies are far from the usual, and each view has false alarms of
its own."""
_HELD = 0.3
"""Share of a recent surprise that a new one is reduced by."""
_HALF = 6.0
"""Surprise (natural logarithm of an improbability) that scores 0.5."""


class Average:
    """Mean of the last values: exponentially weighted with the memory of ``width`` values, and a plain mean of the first ones."""

    __slots__ = ("_seen", "_width", "mean")

    def __init__(self, width: float) -> None:
        self._width = width
        self._seen = 0
        self.mean = 0.0

    def add(self, value: float) -> float:
        self._seen += 1
        self.mean += (value - self.mean) / min(self._seen, self._width)
        return self.mean


class Day:
    """What is usual at a time of day: for weekdays and weekends, once each is known; one for the other until then."""

    def __init__(self) -> None:
        self._mean: list[list[float | None]] = [[None] * _SLOTS for _ in range(2)]
        self._size = [[0.0] * _SLOTS for _ in range(2)]
        self._sum, self._count = 0.0, 0
        self._slot: tuple[int, int] | None = None

    def usual(self, time: float) -> tuple[float, float] | None:
        """The usual value and how far values of this time of day lie from it; None if no such time has been seen."""
        weekend, slot = self._at(time)
        for kind in (weekend, 1 - weekend):
            mean = self._mean[kind][slot]
            if mean is not None:
                return mean, self._size[kind][slot]
        return None

    def learn(self, time: float, value: float) -> None:
        at = self._at(time)
        if at != self._slot:
            self._close()
            self._slot = at
        self._sum += value
        self._count += 1

    def _close(self) -> None:
        if self._slot is None:
            return
        kind, slot = self._slot
        new, old = self._sum / self._count, self._mean[kind][slot]
        if old is None:
            self._mean[kind][slot], self._size[kind][slot] = new, self._size[1 - kind][slot]
        else:
            self._size[kind][slot] += 0.2 * (abs(new - old) - self._size[kind][slot])
            self._mean[kind][slot] = old + 0.25 * (new - old)
        self._sum, self._count = 0.0, 0

    @staticmethod
    def _at(time: float) -> tuple[int, int]:
        # The epoch was a Thursday.
        return int((time // _DAY + 3) % 7 >= 5), int(time % _DAY / _DAY * _SLOTS)


class PointDetector:
    """Several views of the series, each judged by the tail of its own past (SPOT, agents/anomaly/spot.py); the most surprising one counts.

    Views: the mean distance of the last 6, 20 and 60 values from the usual at this time of day (before a time of day is known, from the
    long-term level), in units of the usual distance; the step from what was just before; how much it moves, more or less than usual.
    After a surprise a similar one is less of a surprise for a while, so an anomaly is told of once.
    """

    def __init__(self) -> None:
        self._level, self._spread, self._near = Average(_MEMORY), Average(_MEMORY), Average(4)
        self._motion, self._usual_motion = Average(24), Average(_MEMORY)
        self._day = Day()
        self._distance: dict[View, Average] = {"usual": Average(6), "usual_20": Average(20), "usual_60": Average(60)}
        self._tails: dict[View, Tail] = {}
        self._last: float | None = None
        self._held = 0.0
        self._seen = 0

    def update(self, time: float, value: float) -> Score:
        """Score a value at ``time`` (epoch seconds); 0.5 and more is an anomaly. ``expected`` is the usual value at this time."""
        if self._last is None:
            self._last = self._level.mean = self._near.mean = value
        expected, views = self._views(time, value)
        surprise = 0.0
        for view, size in views.items():
            tail = self._tails.setdefault(view, Tail())
            surprise = max(surprise, tail.surprise(size) - (0.0 if view == "usual" else _SECOND))
            tail.learn(size)
        self._last = value
        self._near.add(value)
        self._level.add(value)
        self._day.learn(time, value)
        return Score(self._sharpened(surprise), value, expected)

    def _views(self, time: float, value: float) -> tuple[float, dict[View, float]]:
        spread = self._spread.add(abs(value - self._level.mean))
        expected, size = self._day.usual(time) or (self._level.mean, spread)
        distance = (value - expected) / (size + 0.3 * spread + 1e-9)
        views = {view: abs(average.add(distance)) for view, average in self._distance.items()}
        views["step"] = abs(value - self._near.mean)
        assert self._last is not None
        move = abs(value - self._last)
        motion, wide = self._motion.add(move), self._usual_motion.add(move)
        if wide > 0:
            ratio = log(motion / wide + 0.01)
            views["restless"], views["calm"] = ratio, -ratio
        return expected, views

    def _sharpened(self, surprise: float) -> float:
        self._seen += 1
        fresh = max(0.0, surprise - _HELD * self._held)
        self._held = max(surprise, self._held * (1 - 1 / max(50.0, 0.1 * self._seen)))
        return 0.0 if fresh <= 0 else 1 - exp(-log(2) * fresh / _HALF)
