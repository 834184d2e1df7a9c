"""How far the topics have been read, in Kafka's own times.

Spans bear the times at which things happened, and come when an exporter sends them: only their records' Kafka times say what else has
been written since. Within a partition they never go back: a record counts as written when the newest before it was, at least. So the
time of a record follows from the log alone, and a replay tells the same.

A partition to which nothing comes must not hold the others back. Once a fetch has shown that it is read to its end, it vouches for
what anybody has read, and its time goes on with the silence: nothing can be written any more with a time that has passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from agents.otlp.parcels import ReadClock

SURE = 5_000
"""Milliseconds by which a silent topic stays behind: a fetch may be two seconds old, and clocks and networks differ."""

AHEAD = 2_000
"""Milliseconds by which a record's Kafka time may lead the wall clock and be believed: producers write it, theirs may be wrong."""


class Pace:
    """Of one partition. Times are milliseconds. ``reach``: how far beyond the newest record anybody may wait. ``wall``: epoch seconds."""

    def __init__(self, partition: int, partitions: int, topics: Iterable[str], reach: int, wall: Callable[[], float]) -> None:
        self._partition = partition
        self._partitions = partitions
        self._reach = reach
        self._wall = wall
        self.read: dict[str, int] = dict.fromkeys(topics, 0)
        """Topic -> time up to which it has been read."""
        self.newest = 0
        """Of the records that this partition has read."""
        self._words: dict[int, ReadClock] = {}
        self._moved: set[int] = set()
        self._said = ReadClock(partition, 0, 0, 0)
        self._known = 0
        self._known_at = 0.0
        """The furthest time known, and when it came to be known, in seconds of processing time."""

    def written(self, topic: str, timestamp: int) -> int:
        """The time of a record of this partition, by its Kafka time."""
        believed = int(min(timestamp, self._wall() * 1_000 + AHEAD))
        at = self.read[topic] = max(self.read[topic], believed)
        self.newest = max(self.newest, at)
        return at

    def hear(self, word: ReadClock) -> None:
        """A partition says how far it is. What is repeated after a crash, it has said before."""
        known = self._words.get(word.partition)
        if known is None or word.moves(known):
            if known is not None:
                word = ReadClock(
                    word.partition, max(word.clock, known.clock), max(word.newest, known.newest), max(word.told, known.told)
                )
            self._words[word.partition] = word
            self._moved.add(word.partition)

    def pass_time(self, now: float, silent: Mapping[str, float]) -> None:
        """Processing time passes. ``silent``: topics that are read to their ends, as of ``PartitionState.tick``."""
        newest = max([self.newest, *(word.newest for word in self._words.values())])
        furthest = max([newest, *self.read.values(), *(word.clock for word in self._words.values())])
        goes_on = self._known + int((now - self._known_at) * 1_000)
        if furthest > goes_on or not self._known:
            self._known, self._known_at, goes_on = furthest, now, furthest
        until = min(goes_on - SURE, newest + self._reach)
        for topic in self.read.keys() & silent.keys():
            self.read[topic] = max(self.read[topic], until)

    @property
    def time(self) -> int:
        """Everything that was written before has come here; 0 until all partitions have spoken.

        Of itself a partition knows, and must: what it said before a crash holds for what it had sent to others, not for what it kept.
        """
        return min([self._own, *(word.clock for word in self._others)]) if self._all_have_spoken else 0

    def told(self, own: int) -> int:
        """What was due before has been told everywhere, and has come here; 0 until all partitions have spoken. ``own``: as of `news`."""
        return min([own, *(word.told for word in self._others)]) if self._all_have_spoken else 0

    @property
    def _own(self) -> int:
        return max(0, min(self.read.values()))

    @property
    def _others(self) -> Iterator[ReadClock]:
        return (word for word in self._words.values() if word.partition != self._partition)

    @property
    def _all_have_spoken(self) -> bool:
        return len(self._words.keys() | {self._partition}) == self._partitions

    def ahead(self, within: int) -> frozenset[str]:
        """Topics that are read more than ``within`` milliseconds ahead of the slowest partition."""
        low = self.time
        return frozenset(topic for topic, at in self.read.items() if at > low + within) if low else frozenset()

    def news(self, told: int) -> ReadClock | None:
        """What this partition has to say that it has not said yet. ``told``: up to which moment it has told what was due."""
        word = ReadClock(self._partition, self._own, self.newest, max(told, self._said.told))
        return word if word.moves(self._said) else None

    def say(self, told: int) -> ReadClock | None:
        """The same; it counts as said."""
        word = self.news(told)
        self._said = word or self._said
        return word

    # Persistence

    def take_changes(self) -> list[ReadClock]:
        """Words heard since the last call."""
        moved, self._moved = sorted(self._moved), set()
        return [self._words[partition] for partition in moved]

    def words(self) -> list[ReadClock]:
        """All that is known of the partitions."""
        return [self._words[partition] for partition in sorted(self._words)]

    def load(self, read: Mapping[str, int], newest: int, words: Iterable[ReadClock]) -> None:
        """Restore what the above returned."""
        for topic, at in read.items():
            if topic in self.read:
                self.read[topic] = max(self.read[topic], at)
        self.newest = max(self.newest, newest)
        for word in words:
            self.hear(word)
        self._moved.clear()
