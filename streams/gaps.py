"""Gaps in the offsets of a partition which may still fill: pure bookkeeping, no I/O, no clock.

Apache Kafka shows a record only when all before it are there, so a gap is for good (compaction, the end of a transaction). The embedded
broker may show one that another producer has written before the records that precede it: who reads on has lost them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar


class HasOffset(Protocol):
    """A record."""

    @property
    def offset(self) -> int:
        """The number of the record in its partition."""
    # and, where it stands for several, `last_offset`


#: A topic-partition: anything hashable.
T = TypeVar("T")


class Gaps(Generic[T]):
    """Which gaps are waited for. ``patience``: seconds after which a gap is for good."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._seen: dict[T, tuple[int, float]] = {}
        """Where the gap begins, and when it was first seen."""

    def before(self, tp: T, start: int, records: Sequence[HasOffset], now: float) -> int:
        """How many of ``records``, read from the offset ``start`` on, come before a gap that may still fill: all, if there is none."""
        expected = start
        if records and records[-1].offset + 1 - start != len(records):
            for count, record in enumerate(records):
                if record.offset > expected and self._may_fill(tp, expected, now):
                    return count
                expected = getattr(record, "last_offset", record.offset) + 1
        self._seen.pop(tp, None)
        return len(records)

    def _may_fill(self, tp: T, offset: int, now: float) -> bool:
        begins, seen = self._seen.get(tp, (None, now))
        if begins != offset:
            seen = now
        self._seen[tp] = offset, seen
        return now - seen < self._patience
