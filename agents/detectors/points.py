"""Anomalies of a plain series of numbers, whatever it measures: one threshold for all series, no look-ahead, bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite, log, log1p, sqrt
from random import Random
from typing import Literal

import numpy as np

from agents.detectors.detector import Score
from agents.detectors.spot import Tail

View = Literal["season", "season_20", "near", "calm", "shape", "pattern"]

WEIGHTS: Mapping[View, float] = {"season": 1.0, "season_20": 0.5, "near": 0.5, "calm": 0.5, "shape": 0.5, "pattern": 0.5}
"""What the surprise of each view counts. Chosen on generated series (tests/bench/nab_standin.py): seeds 1 to 5, for patterns 1 to 4 and
101 to 104."""

_SCALE = sqrt(sum(WEIGHTS.values()))
_ALONE = 4.0
"""What a view's surprise is reduced by when it is to count without the others'."""
_DAY = 86_400.0
_SLOTS = 48
"""Of a day."""
_MEMORY = 1_000
"""Values over which the long-term level and spread are averaged."""
_NEAR = 200
_LARGEST = 1e100
"""Its square is still a number."""
_FADE = 0.5
"""What is left of a surprise one value later."""
_FARTHEST = 4.0
"""Usual distances from what is usual, beyond which a value teaches the profile of the day no more than one at that distance."""
_HALF = 7.0
"""Surprise (natural logarithm of an improbability) that is an alarm: it scores 0.5."""


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


class Shapes:
    """How far the last values, taken as one curve, lie from the nearest curves seen before: what recurs is no news, whenever it does.

    As in Burnaev and Ishimtsev, "Conformalized density- and distance-based anomaly detection in time-series data", 2016. A new curve
    takes the place of any old one, so that some of them are as old as the series.
    """

    LENGTH, MOST, NEAREST = 24, 600, 3

    def __init__(self) -> None:
        self._values = np.zeros(2 * self.LENGTH)
        self._known = np.empty((self.MOST, self.LENGTH))
        self._count, self._seen = 0, 0
        self._random = Random(0)

    def distance(self, value: float) -> float | None:
        """Of the curve that ends with ``value``; None while too few are known."""
        self._values[:-1] = self._values[1:]
        self._values[-1] = value
        self._seen += 1
        distance = None
        if self._count >= self.NEAREST:
            difference = self._known[: self._count] - self._values[self.LENGTH :]
            squares = np.einsum("ij,ij->i", difference, difference)
            distance = sqrt(float(np.partition(squares, self.NEAREST - 1)[: self.NEAREST].mean()))
        if self._seen >= 2 * self.LENGTH:
            # Not the newest curve: it shares values with those to come.
            self._known[self._count if self._count < self.MOST else self._random.randrange(self.MOST)] = self._values[: self.LENGTH]
            self._count = min(self._count + 1, self.MOST)
        return distance


class Patterns:
    """How improbable a value is after those before it: what never came in this order is news, usual as each value may be.

    A value is known by the fifth of the range so far that it lies in. What is expected after none, one, two and three values is mixed,
    each by how often it has been seen: MacKay and Peto, "A hierarchical Dirichlet language model", Nat. Lang. Eng. 1995; at most 156
    contexts are remembered.
    """

    PARTS, LENGTH = 5, 3

    def __init__(self) -> None:
        self._low, self._high = inf, -inf
        self._past: tuple[int, ...] = ()
        self._followed: dict[tuple[int, ...], list[int]] = {}
        self._usual = Average(_MEMORY)

    def surprise(self, value: float) -> float:
        """-ln of the probability of ``value``, as far as it is more than usual; then it is learned."""
        self._low, self._high = min(self._low, value), max(self._high, value)
        width = self._high - self._low
        part = min(int((value - self._low) / width * self.PARTS), self.PARTS - 1) if width > 0 else 0
        probability = 1 / self.PARTS
        for length in range(len(self._past) + 1):
            followed = self._followed.setdefault(self._past[:length], [0] * self.PARTS)
            probability = (followed[part] + probability) / (sum(followed) + 1)
            followed[part] += 1
        self._past = (part, *self._past[: self.LENGTH - 1])
        surprise = -log(probability)
        return max(0.0, surprise - self._usual.add(surprise))


class Rest:
    """An alarm makes the next one harder: anomalies are told of once, and a series that is often odd has to be odder.

    For a while - 2% of what has been seen, 50 values at least - only what is twice as surprising is news, as conformal detectors do
    (Burnaev and Ishimtsev 2016). And every alarm so far counts, the less the longer ago, so that no series can spend all of the false
    alarms (the idea of alpha investing: Foster and Stine, "Alpha-investing: a procedure for sequential control of expected false
    discoveries", J. R. Stat. Soc. B 2008).
    """

    SHARE, LEAST = 0.02, 50
    LARGER = 2.0
    DEARER = 1.3
    """Surprise that is asked for more, times the logarithm of 1 and the alarms so far."""
    MEMORY = 100
    """Values that an alarm counts fully, at least; later by its share of the series' life."""

    def __init__(self) -> None:
        self._seen = 0
        self._since: int | None = None
        self._top = 0.0
        self._alarms = 0.0

    def news(self, surprise: float) -> float:
        """What of a surprise is new; 0 while resting."""
        self._seen += 1
        self._alarms *= 1 - 1 / (self._seen + self.MEMORY)
        surprise = max(0.0, surprise - self.DEARER * log1p(self._alarms))
        resting = self._since is not None and self._seen - self._since < max(self.LEAST, self.SHARE * self._seen)
        if resting and surprise <= self.LARGER * self._top:
            return 0.0
        if surprise >= _HALF:
            self._since, self._top = self._seen, surprise
            self._alarms += 1
        return surprise


class PointDetector:
    """Several views of the series, each judged by the tail of its own past (SPOT, agents/detectors/spot.py) or a probability by itself.

    Their surprises are added, or one beyond a tail is so large that it counts alone. Half of the sum is left when the next value comes:
    what lasts is more of an anomaly than what does not.

    Views: the distance from what is usual at this time of day (before a time of day is known, from the long-term level); the mean of
    twenty such distances, in units of the usual one; the mean of three distances from the last 200 values in units of their standard
    deviation; whether the series moves less than it used to; how far the curve of the last values lies from all curves before; and, already
    a probability, how rarely such a value has followed the last ones.

    What is usual at a time of day is learned with bounded influence (Huber, "Robust estimation of a location parameter", Ann. Math. Stat.
    1964): else an anomaly would be half expected the next day at its time, and the usual value there a surprise.
    """

    def __init__(self) -> None:
        self._level, self._spread = Average(_MEMORY), Average(_MEMORY)
        self._near, self._near_variance = Average(_NEAR), Average(_NEAR)
        self._motion, self._usual_motion = Average(24), Average(_MEMORY)
        self._season_20, self._near_3 = Average(20), Average(3)
        self._day, self._shapes, self._patterns = Day(), Shapes(), Patterns()
        self._tails: dict[View, Tail] = {view: Tail() for view in WEIGHTS if view != "pattern"}
        self._surprise = 0.0
        self._rest = Rest()
        self._last: float | None = None

    def update(self, time: float, value: float) -> Score:
        """Score a value at ``time`` (epoch seconds); 0.5 and more is an anomaly. ``expected`` is the usual value at this time.

        What is not finite is a gap: it scores 0 and nothing is learned from it. Beyond 1e100 values are all alike.
        """
        if not isfinite(value):
            return Score()
        value = max(-_LARGEST, min(_LARGEST, value))
        if self._last is None:
            self._last = self._level.mean = self._near.mean = value
        expected, unit, views = self._views(time, value)
        together, alone = WEIGHTS["pattern"] * self._patterns.surprise(value), 0.0
        for view, size in views.items():
            tail = self._tails[view]
            surprise = tail.surprise(size)
            together, alone = together + WEIGHTS[view] * surprise, max(alone, surprise)
            tail.learn(size)
        self._last = value
        self._level.add(value)
        farthest = _FARTHEST * unit
        self._day.learn(time, expected + max(-farthest, min(farthest, value - expected)))
        self._surprise = _FADE * self._surprise + max(together / _SCALE, alone - _ALONE)
        news = self._rest.news(self._surprise)
        return Score(1 - 2 ** (-news / _HALF), value, expected)

    def _views(self, time: float, value: float) -> tuple[float, float, dict[View, float]]:
        """What is usual now, how far values usually lie from it, and the size of each view."""
        assert self._last is not None
        spread = self._spread.add(abs(value - self._level.mean))
        expected, size = self._day.usual(time) or (self._level.mean, spread)
        unit = size + 0.3 * spread + 1e-9
        distance = value - expected
        views: dict[View, float] = {
            "season": abs(distance),
            "season_20": abs(self._season_20.add(distance / unit)),
            "near": abs(self._near_3.add(self._from_near(value))),
        }
        move = abs(value - self._last)
        motion, usual = self._motion.add(move), self._usual_motion.add(move)
        if usual > 0:
            views["calm"] = -log(motion / usual + 0.01)
        if (novelty := self._shapes.distance(value)) is not None:
            views["shape"] = novelty
        return expected, unit, views

    def _from_near(self, value: float) -> float:
        deviation = sqrt(self._near_variance.mean)
        distance = (value - self._near.mean) / (deviation + 1e-9) if deviation > 0 else 0.0
        self._near_variance.add((value - self._near.add(value)) ** 2)
        return distance
