"""OpenTelemetry's spans and log records to the events of model calls, each call once, and to the steps of traces.

Every partition reads its records and sends what they hold to the home partition of its trace (parcels.py), with the time at which it
was written (pace.py). The home holds a trace's spans until what may belong to them has come (traces.py); then they are understood
together (calls.py), and each call is published to the topics of requests and responses, as if a service had written it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from time import time as wall_clock
from typing import Any

import msgspec

from agents.inspection.masking import Masking
from agents.otlp.calls import Resolved, TracedCall, resolve
from agents.otlp.heard import says_of_ai
from agents.otlp.held import CALL, NOTHING, PART, STEP, SavedHeld
from agents.otlp.names import AttributeNames
from agents.otlp.pace import Pace
from agents.otlp.parcels import Item, ReadClock, decode_parcel, encode_parcel, parcels
from agents.otlp.rows import part_row, step_row
from agents.otlp.telling import Telling
from agents.otlp.traces import BEAT, Case, Traces, encode
from agents.otlp.trim import trim
from schemas.otlp import LogRecord, OtlpError, Span, decode_logs, decode_spans
from schemas.step_rows import StepRow
from streams.deadletters import POISON, Origin, dead_letter, origin_of
from streams.effects import Effects, OutgoingMessage
from streams.in_hand import Condemned, InHand
from streams.partitioner import partition_of
from streams.settings import OtlpSettings
from streams.state import Batch
from streams.topics import Topics

log = logging.getLogger(__name__)

STAGE = "otlp"

MAX_AHEAD = 60_000
"""Milliseconds of Kafka time by which a partition may be read ahead of the slowest, where a fifth of what may be held waits."""

PIECE, INTERVAL = 200, 20_000
"""Spans that are told in one go, and messages after which a checkpoint is due."""

_encode_event = msgspec.json.Encoder().encode


class SavedOtlp(msgspec.Struct, array_like=True, gc=False, omit_defaults=True):
    """A piece of state in the changelog. ``read``: topic -> how far; see agents/otlp/pace.py."""

    kept: SavedHeld
    read: dict[str, int] = {}
    newest: int = 0
    words: list[ReadClock] = []
    alone: SavedHeld = msgspec.field(default_factory=SavedHeld)


_encode_saved = msgspec.msgpack.Encoder().encode
_decode_saved = msgspec.msgpack.Decoder(SavedOtlp).decode


@dataclass(frozen=True)
class OtlpContext:
    """What the partitions of a worker share. ``source``: the Kafka cluster. ``wall``: epoch seconds; a Kafka time beyond it is wrong."""

    topics: Topics
    settings: OtlpSettings
    names: AttributeNames
    masking: Masking
    source: str
    remembered: int
    wall: Callable[[], float] = wall_clock


class OtlpState:
    """State of the agent ``otlp`` for one partition (see :class:`streams.state.PartitionState`)."""

    def __init__(self, partition: int, context: OtlpContext) -> None:
        self.in_hand = InHand()
        self._partition = partition
        self._context = context
        self._wanted = context.names.all()
        self._topics, settings = context.topics, context.settings
        self._partitions = context.topics.partitions
        settle = int(settings.settle * 1_000)
        new = partial(
            Traces, self._wanted, remember=int(settings.remember * 1_000), max_spans=settings.max_spans,
            max_bytes=settings.max_bytes, remembered=max(context.remembered, 2 * settings.max_spans),
        )  # fmt: skip
        self._pace = Pace(partition, self._partitions, self._topics.telemetry, 2 * settle + 3 * BEAT, context.wall)
        self._traces = new(settle=settle)
        self._alone = new(settle=settle // 2)
        """By their answers, calls that stand alone in their traces."""
        self._out: dict[int, list[Item]] = {}
        self._dirty = False

    # PartitionState

    def apply(self, batch: Batch, effects: Effects) -> None:
        self._dirty = True
        take = self._receive if batch.topic == self._topics.traces else self._read
        for record in batch.records:
            self.in_hand.record = record
            take(record, effects)

    def proceed(self, effects: Effects) -> bool:
        if len(effects.messages) > INTERVAL:
            return False  # the rest in the next interval: see `tick`
        self._tell_due(PIECE, effects)
        return self._is_due()

    def tick(self, now: float, silent: Mapping[str, float], effects: Effects) -> bool:
        self._pace.pass_time(now, silent)
        due = self._is_due()
        if due:
            self._dirty = True
            self._tell_due(INTERVAL, effects)
        return due or self._pace.news(self._told) is not None

    @property
    def _told(self) -> int:
        """Up to which moment everything that was due has been told."""
        return 0 if self._traces.is_due(self._pace.time) else self._pace.time

    def ahead(self) -> frozenset[str]:
        is_much = 5 * self._traces.waiting > self._context.settings.max_spans
        return self._pace.ahead(MAX_AHEAD) if is_much else frozenset()

    def close_interval(self, effects: Effects) -> None:
        word, out = self._pace.say(self._told), self._out
        self._out = {}
        self._dirty = self._dirty or word is not None
        for home in range(self._partitions) if word is not None else sorted(out):
            for parcel in parcels(out.get(home, []), word):
                effects.messages.append(OutgoingMessage(self._topics.traces, home, None, encode_parcel(parcel)))

    def changes(self) -> bytes | None:
        if not self._dirty:
            return None
        self._dirty = False
        return _encode_saved(
            SavedOtlp(
                self._traces.take_changes(), self._pace.read, self._pace.newest, self._pace.take_changes(),
                self._alone.take_changes(),
            )
        )  # fmt: skip

    def snapshot(self) -> Iterator[bytes]:
        yield _encode_saved(SavedOtlp(SavedHeld(), self._pace.read, self._pace.newest, self._pace.words()))
        for kept in self._traces.snapshot():
            yield _encode_saved(SavedOtlp(kept))
        for kept in self._alone.snapshot():
            yield _encode_saved(SavedOtlp(SavedHeld(), alone=kept))

    def load(self, piece: bytes) -> None:
        saved = _decode_saved(piece)
        self._pace.load(saved.read, saved.newest, saved.words)
        self._traces.load(saved.kept)
        self._alone.load(saved.alone)

    def waiting(self) -> int:
        """Spans that could still become a call."""
        return self._traces.waiting + self._alone.waiting

    def gauges(self) -> Mapping[str, float]:
        return {
            "spans_waiting": self.waiting(),
            "spans_remembered": len(self._traces) + len(self._alone),
            "spans_bytes": self._traces.size + self._alone.size,
        }

    # Records

    def _read(self, record: Any, effects: Effects) -> None:
        """A record as an exporter wrote it."""
        at = self._pace.written(record.topic, record.timestamp)
        try:
            if record.topic == self._topics.otlp.logs:
                for event in decode_logs(record.value or b""):
                    self._log(event, at, effects)
            else:
                self._spans(decode_spans(_value(record)), at, effects)
        except OtlpError as error:
            self._spans(error.spans, at, effects)
            self._dead(origin_of(record), error.reason, effects)
        except Exception as error:  # a defect that one record brings out must not stop all others
            log.error("record %s/%d/%d: a defect in Mirante", record.topic, record.partition, record.offset, exc_info=error)
            self._dead(origin_of(record), _defect(error), effects)

    def _spans(self, spans: list[Span], at: int, effects: Effects) -> None:
        for whole in spans:
            span = trim(whole, self._wanted)
            self._send(Item(span.trace_id, span.span_id, span.parent_id, span.start_ns // 1_000_000, at, encode(span)), effects)

    def _log(self, event: LogRecord, at: int, effects: Effects) -> None:
        if not says_of_ai(event):
            effects.count("otlp_ignored", "log")
        else:
            self._send(Item(event.trace_id, event.span_id, "", 0, at, encode(event), is_log=True), effects)

    def _send(self, item: Item, effects: Effects) -> None:
        home = partition_of(item.group.encode(), self._partitions)
        if home == self._partition:
            self._put(item, effects)
        else:
            self._out.setdefault(home, []).append(item)

    def _receive(self, record: Any, effects: Effects) -> None:
        """What another partition, or this one, has sent."""
        try:
            parcel = decode_parcel(record.value)
        except (msgspec.DecodeError, TypeError) as error:
            self._dead(origin_of(record), f"not a message of traces: {error}", effects)
            return
        for item in parcel.items:
            self._put(item, effects)
        if parcel.word is not None:
            self._pace.hear(parcel.word)

    def _put(self, item: Item, effects: Effects) -> None:
        if item.is_alone:
            self._alone.put(item)
        elif not self._traces.put(item) and not item.is_log:
            effects.count("otlp_spans", "repeat")

    # What is due

    def _is_due(self) -> bool:
        return self._traces.is_due(self._pace.time) or self._alone.is_due(self._pace.told(self._told))

    def _tell_due(self, most: int, effects: Effects) -> None:
        early = self._traces.early + self._alone.early
        told = self._tell_some(self._traces, self._pace.time, most, effects)
        self._tell_some(self._alone, self._pace.told(self._told), most - told, effects)
        if (now := self._traces.early + self._alone.early) > early:
            effects.count("otlp_early", by=now - early)

    def _tell_some(self, traces: Traces, until: int, most: int, effects: Effects) -> int:
        told = 0
        for case in traces.due(until):
            self._tell(case, traces, effects)
            told += len(case.due)
            if told >= most:
                break
        return told

    def _tell(self, case: Case, traces: Traces, effects: Effects) -> None:
        try:
            with self.in_hand.event("tell", self._topics.traces, self._partition, _offset(case), case.group):
                self._tell_as(self._resolved(case, effects), case, traces, effects)
        except Condemned as error:
            self._bury(case, str(error), effects, POISON)
            self._tell_as(Resolved(), case, traces, effects)

    def _resolved(self, case: Case, effects: Effects) -> Resolved:
        try:
            return resolve(case.spans, case.logs, self._context.names)
        except Exception as error:  # as of `_read`
            log.error("%s: a defect in Mirante", case.group, exc_info=error)
            self._bury(case, _defect(error), effects)
            return Resolved()

    def _tell_as(self, found: Resolved, case: Case, traces: Traces, effects: Effects) -> None:
        told = Telling(case, traces, found, effects)
        for call in found.calls:
            if told.is_due(call):
                self._call(call, told)
        for step in found.steps:
            if told.is_due(step):
                self._row(step_row(step, told.first(step), told.call_around(told.first(step).span_id)), effects)
                told.over(told.first(step).span_id, STEP, "step")
        for span, owner in told.rest():
            kind = found.kinds.get(span.span_id, "other")
            if kind == "other":
                told.over(span.span_id, NOTHING)
                continue
            response_id = owner.response.response_id if owner is not None else told.call_around(span.span_id)
            self._row(part_row(span, "workflow" if kind == "workflow" else "part", owner, response_id), effects)
            told.over(span.span_id, PART, "step" if kind == "workflow" else "part")

    def _call(self, call: TracedCall, told: Telling) -> None:
        span = told.first(call)
        if told.counts_already(call):
            self._row(part_row(span, "part", call, told.call_around(span.span_id)), told.effects)
            told.over(span.span_id, PART, "counted_before")
        elif told.traces is self._traces and call.provider_response_id and told.stands_alone(call):
            self._meet(call, told)
            told.over(span.span_id, CALL)
        else:
            call.request.parent_span_id = told.shown_around(span.span_id) or None
            key = (call.request.session_id or call.request.request_id).encode()
            # Not to the partition of the key: there, what several homes tell would not be in the order of time.
            for topic, event in zip((self._topics.requests, self._topics.responses), call.encoded(), strict=True):
                told.effects.messages.append(OutgoingMessage(topic, self._partition, key, event))
            told.over(span.span_id, CALL, "call")

    def _meet(self, call: TracedCall, told: Telling) -> None:
        """A call that stands alone in its trace goes where others with the same answer would be: another library may have told of it
        in a trace of its own."""
        group, at = f"answer {call.provider_response_id}", told.case.moment
        spans = told.spans_of(call)
        for n, span in enumerate(spans):
            start = span.start_ns // 1_000_000
            item = Item(group, span.span_id, span.parent_id, start, at, encode(span), is_alone=True, leads=n == 0)
            self._send(item, told.effects)
        ids = {span.span_id for span in spans}
        for event in told.case.logs:
            if event.span_id in ids:
                self._send(Item(group, event.span_id, "", 0, at, encode(event), is_log=True, is_alone=True), told.effects)

    def _row(self, row: StepRow, effects: Effects) -> None:
        session = row.session_id or row.trace_id
        line, _ = self._context.masking.line(row, session, lambda kind: effects.count("pii", kind))
        effects.row(row.TABLE, line)

    def _bury(self, case: Case, reason: str, effects: Effects, stage: str = STAGE) -> None:
        """Spans whose records are not known any more."""
        value = msgspec.json.encode([span for span in case.spans if span.span_id in case.due])
        origin = Origin(self._topics.traces, self._partition, _offset(case), case.moment, None, value, [])
        self._dead(origin, reason, effects, stage)

    def _dead(self, origin: Origin, reason: str, effects: Effects, stage: str = STAGE) -> None:
        effects.count("dead_letter", stage)
        effects.letters.append(dead_letter(origin, source=self._context.source, stage=stage, reason=reason))


def _offset(case: Case) -> int:
    """Stands for the offset of what has none of its own."""
    return int.from_bytes(blake2b(f"{case.group} {case.moment}".encode(), digest_size=7).digest())


def _value(record: Any) -> bytes:
    if record.value is None:
        raise OtlpError("the record has no value")
    return bytes(record.value)


def _defect(error: Exception) -> str:
    return f"Mirante failed on this, a defect that its log describes; please report it: {error!r}"
