"""How far this partition has read, told to all others; and what follows from what they all say.

In: :class:`Reading` from every partition, ticks of processing time. Out: this partition's own
:class:`Reading`, up to when everything has come to it, and whether the input is at rest. Fails
never.
"""

from __future__ import annotations

from typing import NamedTuple

from agents.interactions.completeness import Bound, Completeness, Reading
from agents.interactions.outbox import READING
from agents.interactions.partition import Partition
from schemas.partials import WINDOW
from streams.effects import Effects

REPEATS, VOUCHES_EVERY = 10.0, 1.0
"""Seconds of processing time after which a partition with nothing to read says so again; and while
it has not yet vouched for what others have read."""

RESTS_AFTER = 5.0
"""Seconds of processing time for which nobody may have anything to read until the input counts as
at rest."""


class Word(NamedTuple):
    """How far a partition has read, in finest windows: all topics, and those of calls; whether they
    are at their ends; and up to when everything has come (in seconds once the input is at rest).
    While something is astray it is not at rest."""

    read: int
    calls: int
    silent: bool
    calls_silent: bool
    whole: float
    whole_calls: float

    @property
    def own(self) -> tuple[int, int, bool, bool]:
        """What is about what the partition itself has read."""
        return self.read, self.calls, self.silent, self.calls_silent


class Gossip:
    """Of one partition."""

    def __init__(self, partition: Partition) -> None:
        self.read_all = Completeness(partition.count)
        self.read_calls = Completeness(partition.count)
        self.whole = Completeness(partition.count)
        self.whole_calls = Completeness(partition.count)
        self._own = partition.number
        self._events = partition.context.topics.events
        self._clocks = partition.clocks
        self._strays = partition.strays
        self._outbox = partition.outbox
        self._said = Word(0, 0, False, False, 0.0, 0.0)
        self._said_at = 0.0
        self._stirred_at = 0.0
        """When it last had read something new, in processing time."""
        self._says_again = False
        self._rests = False

    def hear(self, reading: Reading, written: float) -> None:
        """A partition says how far it is; ``written``: when, epoch seconds."""
        self.read_all.hear(reading.partition, reading.clock, reading.idle, written)
        self.read_calls.hear(reading.partition, reading.joined, reading.joined_idle, written)
        self.whole.hear(reading.partition, reading.whole, False, written)
        self.whole_calls.hear(reading.partition, reading.joined_whole, False, written)

    def stir(self) -> None:
        """This partition has something to read."""
        self._rests = False
        self.read_all.stir(self._own)
        self.read_calls.stir(self._own)

    def tick(self, now: float) -> None:
        """Look whether nobody has anything to read, and whether that must be said. ``now``: seconds
        of processing time."""
        # The furthest clock of live input goes on, and nobody comes up with it.
        within = 2 * REPEATS if self._clocks.is_live() else 0.0
        vouches = all(read.vouches(self._own, within) for read in (self.read_all, self.read_calls))
        at_rest = self.read_all.at_rest and self.read_calls.at_rest
        self._rests = at_rest and all(
            read.rests(RESTS_AFTER) for read in (self.read_all, self.read_calls)
        )
        word = self._word()
        if word != self._said:
            self._said_at = now
            if word.own != self._said.own:
                self._stirred_at = now
        elif self._clocks.is_idle():
            known = vouches and at_rest == self._rests
            is_calm = known or now - self._stirred_at > 2 * REPEATS
            if now - self._said_at >= (REPEATS if is_calm else VOUCHES_EVERY):
                self._says_again, self._said_at = True, now

    @property
    def has_news(self) -> bool:
        """Whether there is something to say."""
        return self._says_again or self._word() != self._said

    def say(self, effects: Effects) -> None:
        """To all partitions, behind what was forwarded to them."""
        word = self._word()
        if word == self._said and not self._says_again:
            return
        self._said, self._says_again = word, False
        read, calls = self._clocks.read_up_to(), self._clocks.calls_read_up_to()
        reading = Reading(
            self._own, read, word.silent, calls, word.calls_silent, *self._whole_up_to()
        )
        self._outbox.tell_all(READING, reading, effects)

    def told_up_to(self) -> tuple[int, bool]:
        """Up to when all calls have come here and been told of, in finest windows; and whether the
        input is at rest."""
        time = self.whole_calls.time
        told = self.whole.time >= self.read_all.time and time >= self.read_calls.time
        return int(time) // WINDOW, self._rests and told

    @property
    def is_unconfirmed(self) -> bool:
        """Whether others may still send what belongs before what this partition has read."""
        clocks = self._clocks
        calls = self.whole_calls.time < clocks.furthest(clocks.joined)
        return calls or self.whole.time < clocks.furthest(self._events)

    def _word(self) -> Word:
        clocks = self._clocks
        silent = all(topic in clocks.silent for topic in self._events)
        silent = silent and self._strays.earliest > self.read_all.furthest
        whole, whole_calls = self._whole_up_to()
        if not (self.read_all.at_rest and self.read_calls.at_rest):  # else it has to be exact
            whole, whole_calls = whole // WINDOW, whole_calls // WINDOW
        read, calls = int(clocks.read_up_to()) // WINDOW, int(clocks.calls_read_up_to()) // WINDOW
        return Word(read, calls, silent, clocks.is_idle(), whole, whole_calls)

    def _whole_up_to(self) -> tuple[float, float]:
        """Event times to which everything, and every call, has come and found its counterpart."""
        earliest = self._strays.earliest
        return min(self.read_all.time, earliest), min(self.read_calls.time, earliest)

    # Persistence

    def load(
        self, read: list[Bound], calls: list[Bound], whole: list[Bound], whole_calls: list[Bound]
    ) -> None:
        """Restore what the four have returned."""
        self.read_all.load(read)
        self.read_calls.load(calls)
        self.whole.load(whole)
        self.whole_calls.load(whole_calls)
