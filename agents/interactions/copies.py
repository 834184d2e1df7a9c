"""Which copy of an event counts: it follows from the copies that there are, not from the order in
which they are read.

An event that is published again has the same ``event_id``, perhaps another key, and so another
partition. All copies come to the event's home: those of the home's own topic in the order of their
offsets, the others through the topic of forwarded events, at any time. After a crash another copy may
be read first, and what was told of the first one is stored already. So of all copies the *smallest*
counts: one of the home's own partition before all others, then by partition and offset.

What is read from its home's own topic first, as nearly all events are, has no smaller copy, and nothing
is remembered of it but its id. Of others a :class:`Copy` is kept for as long as the id is: when a smaller
copy comes, the call moves to where that one belongs. Wherever a call might have been counted and is
not, it is *void* (:attr:`schemas.aggregates.Aggregate.void`), which outdoes whatever was told of it
before a crash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from agents.interactions.segments import WARM_UP
from schemas.aggregates import Contribution


class RecordCopy(Protocol):
    """An aiokafka record, or the origin of a forwarded one. ``timestamp``: milliseconds since the epoch."""

    @property
    def topic(self) -> str:
        """Where it was read."""

    @property
    def partition(self) -> int:
        """Where it was read."""

    @property
    def offset(self) -> int: ...

    @property
    def timestamp(self) -> int:
        """Kafka's time of the record, in milliseconds."""

    @property
    def key(self) -> bytes | None:
        """As it was sent; None without one."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Names and values."""


class Place(NamedTuple):
    """Of one copy. ``written``: milliseconds since the epoch."""

    partition: int
    offset: int
    written: int

    def order(self, home: int) -> tuple[bool, int, int]:
        """The smallest counts. ``home``: of the event."""
        return self.partition != home, self.partition, self.offset


NOWHERE = Place(-1, -1, 0)


class Copy(msgspec.Struct, array_like=True, gc=False):
    """What is known of an event that has several copies, or of which a smaller copy may come.

    ``place``: of the copy that counts, if it is not from the home's own topic. ``final``: no other copy
    can count any more, because the one that does is from there, or because the event is a dead letter.
    ``sent``: the partition to which a response without a session was sent on from the home of its
    ``request_id``.

    ``mark``: of a request, whether another copy would be counted in the same sums; of a response, whether
    it is about the same call. What differs in it is a repeat, and stands for nothing.

    Of requests also: ``segment`` is where the call counts, ``void`` are the segments of other copies; ``model`` is the one that answered
    if it was not the one asked for, ``counted`` where its answer is summed apart if it came long after its
    window (agents/interactions/parts.py); ``item`` is what was counted.
    """

    place: Place = NOWHERE
    final: bool = False
    sent: int = -1
    mark: int = 0
    segment: int = WARM_UP
    void: tuple[int, ...] = ()
    model: str = ""
    item: Contribution | None = None
    counted: int = 0

    def is_of(self, record: RecordCopy) -> bool:
        """Whether ``record`` is the copy that counts."""
        return self.place.offset == record.offset and self.place.partition == record.partition

    def yields_to(self, record: RecordCopy, home: int) -> bool:
        """Whether ``record`` counts in its place, because it is smaller."""
        return not self.final and place_of(record).order(home) < self.place.order(home)


Note = Copy | str
"""What is noted of an id. Text: of a request without other copies until now, the model that answered it. It is not the one asked for,
and copies to come are void in its sums too."""


def place_of(record: RecordCopy) -> Place:
    """Where a record was read, and when it was written."""
    return Place(record.partition, record.offset, record.timestamp)
