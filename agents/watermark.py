"""Event time that all source partitions of a stage have reached, as their messages say."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

PATIENCE = 3_600.0
"""Seconds of event time that is waited for a source which lags behind. It bounds what must be held meanwhile."""


class Source(NamedTuple):
    """One partition of stage 1."""

    cluster: str
    partition: int


Reached = tuple[Source, float, bool]
"""A source, its clock in epoch seconds, and whether it is idle."""


class Watermark:
    """The slowest clock of the sources that are not idle; of the idle ones the fastest counts, if there are no others.

    Until all ``sources`` have spoken, the others run ahead of an unknown one by ``patience`` at most, as later of one that lags.
    """

    def __init__(self, sources: int, patience: float = PATIENCE) -> None:
        self._sources = sources
        self._patience = patience
        self._clocks: dict[Source, tuple[float, bool]] = {}
        self._moved: set[Source] = set()

    def hear(self, source: Source, clock: float, idle: bool) -> None:
        """A source says how far it is. What it repeats after a crash, it has said before."""
        known = self._clocks.get(source, (-inf, idle))
        if clock >= known[0] and (clock, idle) != known:
            self._clocks[source] = clock, idle
            self._moved.add(source)

    @property
    def time(self) -> float:
        """Epoch seconds; minus infinity as long as no source has read anything: its clock is 0 then."""
        time = self._time()
        return time if time > 0 else -inf

    def _time(self) -> float:
        awake = [clock for clock, idle in self._clocks.values() if not idle]
        fastest = max((clock for clock, _ in self._clocks.values()), default=-inf)
        if len(self._clocks) < self._sources:
            return fastest - self._patience
        return max(min(awake), max(awake) - self._patience) if awake else fastest

    # Persistence

    def take_changes(self) -> list[Reached]:
        """Sources that have moved since the last call."""
        moved, self._moved = sorted(self._moved), set()
        return [(source, *self._clocks[source]) for source in moved]

    def all(self) -> list[Reached]:
        return [(source, *self._clocks[source]) for source in sorted(self._clocks)]

    def load(self, reached: list[Reached]) -> None:
        """Restore what the above returned."""
        self._clocks.update({Source(*source): (clock, idle) for source, clock, idle in reached})
