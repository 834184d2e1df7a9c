"""What the states of stage 2 share: one way to read, to say what was found, and to be saved.

Stage 2 is every agent that reads what others have written for it, rather than what services wrote.
A state of it hears how far each source partition has come (its *watermark* is the slowest of them),
decides what is over by then, and tells the agent ``alerts`` what it found and how far it is itself.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from agents.common.messages import messages
from agents.common.watermark import Source, Watermark
from schemas.findings import Finding, Findings
from streams.effects import Effects, OutgoingMessage
from streams.state import Batch

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
S = TypeVar("S")


class Untimed:
    """The part of ``PartitionState`` that most agents of stage 2 leave empty: they know no time but
    that of events, hold no topic back, and write things when they happen."""

    def tick(self, now: float, silent: Mapping[str, float], effects: Effects) -> bool:
        return False

    def ahead(self) -> frozenset[str]:
        return frozenset()

    def close_interval(self, effects: Effects) -> None:
        """Everything was emitted when it happened."""


# What was found


class Progress(NamedTuple):
    """``clock``: event time up to which everything was decided, epoch seconds; 0 at first.
    ``rests``: nobody has anything more to read, so nobody needs to wait."""

    clock: float
    rests: bool


class FindingsWriter:
    """Writes what one partition of an agent finds to ``topic``, with how far the agent is."""

    def __init__(self, agent: str, partition: int, topic: str) -> None:
        self._agent = agent
        self._partition = partition
        self._topic = topic
        self.told = Progress(0, False)
        """What ``alerts`` knows of the progress."""

    def tell(self, found: list[Finding], progress: Progress, effects: Effects) -> None:
        """A message if there is something to say: a finding, or progress."""
        if found or progress != self.told:
            self.told = progress
            self.send(found, None if progress.rests else progress.clock, effects)

    def send(
        self, found: list[Finding], clock: float | None, effects: Effects, *, ordered: bool = False
    ) -> None:
        """A message. ``clock``, ``ordered``: as of :class:`schemas.findings.Findings`."""
        value = _encode_findings(
            Findings(
                agent=self._agent,
                partition=self._partition,
                clock=clock,
                findings=found,
                ordered=ordered,
            )
        )
        effects.messages.append(OutgoingMessage(self._topic, 0, None, value))


_encode_findings = msgspec.msgpack.Encoder().encode


# What is read


class ClockWord(Protocol):
    """A message of a source partition: everything up to the event time ``clock`` was told with it
    or before it. ``rests``: there is nothing more to read."""

    clock: float
    rests: bool


W = TypeVar("W", bound=ClockWord)


class WatermarkState(Untimed, Generic[W]):
    """State that takes messages one by one and decides, after each, what is over for all sources.

    Who derives from it says how (``_take``, ``_advance``), and how far it is (``_progress``).
    """

    def __init__(
        self,
        stage: str,
        what: str,
        decode: Callable[[bytes], W],
        *,
        partition: int,
        source: str,
        sources: int,
        findings: str,
    ) -> None:
        """``what``: its messages, for dead letters. ``source``: id of the Kafka cluster;
        ``sources``: partitions of the stage before; ``findings``: topic."""
        self._stage = stage
        self._what = what
        self._decode = decode
        self._source = source
        self._watermark = Watermark(sources)
        self._findings = FindingsWriter(stage, partition, findings)
        self._dirty = False
        """Whether there is something to save."""

    def apply(self, batch: Batch, effects: Effects) -> None:
        found: list[Finding] = []
        self._read(batch, found, effects)
        self._findings.tell(found, self._progress, effects)

    def _read(self, batch: Batch, found: list[Finding], effects: Effects) -> None:
        for message in messages(
            batch, self._decode, self._what, self._stage, self._source, effects
        ):
            self._take(message, effects)
            self._watermark.hear(self._source_of(message), message.clock, message.rests)
            self._dirty = True
            self._advance(found, effects)

    @property
    def _progress(self) -> Progress:
        raise NotImplementedError

    def _source_of(self, message: W) -> Source:
        """Who says it."""
        raise NotImplementedError

    def _take(self, message: W, effects: Effects) -> None:
        """Hold what a message says, until it is over."""
        raise NotImplementedError

    def _advance(self, found: list[Finding], effects: Effects) -> None:
        """Decide what is over by the watermark, and what is more than may be held."""
        raise NotImplementedError


# What is saved


class Section(dict[K, V]):
    """Entries of a state by key, and which of them have changed or gone since the last checkpoint.

    >>> section: Section[str, int] = Section()
    >>> section.put("a", 1), section.put("b", 2), section.drop("a")
    (None, None, 1)
    >>> section.take_changes()
    ([('b', 2)], ['a'])
    """

    def __init__(self) -> None:
        super().__init__()
        self._changed: set[K] = set()
        self._gone: set[K] = set()

    def put(self, key: K, value: V) -> None:
        """Set a value; it is one of the changes from now on."""
        self[key] = value
        self._gone.discard(key)
        self._changed.add(key)

    def touch(self, key: K) -> None:
        """The value of a key that is there has been changed in place."""
        self._changed.add(key)

    def drop(self, key: K) -> V:
        """Remove an entry. Raises KeyError if there is none."""
        self._changed.discard(key)
        self._gone.add(key)
        return self.pop(key)

    def take_changes(self) -> tuple[list[tuple[K, V]], list[K]]:
        """Entries that have changed, and keys that have gone, since the last call, in order."""
        changed = [(key, self[key]) for key in sorted(self._changed)]  # type: ignore[type-var]
        gone = sorted(self._gone)  # type: ignore[type-var]
        self.forget_changes()
        return changed, gone

    def load(self, changed: Iterable[tuple[K, V]], gone: Iterable[K] = ()) -> None:
        """Restore what ``take_changes`` returned, or entries of a snapshot."""
        for key in gone:
            self.pop(key, None)
        self.update(changed)
        self.forget_changes()

    def forget_changes(self) -> None:
        """What has changed so far is durable."""
        self._changed.clear()
        self._gone.clear()


def pieces(
    saved: Callable[..., S], size: int, /, **sections: Iterable[Any]
) -> Iterator[S]:
    """Sections of a state as pieces of a snapshot, each with at most ``size`` entries of one.

    >>> list(pieces(dict, 2, a=[1, 2, 3], b="x", c=[]))
    [{'a': [1, 2]}, {'a': [3]}, {'b': ['x']}]
    """
    for name, entries in sections.items():
        rest = iter(entries)
        while part := list(islice(rest, size)):
            yield saved(**{name: part})
