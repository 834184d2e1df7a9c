"""Event time that all source partitions of a stage have reached, as their messages say."""

from __future__ import annotations

from math import inf
from typing import NamedTuple


class Source(NamedTuple):
    """One partition of stage 1."""

    cluster: str
    partition: int


Reached = tuple[Source, float, bool]
"""A source, its clock in epoch seconds, and whether it rests."""


class Watermark:
    """The slowest clock of all ``sources``. A source is waited for however long it takes: what waits for it is bounded by who holds it."""

    def __init__(self, sources: int) -> None:
        self._sources = sources
        self._clocks: dict[Source, tuple[float, bool]] = {}
        self._moved: set[Source] = set()

    def hear(self, source: Source, clock: float, rests: bool) -> None:
        """A source says how far it is, and whether there is nothing more to read. What it repeats after a crash, it has said before."""
        known = self._clocks.get(source, (-inf, rests))
        if clock >= known[0] and (clock, rests) != known:
            self._clocks[source] = clock, rests
            self._moved.add(source)

    @property
    def time(self) -> float:
        """Epoch seconds; minus infinity until all sources have read something: a clock is 0 before."""
        time = min((clock for clock, _ in self._clocks.values()), default=-inf)
        return time if time > 0 and len(self._clocks) >= self._sources else -inf

    @property
    def rests(self) -> bool:
        """Whether nobody has anything more to read."""
        return len(self._clocks) >= self._sources and all(rests for _, rests in self._clocks.values())

    # Persistence

    def take_changes(self) -> list[Reached]:
        """Sources that have moved since the last call."""
        moved, self._moved = sorted(self._moved), set()
        return [(source, *self._clocks[source]) for source in moved]

    def all(self) -> list[Reached]:
        """All sources, in order."""
        return [(source, *self._clocks[source]) for source in sorted(self._clocks)]

    def load(self, reached: list[Reached]) -> None:
        """Restore what the above returned."""
        self._clocks.update({Source(*source): (clock, rests) for source, clock, rests in reached})
