"""Partial sums of the cost windows, and the message that carries them from stage 1 to the agents ``cost`` and ``anomaly``."""

from __future__ import annotations

import msgspec

from schemas.aggregates import Aggregate, Series

WINDOW = 10
"""Seconds of the finest window, from which all others are summed."""

SETTLE = 30.0
"""Seconds after its window in which most calls end."""

ALONE = 1 << 62
"""Segments from here on hold the answer of one request only, which came when the request's own segment was settled: what it adds to, and
takes from, the sums there."""


class Part(msgspec.Struct, array_like=True, gc=False):
    """A partial as it travels to the agents ``cost`` and ``anomaly``. ``counted``: see agents/interactions/parts.py."""

    segment: int
    window: int
    series: Series
    aggregate: Aggregate
    counted: int = 0

    @property
    def judged(self) -> int:
        """Start of the window in which detectors count it."""
        return self.counted or self.window


class Parts(msgspec.Struct, array_like=True, gc=False):
    """The message from one source partition to one partition of the partials topic.

    ``settled``: per family, the segment below which nothing changes any more; it is durable at the sender. ``clock``: event time, epoch
    seconds, up to which all calls have come to the sender, and are told of here or before. ``rests``: nobody has anything more to read.
    """

    source: str
    partition: int
    settled: tuple[int, ...]
    clock: float
    rests: bool
    parts: list[Part]
