"""Copies of events that are known: one of them counts, the others are repeats
(agents/interactions/copies.py).

In: an event whose id is known, and where it was read. Out: a row for the repeat; the call moves in
the sums if the copy counts in place of another. Fails never for a record's fault. Changes the notes
of copies, the sums, the segments, and what waits in the join.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zlib import crc32

import msgspec

from agents.interactions.copies import Copy, RecordCopy, place_of
from agents.interactions.identity import MARK, remembered_id
from agents.interactions.outbox import as_origin
from agents.interactions.partition import Partition
from agents.interactions.rows import series_of
from agents.interactions.steps import Arrival
from schemas.aggregates import UNANSWERED
from schemas.events import Event, Request, Response, key_of
from schemas.rows import RepeatRow
from streams.deadletters import Origin
from streams.effects import Effects
from streams.partitioner import partition_of

_encode_repeat = msgspec.json.Encoder().encode


class Repeats:
    """Of one partition."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._identity = partition.identity
        self._segments = partition.segments
        self._sums = partition.sums
        self._join = partition.join

    def mark(self, event: Request | Response, event_id: str, time: float) -> int:
        """Equal for copies that can stand for each other. Of a response: it is about one call."""
        if isinstance(event, Response):
            return crc32(event.request_id.encode("utf-8", "replace")) or 1
        return self._sums.mark(time, event, event_id) or 1

    def repeat(self, arrival: Arrival, event_id: str, effects: Effects) -> None:
        """Another copy of an event that is known."""
        kind, event, time, at = arrival.kind, arrival.event, arrival.time, arrival.at
        marker = MARK + event.request_id if isinstance(event, Request) else event_id
        note = self._identity.seen.note(marker)
        copy = note if isinstance(note, Copy) else Copy(final=True, model=note or "")
        if copy.is_of(at):
            return  # the record itself, sent once more after a crash
        home = partition_of(key_of(event).encode(), self._partition.count)
        if copy.mark and copy.mark != self.mark(event, event_id, time):  # type: ignore[arg-type]
            self._repeated(
                kind, event, at, effects
            )  # it says something else than the copy that was read first, which stands
        elif copy.yields_to(at, home):
            self._repeated(kind, event, Origin(at.topic, *copy.place, None, None, []), effects)
            copy.place, copy.final = place_of(at), at.partition == home
            if isinstance(event, Request):
                self._move(copy, event, time, at)
                copy.item = None if copy.final else copy.item
            elif isinstance(event, Response):
                self._replace(copy, event, event_id, at, effects)
            self._identity.note(marker, copy)
        else:
            self._repeated(kind, event, at, effects)
            if (
                isinstance(event, Request) and at.partition != home
            ):  # in their home's own topic copies are always read in one order
                self._void(copy, self._segments.of(at.partition, at.offset), event, time)
                self._identity.note(marker, copy)

    def answered_by(
        self, model: str, counted: int, request: Request, time: float, copy: Copy | None
    ) -> None:
        """Another model than the one asked for has answered, or the answer is summed apart: copies
        are void in its sums too, those that are known and those to come."""
        other = model if model != request.model else ""
        if copy is not None:
            copy.model, copy.counted = other, counted
            for segment in copy.void:
                self._sums.void_answer(segment, time, request, model, counted)
        elif counted:
            copy = Copy(final=True, model=other, counted=counted)
        self._identity.note(MARK + request.request_id, copy or other)

    def _repeated(self, kind: str, event: Event, at: RecordCopy, effects: Effects) -> None:
        effects.count("duplicate", kind)
        row = RepeatRow(
            source=self._partition.context.source,
            topic=at.topic,
            partition=at.partition,
            offset=at.offset,
            time=datetime.fromtimestamp(max(at.timestamp, 0) / 1000, UTC),
            event_id=event.event_id,
        )
        effects.row(RepeatRow.TABLE, _encode_repeat(row))

    def _move(self, copy: Copy, request: Request, time: float, at: RecordCopy) -> None:
        """A call counts in the segment of the copy ``at``, and not any more in that of another."""
        old, new = copy.segment, self._segments.of(at.partition, at.offset)
        copy.segment = new
        if (entry := self._join.requests.get(request.request_id)) is not None:
            self._segments.settle(old)
            self._segments.reopen(new)
            entry.segment, entry.offset = new, at.offset
            entry.written = at.timestamp / 1000
            entry.closes = self._partition.patience.closes(entry)
            self._join.touch(request.request_id)
        if new == old:
            return
        if (item := copy.item) is not None:
            series = series_of(request, None)
            if item.outcome == UNANSWERED:
                self._sums.take_back_unanswered(old, time, request)
                self._sums.unanswered(new, time, request)
            else:
                series = series._replace(model=copy.model or request.model)
                self._sums.take_back(old, time, request, series, item, copy.counted)
                self._sums.answered(
                    new, time, request, series, item, late=False, counted=copy.counted
                )
        self._void(copy, old, request, time)

    def _void(self, copy: Copy, segment: int, request: Request, time: float) -> None:
        """A copy of a call belongs to ``segment``, where it does not count."""
        if segment != copy.segment and segment not in copy.void:
            copy.void += (segment,)
            self._sums.void(segment, time, request)
            self._sums.void_answer(
                segment, time, request, copy.model or request.model, copy.counted
            )

    def _replace(
        self, copy: Copy, response: Response, event_id: str, at: RecordCopy, effects: Effects
    ) -> None:
        """Of a response the copy ``at`` counts: it takes the place of the other where that waits,
        or follows it."""
        waiting = self._join.responses.get(response.request_id)
        if (
            waiting is not None
            and remembered_id(waiting.response, waiting.origin.headers) == event_id
        ):
            waiting.origin = as_origin(at)
            self._join.touch(response.request_id)
        elif copy.sent >= 0:
            key = response.request_id.encode()
            self._partition.outbox.send_on("responses", as_origin(at), key, copy.sent, effects)
