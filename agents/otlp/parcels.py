"""What partitions send each other: spans and log records to the home partition of their trace, and how far each has read."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

MAX_BYTES, MAX_ITEMS = 1 << 20, 2_000
"""Of one message, unless a single item is larger."""


class Item(msgspec.Struct, array_like=True, gc=False):
    """A span or log record on its way.

    ``start``: when it began by its own word, ``at``: Kafka time of its record (:class:`agents.otlp.pace.Pace`); milliseconds.
    ``body``: the MessagePack of a :class:`schemas.otlp.Span`, or, where ``is_log``, of a :class:`schemas.otlp.LogRecord`.
    ``group``: what it is held with: its trace; or the answer of a call that stands alone in its trace (``is_alone``), for another
    library may have told of it in a trace of its own. Of such a call's spans one ``leads``.
    """

    group: str
    span_id: str
    parent_id: str
    start: int
    at: int
    body: bytes
    is_log: bool = False
    is_alone: bool = False
    leads: bool = True


class ReadClock(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """How far a partition has read, in milliseconds of Kafka time. ``newest``: that of the newest record it has read, 0 if none.
    ``told``: the moment up to which it has told what was due."""

    partition: int
    clock: int
    newest: int
    told: int

    def moves(self, known: ReadClock) -> bool:
        """Whether it says more than what is known of its sender."""
        return self.clock > known.clock or self.newest > known.newest or self.told > known.told


class Parcel(msgspec.Struct, array_like=True, gc=False):
    """Items for one home. ``word``: said behind all items that were sent until then."""

    items: list[Item]
    word: ReadClock | None = None


encode_parcel = msgspec.msgpack.Encoder().encode
decode_parcel = msgspec.msgpack.Decoder(Parcel).decode


def parcels(items: list[Item], word: ReadClock | None) -> Iterator[Parcel]:
    """Parcels of bounded size; the word is in the last."""
    some: list[Item] = []
    size = 0
    for item in items:
        if some and (size + len(item.body) > MAX_BYTES or len(some) == MAX_ITEMS):
            yield Parcel(some)
            some, size = [], 0
        some.append(item)
        size += len(item.body)
    if some or word is not None:
        yield Parcel(some, word)
