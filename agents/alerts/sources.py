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
"""Seconds of processing time without a word, while others speak, after which a source is not waited for. Detectors speak at least once a
minute; where there is nothing to read and time stands still, nobody does."""


class FindingSource(NamedTuple):
    agent: str
    partition: int


def lane_of(agent: str) -> Lane:
    """How findings of an agent are taken: at once, or in order of event time."""
    return "immediate" if agent in IMMEDIATE else "ordered"


class Sources:
    """Clocks of the sources; None: there is nothing more to read, so it holds nobody back.

    ``agents``: those whose partitions are waited for from the beginning; others, once they have spoken.
    """

    def __init__(self, partitions: int, agents: Iterable[str] = ()) -> None:
        self.clocks: dict[FindingSource, float | None] = {}
        self._partitions = partitions
        self._agents = frozenset(agents)
        self._spoke: set[FindingSource] = set()
        self._heard: dict[FindingSource, float] = {}

    def hear(self, source: FindingSource, clock: float | None) -> bool:
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
        """Event time which all sources of a lane have reached. None: unknown; infinite: all rest.

        An ordered agent runs in all partitions: those not heard of yet are waited for. So are agents whose findings act at once, because
        those of a history are ordered, too.
        """
        clocks = [clock for source, clock in self.clocks.items() if lane == "ordered" or lane_of(source.agent) == lane]
        if not clocks or (lane == "ordered" and any(source not in self.clocks for source in self._expected())):
            return None
        return min((clock for clock in clocks if clock is not None), default=math.inf)

    def let_time_pass(self, now: float) -> list[FindingSource]:
        """Sources that have said nothing for too long become idle; returns them. ``now``: processing time."""
        self._heard.update(dict.fromkeys(self._spoke, now))
        self._spoke.clear()
        gone = []
        latest = max(self._heard.values(), default=now)
        for source in [*self.clocks, *self._expected()]:
            if latest - self._heard.setdefault(source, now) > GONE_AFTER and self.clocks.get(source, 0.0) is not None:
                self.clocks[source] = None
                gone.append(source)
        return gone

    def _expected(self) -> Iterable[FindingSource]:
        agents = self._agents | {source.agent for source in self.clocks if lane_of(source.agent) == "ordered"}
        return [FindingSource(agent, p) for agent in sorted(agents) for p in range(self._partitions)]
