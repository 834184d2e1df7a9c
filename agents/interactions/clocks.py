"""Time of one partition: how far its topics have been read, in event time, and which of them are
silent.

In: times of records and ticks of processing time. Out: epoch seconds of event time. Fails never;
does no I/O but for asking the wall clock whether a Kafka time can be true.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice
from math import inf
from typing import Any

from agents.interactions.apart import CLOCKS
from agents.interactions.clock import SKEW, WITNESSES, Clock, Leap
from agents.interactions.context import Context
from agents.interactions.copies import RecordCopy
from agents.interactions.progress import MARGIN, TICKS, Question
from agents.interactions.skew import Skews
from streams.effects import Effects

REKEYED = "rekeyed"
"""Clock of the events that came from other partitions."""

RESTS = 3.0
"""Seconds of processing time without a re-keyed event after which none is expected."""

LIVE_SPAN = 30.0
"""Input is live once its records have been written promptly (see :meth:`Clocks.note_pace`) for so
many seconds."""

MAX_SKEW = 60.0
"""Seconds by which requests may be read ahead of responses, in event time, or the reverse, while
both have more to read. Feedback may not be further ahead of both."""


class Clocks:
    """Of one partition: a clock for each kind of event, and one for those that other partitions
    sent."""

    def __init__(self, context: Context) -> None:
        topics = context.topics
        self.joined = (topics.requests, topics.responses)
        self.skews = Skews()
        self.silent: dict[str, float] = {}
        """Topics that are read to their end, and the seconds since their last record."""
        self.ticks = 0
        self.live = (0.0, 0.0)
        """Event times since when, and until when, records have been written as they happened, epoch
        seconds."""
        self._topics = topics
        self._kinds = {topic: topics.kind_of(topic) for topic in topics.events}
        self._wall = context.wall
        self._clocks: dict[str, Clock] = {}
        self._written: dict[str, deque[float]] = {}
        """Kafka times of the last records read, by topic."""
        self._rekeyed_since: float | None = None
        self._rekeyed_silence = 0.0

    # What is read

    def of(self, kind: str) -> Clock:
        """The clock of a kind of event."""
        clock = self._clocks.get(kind)
        if clock is None:
            clock = self._clocks[kind] = Clock()
        return clock

    def latest(self) -> float:
        """A Kafka time beyond this has not come yet, so it is none: the host that wrote it has a
        wrong clock."""
        return self._wall() + CLOCKS

    def believed(self, time: float, written: RecordCopy) -> float:
        """An event's time, as far as its record or :class:`Origin` lets it be true."""
        return min(time, min(float(written.timestamp) / 1000, self.latest()) + SKEW)

    def name(self, wrong: Sequence[Leap], clock: float, effects: Effects) -> None:
        """Operators are told whose clock is wrong."""
        for leap in wrong:
            if leap.who:
                self.skews.ahead(leap.who, leap.time - clock, effects)

    def hear_rekeyed(self, time: float, origin: RecordCopy, effects: Effects) -> None:
        """An event has come from another partition."""
        self._rekeyed_since = None
        running = self.of(REKEYED)
        if origin.timestamp / 1000 <= self.latest():
            self.name(running.hear(self.believed(time, origin)), running.time, effects)

    def note_written(self, topic: str, records: Sequence[Any], latest: float) -> None:
        """These records of a topic have been read. ``latest``: beyond it a Kafka time is none."""
        last = self._written.setdefault(topic, deque(maxlen=WITNESSES))
        possible = (at for record in reversed(records) if (at := record.timestamp / 1000) <= latest)
        last.extend(reversed(list(islice(possible, WITNESSES))))

    def note_pace(self, prompt: Sequence[float], clock: float) -> None:
        """Whether events are written as they happen. ``prompt``: times of those in a batch that
        were; a record whose Kafka time is wrong says nothing of the others. Which topic was read
        first, and how it was cut into batches, must not matter."""
        since, until = self.live
        self.live = (min(since or inf, *prompt), max(clock, until)) if prompt else (0.0, until)

    # How far it is

    def tick(self, now: float, silent: Mapping[str, float], effects: Effects) -> None:
        """Processing time passes: where nothing more comes, what came last need not wait for
        witnesses."""
        self.silent = dict(silent)
        self.ticks += 1
        self._rekeyed_since = now if self._rekeyed_since is None else self._rekeyed_since
        self._rekeyed_silence = now - self._rekeyed_since
        kinds = {self._kinds[topic] for topic in silent if topic in self._kinds}
        if self._rekeyed_silence >= RESTS:
            kinds.add(REKEYED)
        for kind in kinds:
            if (clock := self._clocks.get(kind)) is not None and clock.leaps:
                self.name(clock.rest(self._wall()), clock.time, effects)

    def time(self) -> float:
        """Event time of the partition: how far both sides of the join have been read.

        A silent topic does not hold time back; when both are silent, time goes on at the pace of
        the wall clock.
        """
        active = [self.time_of(t) for t in self.joined if t not in self.silent]
        if active:
            return min(active)
        own = max(self.time_of(t) for t in self.joined)
        # Re-keyed events may be all this partition ever gets.
        rekeyed = self._time(REKEYED) + self._rekeyed_silence
        return max(own + min(self.silent[t] for t in self.joined), rekeyed)

    def time_of(self, topic: str) -> float:
        """How far a topic has been read; 0 before anything was."""
        return self._time(self._kinds[topic])

    def _time(self, kind: str) -> float:
        clock = self._clocks.get(kind)
        return 0.0 if clock is None else clock.time

    def furthest(self, topics: Sequence[str]) -> float:
        """How far any of these topics has been read."""
        return max(map(self.time_of, topics))

    def ahead(self) -> frozenset[str]:
        """Topics that are read too far ahead of others."""
        low = self.time()
        waiting = self.joined if self.is_idle() else (*self.joined, self._topics.feedback)
        return frozenset(t for t in waiting if self.time_of(t) > low + MAX_SKEW)

    def is_idle(self) -> bool:
        """Whether both sides of the join are silent."""
        return all(topic in self.silent for topic in self.joined)

    def is_live(self) -> bool:
        """Whether records are written as they happen, and have been for a while."""
        since, until = self.live
        return since > 0 and until - since >= LIVE_SPAN

    def calls_read_up_to(self) -> float:
        """Event time up to which calls have been read: all of it comes from records, but for input
        that is live. When that falls silent, time goes on at the pace of the wall clock, so that
        its silence is noticed; a history that ends says nothing of what came after."""
        if not self.is_idle():
            return self.time()
        own = self.furthest(self.joined)
        return own + min(self.silent[t] for t in self.joined) if self.is_live() else own

    def read_up_to(self) -> float:
        """Event time up to which calls, feedback and evaluations have been read."""
        others = [t for t in self._topics.events if t not in self.joined]
        clocks = [self.time_of(t) for t in others if t not in self.silent]
        if not clocks and self.is_idle():
            return max([self.calls_read_up_to(), *map(self.time_of, others)])
        return min([self.calls_read_up_to(), *clocks])

    def has_read(self, question: Question) -> bool:
        """Whether everything written to this partition before the question has been read."""
        if self.ticks < question.tick + TICKS:
            return False
        return all(
            t in self.silent or self._is_past(t, question.written + MARGIN) for t in self.joined
        )

    def _is_past(self, topic: str, written: float) -> bool:
        """Whether what is read now was written after ``written``: one record does not say so, whose
        host may have a wrong clock."""
        last = self._written.get(topic, ())
        return len(last) == WITNESSES and sorted(last)[1] > written

    # Persistence

    def times(self) -> dict[str, float]:
        """Epoch seconds by kind."""
        return {kind: clock.time for kind, clock in self._clocks.items()}

    def leaps(self) -> dict[str, list[Leap]]:
        """Of the clocks that have some."""
        return {kind: clock.leaps for kind, clock in self._clocks.items() if clock.leaps}

    def backing(self) -> dict[str, int]:
        """Of the clocks that are not sure of themselves yet."""
        return {kind: clock.backing for kind, clock in self._clocks.items() if clock.wary}

    def load(
        self,
        times: Mapping[str, float],
        leaps: Mapping[str, list[Leap]],
        backing: Mapping[str, int],
    ) -> None:
        """Restore what the above returned."""
        for kind, at in times.items():
            self._clocks[kind] = Clock(at, leaps.get(kind, ()), backing.get(kind))
