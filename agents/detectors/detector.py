"""What every detector of this package has in common: what it is asked, and what it answers.

In a notebook::

    detector = RateTest(h=12.0)              # one false alarm in about exp(12) buckets
    scores = [detector.update(time, Share(errors, requests)) for time, errors, requests in buckets]
    msgspec.msgpack.encode(detector)         # its state, as a worker keeps it
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple, Protocol, TypeVar

Value = TypeVar("Value", contravariant=True)


class Score(NamedTuple):
    """How unusual the newest value is.

    ``score`` is in [0, 1]: the evidence as a share of what an alarm needs; 1 is an alarm, and
    nothing else is. ``value`` and ``expected`` are in the unit of the series. ``residual``: how far
    the newest value alone lies from what is usual, in standard deviations as the detector knows
    them; 0 where it brought nothing or the detector does not say.
    """

    score: float = 0.0
    value: float = 0.0
    expected: float = 0.0
    residual: float = 0.0

    @property
    def alarm(self) -> bool:
        """Whether the score has reached 1, the bound of every detector."""
        return self.score >= 1.0


class Detector(Protocol[Value]):
    """A streaming detector of one series, and its whole state at once.

    It is a msgspec Struct of plain data: ``msgspec.msgpack.encode`` writes it down, and what
    ``msgspec.msgpack.decode`` makes of that with its type goes on as it would have. What it looks
    for is part of it; where its owner may ask for something else with each value, that is a keyword
    of :meth:`update` with a default.

    Of every class of this package that has an ``update``, tests/unit/test_detectors.py checks:

    - it is deterministic, sees each value once and never one that is still to come;
    - its scores lie in [0, 1] and are 1 while an alarm is on (:class:`Score`);
    - it is silent on what never changes and tells what plainly does;
    - its state is bounded, and may be written and read between any two values;
    - a value that is not finite (NaN, infinity) is a gap: nothing is learned from it, and its score
      says only whether an alarm is on (:func:`gap`);
    - its docstring says, after ``Source:``, where it was published, and if scores do not depend on
      the unit of the values, it says so in these words.
    """

    def update(self, time: float, value: Value, /) -> Score:
        """Score ``value`` against what came before it, then learn from it.

        ``time``: epoch seconds of event time, never falling.
        """


def gap(alarm: bool) -> Score:
    """The answer to a value that is not finite, which says nothing: whether an alarm is on."""
    return Score(float(alarm))


def deviation(count: float, expected: float) -> float:
    """How far a count lies from its expectation, in standard deviations of a Poisson distribution.

    The root makes rare events nearly normal (Anscombe, "The transformation of Poisson, binomial and
    negative-binomial data", 1948).
    """
    return 2.0 * (sqrt(count + 0.375) - sqrt(expected + 0.375))
