"""What every detector of this package answers, and how it is asked."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple, Protocol, TypeVar

Value = TypeVar("Value", contravariant=True)


class Score(NamedTuple):
    """How unusual the newest value is. ``score`` is in [0, 1]: the evidence as a share of what an alarm needs; 1 is an alarm.

    ``value`` and ``expected`` are in the unit of the series. ``residual``: how far the newest value alone lies from what is usual, in
    standard deviations as the detector knows them; 0 where it brought nothing.
    """

    score: float = 0.0
    value: float = 0.0
    expected: float = 0.0
    residual: float = 0.0

    @property
    def alarm(self) -> bool:
        return self.score >= 1.0


def deviation(count: float, expected: float) -> float:
    """How far a count lies from its expectation, in standard deviations of a Poisson distribution.

    The root makes rare events nearly normal (Anscombe, "The transformation of Poisson, binomial and negative-binomial data", 1948).
    """
    return 2.0 * (sqrt(count + 0.375) - sqrt(expected + 0.375))


class Detector(Protocol[Value]):
    """A streaming detector: sees each value once, in order of time (epoch seconds), and never one that is still to come."""

    def update(self, time: float, value: Value) -> Score:
        """Score ``value`` against what came before it, then learn from it."""
