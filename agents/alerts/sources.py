"""How far the detectors have come: one clock per source, a source being one partition of an agent."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

Lane = Literal["immediate", "ordered"]

IMMEDIATE = frozenset({"budgets"})
"""Agents whose findings act when they arrive. Those of all others wait until every partition of their agent has come as far, and then act
in the order of their times, so that what they do to each other (inhibition, the cap) does not depend on who was read first."""

GONE_AFTER = 90.0
"""Seconds of processing time without a word after which a source is treated as idle. Detectors speak at least once a minute."""


class Source(NamedTuple):
    agent: str
    partition: int


def lane_of(agent: str) -> Lane:
    return "immediate" if agent in IMMEDIATE else "ordered"


class Sources:
    """Clocks of the sources; None: idle, holds nobody back."""

    def __init__(self, partitions: int) -> None:
        self.clocks: dict[Source, float | None] = {}
        self._partitions = partitions
        self._spoke: set[Source] = set()
        self._heard: dict[Source, float] = {}

    def hear(self, source: Source, clock: float | None) -> bool:
        """A source says how far it is; it repeats itself after a crash, so its clock does not go back. Whether that is news."""
        self._spoke.add(source)
        known = self.clocks.get(source)
        if known is not None and clock is not None:
            clock = max(known, clock)
        if source in self.clocks and known == clock:
            return False
        self.clocks[source] = clock
        return True

    def clock(self, lane: Lane) -> float | None:
        """Event time which all sources of a lane have reached. None: unknown; infinite: all are idle.

        An ordered agent runs in all partitions: those not heard of yet are waited for.
        """
        clocks = [clock for source, clock in self.clocks.items() if lane_of(source.agent) == lane]
        if not clocks or (lane == "ordered" and any(source not in self.clocks for source in self._expected())):
            return None
        return min((clock for clock in clocks if clock is not None), default=math.inf)

    def let_time_pass(self, now: float) -> list[Source]:
        """Sources that have said nothing for too long become idle; returns them. ``now``: processing time."""
        self._heard.update(dict.fromkeys(self._spoke, now))
        self._spoke.clear()
        gone = []
        for source in [*self.clocks, *self._expected()]:
            if now - self._heard.setdefault(source, now) > GONE_AFTER and self.clocks.get(source, 0.0) is not None:
                self.clocks[source] = None
                gone.append(source)
        return gone

    def _expected(self) -> Iterable[Source]:
        agents = {source.agent for source in self.clocks if lane_of(source.agent) == "ordered"}
        return [Source(agent, p) for agent in sorted(agents) for p in range(self._partitions)]
