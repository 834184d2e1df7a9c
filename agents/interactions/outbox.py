"""What one partition sends: notes and events to other partitions of stage 1, and dead letters.

In: values. Out: messages and letters in :class:`streams.effects.Effects`. Fails never. Everything
to another partition goes through the topic of re-keyed events, in the order in which it is sent.
"""

from __future__ import annotations

import logging

import msgspec

from agents.interactions.completeness import Reading
from agents.interactions.context import Context
from agents.interactions.copies import RecordCopy
from agents.interactions.progress import Ask, ReadAnswer
from streams.deadletters import POISON, Origin, dead_letter, origin_of
from streams.effects import Effects, OutgoingMessage
from streams.in_hand import Condemned

log = logging.getLogger(__name__)

STAGE = "interactions"

KIND_HEADER = "mirante-kind"
ORIGIN_HEADER = "mirante-origin"
"""On re-keyed records: the kind of event, and its :class:`Origin` without the value."""

ORPHAN = "orphan"
"""Kind of a record that earlier versions sent: a response that found no request, on its way back to
where it was read."""

LOCATE = "locate"
"""Kind of the record by which an unanswered request with a session tells the home of its
``request_id`` where it waits; and by which who has taken a copy of a response without a session
says so."""

ASK, ANSWER = "ask", "answer"
"""Kinds of the records by which partitions tell each other how far they have read
(agents/interactions/progress.py)."""

SEEK, SOUGHT = "seek", "sought"
"""The same, when the requests of stray responses are looked for (agents/interactions/strays.py)."""

READING = "reading"
"""Kind of the record by which every partition tells all others how far it has read: what it
forwarded is before it."""


class Locate(msgspec.Struct):
    """Where a request waits, or a copy of its response was taken; true until ``until``, epoch
    seconds of the partition's clock."""

    request_id: str
    partition: int
    until: float


_encode_note = msgspec.json.Encoder().encode
_encode_origin = msgspec.msgpack.Encoder().encode


def as_origin(at: RecordCopy) -> Origin:
    """Of a record as read, or of the origin of a re-keyed one."""
    return at if isinstance(at, Origin) else origin_of(at)


class Outbox:
    """Of one partition."""

    def __init__(self, context: Context) -> None:
        self._rekeyed = context.topics.rekeyed
        self._partitions = context.settings.partitions
        self._source = context.source

    def tell(
        self, partition: int, kind: str, note: Ask | ReadAnswer | Locate | Reading, effects: Effects
    ) -> None:
        """Send a note to another partition's agent, behind all that was forwarded there before."""
        headers = ((KIND_HEADER, kind.encode()),)
        effects.messages.append(
            OutgoingMessage(self._rekeyed, partition, None, _encode_note(note), headers)
        )

    def tell_all(self, kind: str, note: Ask | Reading, effects: Effects) -> None:
        """Send a note to every partition, this one included."""
        for partition in range(self._partitions):
            self.tell(partition, kind, note, effects)

    def forward(self, kind: str, record: RecordCopy, key: bytes, home: int, effects: Effects) -> None:
        """An event that was read elsewhere goes to its home."""
        effects.count("rekeyed", record.topic)
        self.send_on(kind, origin_of(record), key, home, effects)

    def send_on(self, kind: str, origin: Origin, key: bytes, home: int, effects: Effects) -> None:
        """An event goes to the partition ``home``, with where it was read."""
        value, without_value = origin.value or b"", msgspec.structs.replace(origin, value=None)
        headers = ((KIND_HEADER, kind.encode()), (ORIGIN_HEADER, _encode_origin(without_value)))
        effects.messages.append(OutgoingMessage(self._rekeyed, home, key, value, headers))

    def failed(self, origin: Origin, error: Exception, effects: Effects) -> None:
        """A defect of ours that one event brings out must not stop all others: without this, each
        restart would meet it again."""
        if isinstance(error, Condemned):
            self.dead(origin, str(error), effects, POISON)
            return
        where = origin.topic, origin.partition, origin.offset
        log.error("event at %s/%d/%d: a defect in Mirante", *where, exc_info=error)
        reason = "Mirante failed on this event, a defect that its log describes; please report it"
        self.dead(origin, f"{reason}: {error!r}", effects)

    def dead(self, origin: Origin, reason: str, effects: Effects, stage: str = STAGE) -> None:
        """An event is a dead letter."""
        effects.count("dead_letter", stage)
        effects.letters.append(dead_letter(origin, source=self._source, stage=stage, reason=reason))
