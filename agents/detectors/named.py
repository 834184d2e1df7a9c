"""Drift detectors and anomaly models of river, called by their names, as detectors of this package.

river is imported when the first one is made: nobody else pays for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from inspect import Parameter, isclass, signature
from math import isfinite, log
from statistics import median
from typing import Any, NamedTuple

import msgspec

from agents.detectors.detector import Score, gap
from agents.detectors.spot import Tail

_MODULES = ("drift", "drift.binary", "anomaly")
_SAY_NOTHING = frozenset({"drift.DummyDriftDetector", "drift.NoDrift"})
_KEPT = 500
"""Values from which a detector is made anew each time as many more have come."""
_FIRST = 30
"""Values from which the centre and the unit are taken."""
_FARTHEST = 10.0
"""Standard deviations beyond which values are alike."""
_LARGEST = 1e100
_BOUNDED = frozenset(
    {"anomaly.GaussianScorer", "anomaly.HalfSpaceTrees", "anomaly.PredictiveAnomalyDetection"}
)
"""Whose scores are at most 1: how near they come to it is what tells anomalies apart."""
_LEAST = 1e-12
_IMPROBABLE = 9.2
"""Surprise of an anomaly model's score that is an alarm: one in 10,000."""


class RiverDetector(msgspec.Struct, array_like=True, dict=True):
    """One of :func:`names`: a drift detector, or an anomaly model whose score is judged by the tail
    of its own past (agents/detectors/spot.py).

    Its objects cannot be written down, so the values are kept and it is made anew of them: after
    every 500th value of the last 500, restart or not, and so its memory is that long. A random
    detector begins with the seed 0 unless ``parameters`` say otherwise. Values come to it in
    standard deviations from the median, by the first 30 that are kept (robustly: by the median
    absolute deviation), to anomaly models as 0.5 + a tenth of that; to detectors of binary events
    as whether they are not 0. Scores do not depend on the unit of the values.

    Source: Montiel et al., "River: machine learning for streaming data in Python", JMLR 2021;
    river's documentation names the paper of each.
    """

    name: str
    """Module and class within river, such as ``drift.ADWIN``."""
    parameters: dict[str, Any] = {}
    kept: list[float] = []

    def update(self, time: float, value: float) -> Score:
        """``expected`` is the median of the values kept, where there is an alarm. Beyond 1e100
        values are all alike."""
        if not isfinite(value):
            return gap(False)
        value = max(-_LARGEST, min(_LARGEST, value))
        usual = self.kept
        self.kept = [*usual, value]
        alive: _Alive | None = self.__dict__.get("alive")
        if alive is None or len(self.kept) >= 2 * _KEPT:
            self.kept = self.kept[-_KEPT:] if len(self.kept) >= 2 * _KEPT else self.kept
            alive = self.__dict__["alive"] = _Alive(self.name, self.parameters)
            alarm = [alive.alarm(one) for one in self.kept][-1]
        else:
            alarm = alive.alarm(value)
        return Score(float(alarm), value, median(usual) if alarm and usual else value)


class _Alive:
    """An object of river, and how numbers are put before it."""

    def __init__(self, name: str, parameters: Mapping[str, Any]) -> None:
        made = _made(name)
        self._of = made.kind(**{**made.seed, **parameters})
        self._first: list[float] = []
        self._centre, self._unit = 0.0, 0.0
        self._tail = Tail()
        binary = name.startswith("drift.binary.")
        self._take: Callable[[float], bool] = self._flag if binary else self._number
        self._seen = 0
        self._bounded = name in _BOUNDED
        self._anomaly = name.startswith("anomaly.")
        self._supervised = made.supervised

    def alarm(self, value: float) -> bool:
        """Whether this value is one."""
        return self._take(value)

    def _flag(self, value: float) -> bool:
        self._of.update(value != 0)
        return bool(self._of.drift_detected)

    def _number(self, value: float) -> bool:
        if self._unit:
            return self._judged(value)
        self._first.append(value)
        if len(self._first) < _FIRST:
            return False
        self._centre = median(self._first)
        spread = 1.4826 * median(abs(one - self._centre) for one in self._first)
        self._unit = spread or max(map(abs, self._first)) * 0.01 or 1e-9
        return sum(self._judged(one) for one in self._first) > 0  # all of them, not until the first

    def _judged(self, value: float) -> bool:
        far = (value - self._centre) / self._unit
        far = max(-_FARTHEST, min(_FARTHEST, far))
        if not self._anomaly:
            self._of.update(far)
            return bool(self._of.drift_detected)
        given = 0.5 + far / 10
        if self._supervised:
            size = self._of.score_one({}, given)
            self._of.learn_one({}, given)
        else:
            size = self._of.score_one({"value": given})
            self._of.learn_one({"value": given})
        size = float(size) if isfinite(size) else 0.0
        self._seen += 1
        if self._tail.threshold is None and (not size or self._seen <= _FIRST):
            return False  # it is still learning
        if self._bounded:
            size = -log(max(_LEAST, 1 - size))
        alarm = self._tail.surprise(size) >= _IMPROBABLE
        self._tail.learn(size)
        return alarm


def spoken(name: str, values: Iterable[float], **parameters: Any) -> list[int]:
    """Positions of the alarms of a new one; what is not finite is a gap."""
    alive = _Alive(name, parameters)
    return [at for at, value in enumerate(values) if isfinite(value) and alive.alarm(value)]


class _Made(NamedTuple):
    """How a class is made and asked."""

    kind: Any
    seed: Mapping[str, int]
    supervised: bool


@cache
def _made(name: str) -> _Made:
    kind = _classes()[name]
    learns = name.startswith("anomaly.") and "y" in signature(kind.learn_one).parameters
    return _Made(kind, {"seed": 0} if "seed" in signature(kind).parameters else {}, learns)


def names() -> Sequence[str]:
    """What there is in the installed river, such as ``drift.ADWIN``; imports it."""
    return sorted(_classes())


@cache
def _classes() -> dict[str, Any]:
    found = {}
    for name in _MODULES:
        module = import_module(f"river.{name}")
        for one in vars(module).values():
            said = f"{name}.{getattr(one, '__name__', '')}"
            if isclass(one) and said not in _SAY_NOTHING and _stands_alone(one):
                found[said] = one
    return found


def _stands_alone(one: type) -> bool:
    """Whether it judges numbers and needs no other model to do so."""
    judges = hasattr(one, "drift_detected") or hasattr(one, "score_one")
    made = signature(one).parameters.values()
    return judges and not any(
        p.default is Parameter.empty and p.kind is Parameter.POSITIONAL_OR_KEYWORD for p in made
    )


def named(name: str, parameters: Mapping[str, Any]) -> RiverDetector:
    """A new one. Raises ValueError that says what is possible, if there is none of this name, or if
    it cannot be made or cannot work with these parameters."""
    if name not in (known := _classes()):
        raise ValueError(f"there is no {name!r} in river; there are {', '.join(sorted(known))}")
    possible = ", ".join(
        f"{p.name} = {p.default!r}" for p in signature(known[name]).parameters.values()
    )
    detector = RiverDetector(name, dict(parameters))
    try:
        for at in range(2 * _FIRST):
            detector.update(float(at), float(at % 7))
    except Exception as error:
        raise ValueError(
            f"{name} does not work with these parameters: {error}; it has {possible or 'none'}"
        ) from error
    return RiverDetector(name, dict(parameters))
