"""Step 1 for what other partitions send: their notes go to who they are for, the events they
forward become arrivals.

In: a record of the topic of re-keyed events. Out: :class:`Arrival`, or None. What is neither note
nor event is a dead letter; fails never.
"""

from __future__ import annotations

from typing import Any

import msgspec

from agents.interactions.completeness import Reading
from agents.interactions.gossip import Gossip
from agents.interactions.inquiries import Inquiries
from agents.interactions.outbox import (
    ANSWER,
    ASK,
    KIND_HEADER,
    LOCATE,
    ORIGIN_HEADER,
    ORPHAN,
    READING,
    SEEK,
    SOUGHT,
    Locate,
)
from agents.interactions.partition import Partition
from agents.interactions.progress import Ask, ReadAnswer
from agents.interactions.steps import Arrival
from agents.interactions.whereabouts import Whereabouts
from schemas.decoding import decode_with_unknown
from streams.deadletters import Origin, origin_of
from streams.effects import Effects

_decode_origin = msgspec.msgpack.Decoder(Origin).decode
_decode_locate = msgspec.json.Decoder(Locate).decode
_decode_ask = msgspec.json.Decoder(Ask).decode
_decode_answer = msgspec.json.Decoder(ReadAnswer).decode
_decode_reading = msgspec.json.Decoder(Reading).decode


class RekeyedReader:
    """Of one partition."""

    def __init__(
        self, partition: Partition, gossip: Gossip, inquiries: Inquiries, whereabouts: Whereabouts
    ) -> None:
        self._partition = partition
        self._gossip = gossip
        self._inquiries = inquiries
        self._whereabouts = whereabouts

    def read_rekeyed(self, record: Any, effects: Effects) -> Arrival | None:
        """A record that another partition, or this one, sent here."""
        headers = dict(record.headers)
        self._partition.in_hand.record = record
        try:
            kind = headers[KIND_HEADER].decode()
            if self._is_note(kind, record, effects):
                return None
            origin = _decode_origin(headers[ORIGIN_HEADER])
            self._check(origin.partition)
            kind = "responses" if kind == ORPHAN else kind
            event, extra = decode_with_unknown(kind, record.value)
        except (KeyError, ValueError, TypeError, AttributeError, msgspec.DecodeError) as error:
            self._partition.outbox.dead(
                origin_of(record), f"not a record that Mirante re-keyed: {error!r}", effects
            )
            return None
        origin.value = record.value
        time = event.time.timestamp()
        self._partition.clocks.hear_rekeyed(time, origin, effects)
        # Not this partition's own clock: others may be read behind it, and what they forward is in
        # time nevertheless.
        return Arrival(kind, event, extra, time, self._gossip.read_calls.time, origin)

    def _is_note(self, kind: str, record: Any, effects: Effects) -> bool:
        if kind == LOCATE:
            located = _decode_locate(record.value)
            self._check(located.partition)
            self._whereabouts.hear(located, effects)
        elif kind in (ASK, SEEK):
            self._inquiries.asked(kind, _decode_ask(record.value), record.timestamp / 1000)
        elif kind in (ANSWER, SOUGHT):
            self._inquiries.answered(kind, _decode_answer(record.value))
        elif kind == READING:
            self._gossip.hear(_decode_reading(record.value), record.timestamp / 1000)
        else:
            return False
        return True

    def _check(self, partition: int) -> None:
        if not 0 <= partition < self._partition.count:
            raise ValueError(f"there is no partition {partition}")


def read_origin(record: Any) -> Origin:
    """Of a record of the topic of re-keyed events: the event as it was read, or the record itself
    if it is not one."""
    try:
        origin = _decode_origin(dict(record.headers).get(ORIGIN_HEADER) or b"")
    except msgspec.DecodeError:
        return origin_of(record)
    origin.value = record.value
    return origin
