"""The one interface that the state of every agent has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from streams.deadletters import Origin
from streams.effects import Effects
from streams.fetching import Unreadable
from streams.in_hand import InHand


class Batch(Protocol):
    """Records of one topic-partition in offset order, as the transport hands them over."""

    topic: str
    partition: int
    records: Any
    next_offset: int
    highwater: int | None
    size: int
    """Bytes of keys and values, about."""
    unreadable: Sequence[Unreadable]
    """What could not be read among the offsets; the checkpointer makes dead letters of it."""


class PartitionState(Protocol):
    """State of one agent for one partition: a function of the records applied to it. No I/O, and no clock of its own.

    ``changes`` and ``snapshot`` return opaque bytes that ``load`` accepts in the order
    they were produced; loading the same bytes twice is the same as once.
    """

    def apply(self, batch: Batch, effects: Effects) -> None:
        """Apply every record of a batch. Never raises for a record's fault: that is a dead letter."""

    def tick(self, now: float, silent: Mapping[str, float], effects: Effects) -> bool:
        """Time passes.

        ``now``: processing time in seconds, of which only differences count. ``silent``: input topic -> seconds since its last
        record, for those that are read to their end.
        Returns whether anything changed.
        """

    def ahead(self) -> frozenset[str]:
        """Topics whose event time runs so far ahead of another's that reading them should wait."""

    def close_interval(self, effects: Effects) -> None:
        """A checkpoint is about to be taken: emit what is emitted once per checkpoint."""

    def changes(self) -> bytes | None:
        """What changed since the last call; None if nothing did."""

    def snapshot(self) -> Iterator[bytes]:
        """The whole state, in pieces of a bounded size."""

    def load(self, piece: bytes) -> None:
        """Apply what ``changes`` or ``snapshot`` returned."""

    def waiting(self) -> int:
        """Entries of which something may still come when there is nothing left to read: what waits
        for input, for its turn or for time to pass. A stack is at rest when no state has any.
        """

    def gauges(self) -> Mapping[str, float]:
        """Sizes for the metrics, such as open joins."""


@runtime_checkable
class InPieces(Protocol):
    """State of an agent to which few records can make much work, which would keep everything else on the worker waiting."""

    def proceed(self, effects: Effects) -> bool:
        """Do a piece, of tens of milliseconds, of the work that the records applied have made due; returns whether there is more.

        All of it is done before the next batch is applied. What is left when the state is captured is part of the state.
        """


@runtime_checkable
class KeepsEvents(Protocol):
    """State that works on events it has kept, so that it must say which one it has in hand."""

    in_hand: InHand
    """Set by who makes the state."""


@runtime_checkable
class Buries(Protocol):
    """State of an agent that also reads records which stand for others."""

    def origin(self, record: Any) -> Origin:
        """Of whose dead letter it is that `record` cannot be worked on."""
