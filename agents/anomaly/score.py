"""What every detector of this package answers, and how it is asked."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeVar

Value = TypeVar("Value", contravariant=True)


class Score(NamedTuple):
    """How unusual the newest value is. ``score`` is in [0, 1]: the evidence as a share of what an alarm needs; 1 is an alarm.

    ``value`` and ``expected`` are in the unit of the series.
    """

    score: float = 0.0
    value: float = 0.0
    expected: float = 0.0

    @property
    def alarm(self) -> bool:
        return self.score >= 1.0


class Detector(Protocol[Value]):
    """A streaming detector: sees each value once, in order of time (epoch seconds), and never one that is still to come."""

    def update(self, time: float, value: Value) -> Score:
        """Score ``value`` against what came before it, then learn from it."""
