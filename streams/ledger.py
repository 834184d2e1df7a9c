"""Which input offsets may be committed: pure bookkeeping, no I/O, no clock.

Batches of a partition are *delivered* in offset order and *finished* in any order. `OffsetLedger.committable` is the
offset after the longest finished run from the first delivery on, so it never passes unfinished work.

Replaces `faust.transport.consumer.Consumer._new_offset`, `_add_gap` and their `_acked`, `_acked_index` and `_gap`
(Faust 0.15.3): those treat an unprocessed batch as a gap in the offsets as soon as a later batch is acked, and commit
past it. Here a delivery carries both `first` and `next`; what lies between two deliveries (compacted records,
transaction markers) needs no bookkeeping.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

__all__ = ["Delivery", "OffsetLedger"]

#: A topic-partition: anything hashable (Faust's `TP`).
T = TypeVar("T")


class Delivery(Generic[T]):
    """One delivered batch. It is *live* until it is finished and passed, or forgotten; a dead one stays unfinished."""

    __slots__ = ("done", "first", "live", "next", "size", "taken", "tp")

    def __init__(self, tp: T, first: int, next_: int, size: int) -> None:
        self.tp = tp
        self.first = first  #: offset of the first record
        self.next = next_  #: offset to read next, greater than that of the last record
        self.size = size  #: in whatever unit the caller bounds
        self.taken = False  #: somebody has begun to process it
        self.done = False
        self.live = True

    def __repr__(self) -> str:
        state = "done" if self.done else "taken" if self.taken else "queued"
        return f"<Delivery {self.tp} {self.first}..{self.next} {state}{'' if self.live else ' dead'}>"


class OffsetLedger(Generic[T]):
    """Deliveries per partition, in order, and what may be committed. One thread (or one lock) at a time."""

    def __init__(self) -> None:
        self._open: dict[T, deque[Delivery[T]]] = {}
        self._committable: dict[T, int] = {}
        #: Deliveries not finished, their total size, and how many of them are being processed.
        self.unfinished = 0
        self.unfinished_size = 0
        self.taken = 0

    def start(self, tp: T, offset: int) -> None:
        """Everything below `offset` is known to be finished; the partition must have nothing open."""
        if self._open.get(tp):
            raise ValueError(f"{tp} has open deliveries")
        self._committable[tp] = offset

    def delivered(self, tp: T, first: int, next_: int, size: int = 0) -> Delivery[T]:
        """A batch with the offsets `first` up to, not including, `next_` was handed over."""
        entries = self._open.setdefault(tp, deque())
        floor = entries[-1].next if entries else self._committable.get(tp, first)
        if first < floor or next_ <= first:
            raise ValueError(f"{tp}: batch {first}..{next_} does not follow {floor}")
        delivery = Delivery(tp, first, next_, size)
        entries.append(delivery)
        self.unfinished += 1
        self.unfinished_size += size
        return delivery

    def take(self, delivery: Delivery[T]) -> None:
        """Processing has begun; a no-op for what is dead or finished."""
        if delivery.live and not delivery.done and not delivery.taken:
            delivery.taken = True
            self.taken += 1

    def withdraw(self, delivery: Delivery[T]) -> bool:
        """Undo the last delivery of a partition, which reached nobody. False, and no change, if it is not that."""
        entries = self._open.get(delivery.tp)
        if not entries or entries[-1] is not delivery or delivery.done or delivery.taken:
            return False
        entries.pop()
        self._close(delivery)
        return True

    def complete(self, delivery: Delivery[T]) -> bool:
        """The batch is finished. False if it was already, or was forgotten: a late ack of lost work has no effect."""
        if not delivery.live or delivery.done:
            return False
        delivery.done = True
        self._count_out(delivery)
        return True

    def done(self, tp: T, first: int) -> bool:
        """`complete` for the open delivery of `tp` that began at `first`; False if there is none."""
        for delivery in self._open.get(tp, ()):
            if delivery.first == first:
                return self.complete(delivery)
        return False

    def committable(self, tp: T) -> int | None:
        """The offset to read next if work stopped now; None while nothing is finished. Only `forget` takes it back."""
        entries = self._open.get(tp)
        while entries and entries[0].done:
            delivery = entries.popleft()
            delivery.live = False
            self._committable[tp] = delivery.next
        return self._committable.get(tp)

    def forget(self, tps: Iterable[T]) -> list[Delivery[T]]:
        """Drop everything about these partitions and return what was unfinished; later acks of it are ignored."""
        lost: list[Delivery[T]] = []
        for tp in list(tps):
            self._committable.pop(tp, None)
            for delivery in self._open.pop(tp, ()):
                if not delivery.done:
                    lost.append(delivery)
                    self._close(delivery)
                delivery.live = False
        return lost

    def tps(self) -> list[T]:
        """Every partition that has deliveries or a committable offset."""
        return list({**dict.fromkeys(self._open), **dict.fromkeys(self._committable)})

    def in_progress(self) -> Iterator[Delivery[T]]:
        """Deliveries that are taken and not finished."""
        return (d for entries in self._open.values() for d in entries if d.taken and not d.done)

    def _close(self, delivery: Delivery[T]) -> None:
        delivery.live = False
        self._count_out(delivery)

    def _count_out(self, delivery: Delivery[T]) -> None:
        self.unfinished -= 1
        self.unfinished_size -= delivery.size
        self.taken -= delivery.taken
