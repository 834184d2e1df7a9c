"""What stage 2 goes by: the slowest of its sources."""

from __future__ import annotations

from math import inf

import pytest

from agents.common.watermark import Source, Watermark

NOW = 1_788_739_200.0
A, B = Source("cluster", 0), Source("cluster", 1)


@pytest.mark.parametrize(
    ("heard", "time"),
    [
        ([], -inf),
        ([(A, NOW)], -inf),
        ([(A, NOW), (B, 0.0)], -inf),
        ([(A, NOW), (B, NOW - 5)], NOW - 5),
        ([(A, NOW), (B, NOW - 86_400)], NOW - 86_400),
        ([(A, NOW), (B, NOW - 5), (A, NOW - 60)], NOW - 5),
    ],
    ids=["nobody", "one is unknown", "one has read nothing", "both have", "far behind", "a repeat"],
)
def test_the_time_all_have_reached(heard: list[tuple[Source, float]], time: float) -> None:
    watermark = Watermark(2)
    for source, clock in heard:
        watermark.hear(source, clock, False)
    assert watermark.time == time


def test_it_rests_when_all_sources_do_and_comes_back_as_it_was() -> None:
    watermark, again = Watermark(2), Watermark(2)
    watermark.hear(A, NOW, True)
    assert not watermark.rests
    watermark.hear(B, NOW, True)
    again.load(watermark.take_changes())
    assert watermark.rests and again.rests and again.time == NOW
    watermark.hear(B, NOW + 1, False)
    assert not watermark.rests
