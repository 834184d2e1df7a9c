"""Anomalies of a plain series of numbers, whatever it measures: one threshold for all series, no
look-ahead, bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite, log, log1p, sqrt
from random import Random
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.detectors.detector import Score, gap
from agents.detectors.spot import Tail

View = Literal["season", "season_20", "near", "calm", "shape", "pattern"]

WEIGHTS: Mapping[View, float] = {
    "season": 1.0,
    "season_20": 0.5,
    "near": 0.5,
    "calm": 0.5,
    "shape": 0.5,
    "pattern": 0.5,
}
"""What the surprise of each view counts. Chosen on generated series (tests/bench/nab_standin.py):
seeds 1 to 5, for patterns 1 to 4 and 101 to 104."""

_SCALE = sqrt(sum(WEIGHTS.values()))
_ALONE = 4.0
"""What a view's surprise is reduced by when it is to count without the others'."""
_DAY = 86_400.0
"""Seconds."""
_SLOTS = 48
"""Of a day."""
_MEMORY = 1_000
"""Values over which the long-term level and spread are averaged."""
_NEAR = 200
"""The same of the near past."""
_LARGEST = 1e100
"""Its square is still a number."""
_FADE = 0.5
"""What is left of a surprise one value later."""
_FARTHEST = 4.0
"""Usual distances from what is usual, beyond which a value teaches the profile of the day no more
than one at that distance."""
ALARM = 7.0
"""Surprise (natural logarithm of an improbability) that is an alarm."""


class Average(msgspec.Struct, array_like=True, gc=False):
    """Mean of the last values: exponentially weighted with the memory of ``width`` values, and a
    plain mean of the first ones."""

    width: int
    seen: int = 0
    mean: float = 0.0

    def add(self, value: float) -> float:
        """Take a value; the mean."""
        self.seen += 1
        self.mean += (value - self.mean) / min(self.seen, self.width)
        return self.mean


class Day(msgspec.Struct, array_like=True, gc=False):
    """What is usual at a time of day: for weekdays and weekends, once each is known; one for the
    other until then."""

    mean: list[list[float | None]] = msgspec.field(
        default_factory=lambda: [[None] * _SLOTS for _ in range(2)]
    )
    size: list[list[float]] = msgspec.field(
        default_factory=lambda: [[0.0] * _SLOTS for _ in range(2)]
    )
    """How far values usually lie from it."""
    total: float = 0.0
    count: int = 0
    slot: tuple[int, int] | None = None
    """The latest value's, to which ``total`` and ``count`` belong."""

    def usual(self, time: float) -> tuple[float, float] | None:
        """The usual value and how far values of this time of day lie from it; None if no such time
        has been seen."""
        weekend, slot = self._at(time)
        for kind in (weekend, 1 - weekend):
            mean = self.mean[kind][slot]
            if mean is not None:
                return mean, self.size[kind][slot]
        return None

    def learn(self, time: float, value: float) -> None:
        """Take a value."""
        at = self._at(time)
        if at != self.slot:
            self._close()
            self.slot = at
        self.total += value
        self.count += 1

    def _close(self) -> None:
        if self.slot is None:
            return
        kind, slot = self.slot
        new, old = self.total / self.count, self.mean[kind][slot]
        if old is None:
            self.mean[kind][slot], self.size[kind][slot] = new, self.size[1 - kind][slot]
        else:
            self.size[kind][slot] += 0.2 * (abs(new - old) - self.size[kind][slot])
            self.mean[kind][slot] = old + 0.25 * (new - old)
        self.total, self.count = 0.0, 0

    @staticmethod
    def _at(time: float) -> tuple[int, int]:
        # The epoch was a Thursday.
        return int((time // _DAY + 3) % 7 >= 5), int(time % _DAY / _DAY * _SLOTS)


_LENGTH, _MOST = 24, 600
"""Values of a curve, and curves that are remembered."""
_NEAREST = 3
_AHEAD = 64
"""Random numbers drawn at once."""


class Shapes(msgspec.Struct, array_like=True, gc=False):
    """How far the last values, taken as one curve, lie from the nearest curves seen before: what
    recurs is no news, whenever it does.

    As in Burnaev and Ishimtsev, "Conformalized density- and distance-based anomaly detection in
    time-series data", 2016. A new curve takes the place of any old one, so that some of them are as
    old as the series.
    """

    values: bytearray = msgspec.field(default_factory=lambda: bytearray(2 * _LENGTH * 8))
    """The latest, in double precision."""
    known: bytearray = msgspec.field(default_factory=bytearray)
    """Curves, one after the other."""
    seen: int = 0
    places: list[int] = []
    """Of curves that are to be replaced, last first."""
    dice: tuple[int, tuple[int, ...], float | None] | None = None
    """What draws the next ones (:meth:`random.Random.getstate`)."""

    def distance(self, value: float) -> float | None:
        """Of the curve that ends with ``value``; None while too few are known."""
        values = np.frombuffer(self.values)
        values[:-1] = values[1:]
        values[-1] = value
        self.seen += 1
        distance = self._nearest(values[_LENGTH:])
        if self.seen >= 2 * _LENGTH:
            # Not the newest curve: it shares values with those to come.
            self._remember(self.values[: 8 * _LENGTH])
        return distance

    def _nearest(self, curve: NDArray[np.float64]) -> float | None:
        known = np.frombuffer(self.known).reshape(-1, _LENGTH)
        if len(known) < _NEAREST:
            return None
        difference = known - curve
        squares = np.einsum("ij,ij->i", difference, difference)
        return sqrt(float(np.partition(squares, _NEAREST - 1)[:_NEAREST].mean()))

    def _remember(self, curve: bytearray) -> None:
        if len(self.known) < _MOST * len(curve):
            self.known += curve
            return
        at = self._place() * len(curve)
        self.known[at : at + len(curve)] = curve

    def _place(self) -> int:
        if not self.places:
            random = Random(0)
            if self.dice is not None:
                random.setstate(self.dice)
            self.places = [random.randrange(_MOST) for _ in range(_AHEAD)][::-1]
            self.dice = random.getstate()
        return self.places.pop()


_PARTS, _CONTEXT = 5, 3
"""Parts of the range of values, and values that a context has at most."""


class Patterns(msgspec.Struct, array_like=True, gc=False):
    """How improbable a value is after those before it: what never came in this order is news, usual
    as each value may be.

    A value is known by the fifth of the range so far that it lies in. What is expected after none,
    one, two and three values is mixed, each by how often it has been seen: MacKay and Peto, "A
    hierarchical Dirichlet language model", Nat. Lang. Eng. 1995; at most 156 contexts are
    remembered.
    """

    low: float = inf
    high: float = -inf
    past: tuple[int, ...] = ()
    """The parts that the last values lay in, newest first."""
    followed: dict[tuple[int, ...], list[int]] = {}
    """Context -> how often each part followed it."""
    usual: Average = msgspec.field(default_factory=lambda: Average(_MEMORY))

    def surprise(self, value: float) -> float:
        """-ln of the probability of ``value``, as far as it is more than usual; then it is
        learned."""
        self.low, self.high = min(self.low, value), max(self.high, value)
        width = self.high - self.low
        part = min(int((value - self.low) / width * _PARTS), _PARTS - 1) if width > 0 else 0
        probability = 1 / _PARTS
        for length in range(len(self.past) + 1):
            followed = self.followed.setdefault(self.past[:length], [0] * _PARTS)
            probability = (followed[part] + probability) / (sum(followed) + 1)
            followed[part] += 1
        self.past = (part, *self.past[: _CONTEXT - 1])
        surprise = -log(probability)
        return max(0.0, surprise - self.usual.add(surprise))


_REST, _LEAST_REST = 0.02, 50
"""Of the values seen, and values at least."""
_LARGER = 2.0
"""Multiple of the latest alarm's surprise that is news while resting."""
_DEARER = 1.3
"""Surprise that is asked for more, times the logarithm of 1 and the alarms so far."""
_ALARM_MEMORY = 100
"""Values that an alarm counts fully, at least; later by its share of the series' life."""


class Rest(msgspec.Struct, array_like=True, gc=False):
    """An alarm makes the next one harder: anomalies are told of once, and a series that is often
    odd has to be odder.

    For a while - 2% of what has been seen, 50 values at least - only what is twice as surprising is
    news, as conformal detectors do (Burnaev and Ishimtsev 2016). And every alarm so far counts, the
    less the longer ago, so that no series can spend all of the false alarms (the idea of alpha
    investing: Foster and Stine, "Alpha-investing: a procedure for sequential control of expected
    false discoveries", J. R. Stat. Soc. B 2008).
    """

    seen: int = 0
    since: int | None = None
    """The value at which the latest alarm began."""
    top: float = 0.0
    alarms: float = 0.0

    def news(self, surprise: float) -> float:
        """What of a surprise is new; 0 while resting."""
        self.seen += 1
        self.alarms *= 1 - 1 / (self.seen + _ALARM_MEMORY)
        surprise = max(0.0, surprise - _DEARER * log1p(self.alarms))
        resting = self.since is not None and self.seen - self.since < max(
            _LEAST_REST, _REST * self.seen
        )
        if resting and surprise <= _LARGER * self.top:
            return 0.0
        if surprise >= ALARM:
            self.since, self.top = self.seen, surprise
            self.alarms += 1
        return surprise


class PointDetector(msgspec.Struct, array_like=True, gc=False):
    """Several views of the series, each judged by the tail of its own past (SPOT,
    agents/detectors/spot.py) or a probability by itself.

    Their surprises are added, or one beyond a tail is so large that it counts alone. Half of the
    sum is left when the next value comes: what lasts is more of an anomaly than what does not.

    Views: the distance from what is usual at this time of day (before a time of day is known, from
    the long-term level); the mean of twenty such distances, in units of the usual one; the mean of
    three distances from the last 200 values in units of their standard deviation; whether the
    series moves less than it used to; how far the curve of the last values lies from all curves
    before; and, already a probability, how rarely such a value has followed the last ones.

    What is usual at a time of day is learned with bounded influence (Huber, "Robust estimation of a
    location parameter", Ann. Math. Stat. 1964): else an anomaly would be half expected the next day
    at its time, and the usual value there a surprise. Scores do not depend on the unit of the
    values.

    Source: Siffer et al., "Anomaly detection in streams with extreme value theory", KDD 2017, of
    each view.
    """

    level: Average = msgspec.field(default_factory=lambda: Average(_MEMORY))
    spread: Average = msgspec.field(default_factory=lambda: Average(_MEMORY))
    near: Average = msgspec.field(default_factory=lambda: Average(_NEAR))
    near_variance: Average = msgspec.field(default_factory=lambda: Average(_NEAR))
    motion: Average = msgspec.field(default_factory=lambda: Average(24))
    usual_motion: Average = msgspec.field(default_factory=lambda: Average(_MEMORY))
    season_20: Average = msgspec.field(default_factory=lambda: Average(20))
    near_3: Average = msgspec.field(default_factory=lambda: Average(3))
    day: Day = msgspec.field(default_factory=Day)
    shapes: Shapes = msgspec.field(default_factory=Shapes)
    patterns: Patterns = msgspec.field(default_factory=Patterns)
    tails: dict[View, Tail] = msgspec.field(
        default_factory=lambda: {view: Tail() for view in WEIGHTS if view != "pattern"}
    )
    surprise: float = 0.0
    rest: Rest = msgspec.field(default_factory=Rest)
    last: float | None = None
    news: float = 0.0
    """What was new of the newest value's surprise (natural logarithm of an improbability)."""

    def update(self, time: float, value: float) -> Score:
        """Score a value at ``time`` (epoch seconds). ``expected`` is the usual value at this time.
        Beyond 1e100 values are all alike."""
        if not isfinite(value):
            return gap(False)
        value = max(-_LARGEST, min(_LARGEST, value))
        if self.last is None:
            self.last = self.level.mean = self.near.mean = value
        expected, unit, views = self._views(time, value)
        together, alone = WEIGHTS["pattern"] * self.patterns.surprise(value), 0.0
        for view, size in views.items():
            tail = self.tails[view]
            surprise = tail.surprise(size)
            together, alone = together + WEIGHTS[view] * surprise, max(alone, surprise)
            tail.learn(size)
        self.last = value
        self.level.add(value)
        farthest = _FARTHEST * unit
        self.day.learn(time, expected + max(-farthest, min(farthest, value - expected)))
        self.surprise = _FADE * self.surprise + max(together / _SCALE, alone - _ALONE)
        self.news = self.rest.news(self.surprise)
        return Score(min(1.0, self.news / ALARM), value, expected)

    def _views(self, time: float, value: float) -> tuple[float, float, dict[View, float]]:
        """What is usual now, how far values usually lie from it, and the size of each view."""
        assert self.last is not None
        spread = self.spread.add(abs(value - self.level.mean))
        expected, size = self.day.usual(time) or (self.level.mean, spread)
        unit = size + 0.3 * spread + 1e-9
        distance = value - expected
        views: dict[View, float] = {
            "season": abs(distance),
            "season_20": abs(self.season_20.add(distance / unit)),
            "near": abs(self.near_3.add(self._from_near(value))),
        }
        move = abs(value - self.last)
        motion, usual = self.motion.add(move), self.usual_motion.add(move)
        if usual > 0:
            views["calm"] = -log(motion / usual + 0.01)
        if (novelty := self.shapes.distance(value)) is not None:
            views["shape"] = novelty
        return expected, unit, views

    def _from_near(self, value: float) -> float:
        deviation = sqrt(self.near_variance.mean)
        distance = (value - self.near.mean) / (deviation + 1e-9) if deviation > 0 else 0.0
        self.near_variance.add((value - self.near.add(value)) ** 2)
        return distance


def graded(detector: PointDetector, time: float, value: float) -> float:
    """Score a value by a number in [0, 1) that goes on growing beyond an alarm, which is at 0.5:
    for files, where somebody may look for another threshold."""
    score = detector.update(time, value).score
    return float(1 - 2.0 ** -(detector.news / ALARM if score == 1.0 else score))
