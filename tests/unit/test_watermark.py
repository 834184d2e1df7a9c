"""What stage 2 goes by: the slowest of its sources."""

from __future__ import annotations

from math import inf

import pytest

from agents.watermark import PATIENCE, Source, Watermark

NOW = 1_788_739_200.0
A, B = Source("cluster", 0), Source("cluster", 1)


@pytest.mark.parametrize(
    ("heard", "time"),
    [
        ([], -inf),
        ([(A, 0.0, True)], -inf),
        ([(A, 0.0, False), (B, 0.0, True)], -inf),
        ([(A, NOW, False)], NOW - PATIENCE),
        ([(A, NOW, False), (B, 0.0, True)], NOW),
        ([(A, NOW, False), (B, NOW - 5, False)], NOW - 5),
        ([(A, NOW, False), (B, 0.0, False)], NOW - PATIENCE),
        ([(A, NOW, True), (B, NOW - 5, True)], NOW),
    ],
    ids=["nobody", "one has read nothing", "both have", "one is unknown", "one is idle", "slower", "far behind", "both are idle"],
)
def test_the_time_all_have_reached(heard: list[tuple[Source, float, bool]], time: float) -> None:
    watermark = Watermark(2)
    for source, clock, idle in heard:
        watermark.hear(source, clock, idle)
    assert watermark.time == time
