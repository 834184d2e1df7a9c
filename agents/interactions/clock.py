"""How far a topic-partition has been read in event time, as its records agree.

The newest time that any record bears would let one service whose clock is wrong end everybody
else's waiting. So one record moves the clock by a small step only. A longer one, as after a night
without traffic, needs the word of several records in a row, or that nothing else comes. A record
whose clock is behind moves nothing. Everything follows from the records in their order, so a replay
tells the same; only when a topic falls silent is the wall clock asked whether a Kafka time can be
true: producers write it, and theirs may be wrong as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

SKEW = 2.0
"""Seconds by which a record's event time may lead its Kafka time and be believed: clocks of machines differ by that much."""

STEP = 15.0
"""Seconds by which one record may move the clock: what a wrong clock that is less ahead can do. It is
less than a call is waited for, unless it says otherwise (``timeout_ms``, ``join.grace``)."""

WITNESSES = 8
"""Leaps in a row that are believed. If a tenth of the traffic has a wrong clock, one run of this
length in a hundred million is all its own."""


class Leap(NamedTuple):
    """A record further ahead than a step: its time, as far as it is believed, and whose clock it was
    (skew.py), "" if nobody's in particular."""

    time: float
    who: str


class Clock:
    """The clock of one topic-partition.

    ``time``: epoch seconds, 0 before anything was read. ``leaps``: those that wait for witnesses.
    ``backing``: of the first records, those that agree with the clock less those far behind it: the
    first of all may be wrong itself.
    """

    __slots__ = ("backing", "leaps", "time")

    def __init__(
        self, time: float = 0.0, leaps: Iterable[tuple[float, str]] = (), backing: int | None = None
    ) -> None:
        self.time = time
        self.leaps = [Leap(*leap) for leap in leaps]
        self.backing = (WITNESSES if time else 0) if backing is None else backing

    @property
    def wary(self) -> bool:
        """Whether every record must be heard. Else one that does not leap need not be: it moves
        ``time``, if it is later."""
        return bool(self.leaps) or self.backing < WITNESSES

    def hear(self, time: float, who: str = "") -> list[Leap]:
        """A record bears this time, as far as it is believed. Returns leaps which it shows to be
        wrong: time has not come there after all."""
        if not self.time:
            self.time = time
            self.backing = 1
        elif time > self.time + STEP:
            self._leap(Leap(time, who))
        elif time >= self.time - STEP:
            self.time = max(self.time, time)
            self.backing = min(self.backing + 1, WITNESSES)
            return [] if self.backing < WITNESSES else self._deny()
        elif self.backing < WITNESSES:
            self.backing -= 1
            if self.backing < 0:  # the first were not the rule; or few have come, then they count
                self.leaps.append(Leap(self.time, ""))
                self.time = time
                self.backing = 1
        return []

    def rest(self, wall: float) -> list[Leap]:
        """Nothing more comes: the newest leap counts, as far as it can be true at ``wall``, epoch
        seconds. Returns those that can not."""
        if not self.leaps:
            return []
        latest = wall + SKEW
        self.time = max(self.time, min(max(self.leaps).time, latest))
        return [leap for leap in self._deny() if leap.time > latest]

    def _leap(self, leap: Leap) -> None:
        """The last ones count, as far as all of them have come but one: that may be behind."""
        self.leaps.append(leap)
        if len(self.leaps) < WITNESSES:
            return
        self.backing = WITNESSES
        _, self.time, *later = sorted(leap.time for leap in self.leaps)
        for time in later:
            if time <= self.time + STEP:
                self.time = time
        self.leaps = [leap for leap in self.leaps[1:] if leap.time > self.time]

    def _deny(self) -> list[Leap]:
        denied, self.leaps = self.leaps, []
        return denied
