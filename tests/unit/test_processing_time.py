"""Processing time: what counts as time at work, and what as time stopped."""

from __future__ import annotations

import doctest
import math
from collections.abc import Iterable

import pytest

from streams import processing_time
from streams.processing_time import ProcessingTime


def looks(moments: Iterable[float], longest_gap: float = 5.0) -> list[float]:
    """What the clock says at each moment after the first, at which it is made."""
    clock_at = iter(moments)
    first = next(clock_at)
    now = first
    clock = ProcessingTime(longest_gap, monotonic=lambda: now)
    found = []
    for now in clock_at:  # noqa: B007  (read by the clock)
        found.append(clock.now())
    return found


def test_the_examples_of_the_module() -> None:
    assert doctest.testmod(processing_time) == (0, 3)


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        ([0.0, 0.0], [0.0]),
        ([100.0, 100.5, 102.0], [0.5, 2.0]),
        ([0.0, 5.0], [5.0]),
        ([0.0, 5.001], [0.0]),
        ([0.0, 1.0, 3601.0, 3602.0], [1.0, 1.0, 2.0]),
        ([0.0, 10.0, 20.0, 30.0], [0.0, 0.0, 0.0]),
        ([0.0, 4.0, 8.0, 12.0], [4.0, 8.0, 12.0]),
        ([-50.0, -49.0, 1.0, 2.0], [1.0, 1.0, 2.0]),
    ],
    ids=["no time", "any origin", "a gap just short enough", "a gap just too long", "an hour of standstill", "never at work",
         "always at work", "a clock that begins below zero"],
)  # fmt: skip
def test_time_passes_only_in_gaps_short_enough(moments: list[float], expected: list[float]) -> None:
    assert looks(moments) == pytest.approx(expected)


def test_it_never_goes_back() -> None:
    moments = [0.0, 1.0, 90.0, 90.2, 200.0, 203.0, 203.0]
    found = looks(moments)
    assert found == sorted(found)
    assert found[-1] == pytest.approx(1.0 + 0.2 + 3.0)


def test_with_an_endless_gap_it_is_the_clock_itself() -> None:
    assert looks([7.0, 1_000_007.0], longest_gap=math.inf) == [1_000_000.0]


def test_by_default_it_follows_the_monotonic_clock() -> None:
    clock = ProcessingTime(longest_gap=60.0)
    first, second = clock.now(), clock.now()
    assert 0.0 <= first <= second < 60.0
