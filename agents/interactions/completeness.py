"""Up to which event time everything has come to a partition: its own events, and those that other partitions forward to it.

Every partition tells all others how far it has read, behind what it has forwarded: a :class:`Reading`, in the topic of the forwarded
events. The slowest counts. A partition that has nothing to read can not be waited for in event time: others may read a week in a minute.
But when it says that it is idle, it has read what was written some seconds ago, so it vouches for all that anybody had read by then.
One whose worker is away vouches for nothing new: it is waited for, and what waits is bounded by those who hold it.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import NamedTuple

import msgspec

VOUCHES_AFTER = 5.0
"""Seconds between a word and that of an idle partition which confirms it: a topic is silent after 3 s, clocks differ, fetches take time."""

REMEMBERED = 1_000


class Reading(msgspec.Struct):
    """How far ``partition`` has read requests, responses, feedback and evaluations: event time in epoch seconds. What it had to forward
    until then, it forwarded before it said so. ``idle``: it has nothing to read. ``joined``: the same of requests and responses alone.

    ``whole``: up to when everything has come to it, and nothing is astray there (strays.py); ``joined_whole``: the same of requests and
    responses. The smallest of all is up to when everything has been told.
    """

    partition: int
    clock: float
    idle: bool
    joined: float = 0.0
    joined_idle: bool = False
    whole: float = 0.0
    joined_whole: float = 0.0


class Bound(NamedTuple):
    partition: int
    time: float


class _Word(NamedTuple):
    written: float
    furthest: float
    """Of all clocks until then."""


class Completeness:
    """Of one partition, from the words of all ``partitions``, itself included."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._bounds: dict[int, float] = {}
        self._idle: dict[int, bool] = {}
        self._said: dict[int, float] = {}
        self._at_rest_since: float | None = None
        self._words: deque[_Word] = deque(maxlen=REMEMBERED)
        self._moved: set[int] = set()

    def hear(self, partition: int, clock: float, idle: bool, written: float) -> None:
        """``partition`` says how far it is (see :class:`Reading`). ``written``: when it said so, epoch seconds of processing time. What
        is repeated after a crash changes nothing."""
        time = clock
        if self._words and self._words[0].written == inf:
            self._words[0] = self._words[0]._replace(written=written)
        if idle:
            while len(self._words) > 1 and self._words[1].written <= written - VOUCHES_AFTER:
                self._words.popleft()
            if self._words and self._words[0].written <= written - VOUCHES_AFTER:
                time = max(time, self._words[0].furthest)
        self._idle[partition] = idle
        self._words.append(_Word(written, max(clock, self.furthest)))
        if time > self._bounds.get(partition, 0.0):
            self._bounds[partition] = time
            self._moved.add(partition)
        self._said[partition] = written
        if not self.at_rest:
            self._at_rest_since = None
        elif self._at_rest_since is None:
            self._at_rest_since = written

    def stir(self, partition: int) -> None:
        """``partition`` has something to read, before it says so."""
        self._idle[partition] = False
        self._at_rest_since = None

    @property
    def time(self) -> float:
        """Epoch seconds, 0 until all have spoken."""
        return min(self._bounds.values()) if len(self._bounds) == self._partitions else 0.0

    @property
    def furthest(self) -> float:
        """How far anybody has read, 0 at first."""
        return self._words[-1].furthest if self._words else 0.0

    @property
    def at_rest(self) -> bool:
        """Whether nobody has anything to read, and everybody has vouched for what was read."""
        return len(self._idle) == self._partitions and all(self._idle.values()) and self.time >= self.furthest

    def rests(self, seconds: float) -> bool:
        """Whether it has been at rest for so long, as all have said again since: of one whose worker is away nobody knows what it has
        to read."""
        since = self._at_rest_since
        return since is not None and min(self._said.values()) >= since + seconds

    def vouches(self, partition: int, within: float) -> bool:
        """Whether it is known up to the furthest clock, less ``within`` seconds, that everything has come to ``partition``."""
        return self._bounds.get(partition, 0.0) >= self.furthest - within

    # Persistence

    def take_changes(self) -> list[Bound]:
        """What has moved since the last call."""
        moved, self._moved = sorted(self._moved), set()
        return [Bound(partition, self._bounds[partition]) for partition in moved]

    def all(self) -> list[Bound]:
        """What is to be stored, in the order of its keys."""
        return [Bound(*item) for item in sorted(self._bounds.items())]

    def load(self, bounds: list[Bound]) -> None:
        """Restore what the above returned."""
        self._bounds.update(bounds)
        if bounds:
            # Written before what is read again, at the latest with its first word: an idle partition that spoke then does not vouch for it.
            self._words = deque([_Word(inf, max(self._bounds.values()))], REMEMBERED)
