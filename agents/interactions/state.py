"""Stage 1: what one partition knows, and what each event does to it.

Every event goes the same way: decode; is this its home partition?; was it seen before?; then by kind. All of it is plain
computation on values: bytes in, :class:`streams.effects.Effects` out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec

from agents.budgets.rules import Rules
from agents.budgets.usage import UsagePart, UsageParts
from agents.cost.aggregate import Contribution
from agents.guards.flags import flags_of
from agents.guards.leaks import sightings
from agents.guards.pii import Found
from agents.interactions.completeness import Bound, Completeness, Reading
from agents.interactions.join import Join, OpenRequest, WaitingResponse
from agents.interactions.masking import Masking
from agents.interactions.outcome import Outcome
from agents.interactions.partials import Part, Partials, Parts
from agents.interactions.parts import WINDOW
from agents.interactions.pricing import PriceBook
from agents.interactions.progress import MARGIN, TICKS, Answer, Ask, Progress, Question
from agents.interactions.rows import answered, evaluation_row, feedback_row, series_of, unanswered
from agents.interactions.segments import WARM_UP, Segments
from agents.interactions.taps import Call, Head, Tap
from agents.interactions.usages import Usages
from agents.interactions.verdicts import Verdict, verdicts
from agents.seen import SeenIds
from schemas.events import (
    DECODERS,
    Evaluation,
    Event,
    EventError,
    Feedback,
    Request,
    Response,
    decode_with_unknown,
)
from schemas.rows import InteractionRow, Row
from streams.deadletters import REPLAY_HEADER, Origin, dead_letter, origin_of
from streams.effects import Effects, Headers, Message
from streams.partitioner import partition_of, partitions_of
from streams.settings import Settings
from streams.state import Batch
from streams.topics import Topics

log = logging.getLogger(__name__)

STAGE = "interactions"

KIND_HEADER = "mirante-kind"
ORIGIN_HEADER = "mirante-origin"
"""On re-keyed records: the kind of event, and its :class:`Origin` without the value."""

ORPHAN = "orphan"
"""Kind of the record by which a response that was re-keyed and found no request goes back to where it was read: if it was counted there
after all (a crash has repeated the reading in another order), then it is a repeat and no orphan."""

LOCATE = "locate"
"""Kind of the record by which an unanswered request with a session tells the home of its ``request_id`` where it waits."""

REKEYED = "rekeyed"
"""Clock of the events that came from other partitions."""

ASK, ANSWER = "ask", "answer"
"""Kinds of the records by which partitions tell each other how far they have read (agents/interactions/progress.py)."""

READING = "reading"
"""Kind of the record by which every partition tells all others how far it has read: what it forwarded is before it. Only with taps."""

MAX_SKEW = 60.0
"""Seconds by which requests may be read ahead of responses, in event time, or the reverse, while both have more to read. Feedback may not
be further ahead of both."""

IDS_PER_EVENT = 2
"""What is remembered of a request: its ``event_id`` and its ``request_id``. Of any other event it is less."""

SNAPSHOT_IDS, SNAPSHOT_ENTRIES = 10_000, 500
"""Entries per piece of a snapshot."""


class Locate(msgspec.Struct):
    request_id: str
    partition: int
    until: float


class Saved(msgspec.Struct, array_like=True, gc=False, omit_defaults=True):
    """A piece of state in the changelog."""

    clocks: dict[str, float] = {}
    heads: tuple[int, ...] = ()
    settled: tuple[int, ...] = ()
    announced: tuple[int, ...] = ()
    told: tuple[int, bool] = (0, False)
    gone: list[str] = []
    requests: list[OpenRequest] = []
    responses: list[WaitingResponse] = []
    located: list[Locate] = []
    seen: list[str] = []
    parts: list[Part] = []
    usages: list[UsagePart] = []
    read: list[Bound] = []


_encode_saved = msgspec.msgpack.Encoder().encode
_decode_saved = msgspec.msgpack.Decoder(Saved).decode
_encode_parts = msgspec.msgpack.Encoder().encode
_encode_origin = msgspec.msgpack.Encoder().encode
_decode_origin = msgspec.msgpack.Decoder(Origin).decode
_encode_note = msgspec.json.Encoder().encode
_decode_locate = msgspec.json.Decoder(Locate).decode
_decode_ask = msgspec.json.Decoder(Ask).decode
_decode_answer = msgspec.json.Decoder(Answer).decode
_decode_reading = msgspec.json.Decoder(Reading).decode


@dataclass(frozen=True)
class Context:
    """What the partitions of a worker share.

    ``source``: the Kafka cluster the offsets belong to. ``counted_from``: for a backfill, the offset of the first request that
    counts, per partition. ``taps``: make, for a partition, what tells other agents of each call.
    """

    settings: Settings
    topics: Topics
    prices: PriceBook
    source: str
    rules: Rules
    masking: Masking
    counted_from: tuple[int, ...] = ()
    taps: tuple[Callable[[], Tap], ...] = ()


_LATER: Any = None


class _Completed(msgspec.Struct, eq=False, gc=False):
    """A call of the batch at hand whose request and response have met. ``late``: it was told as unanswered before. ``kind``, ``by``: of the
    event that completed it, its kind and its record or :class:`Origin`. The rest is what the steps of ``_finish`` make of it."""

    request: Request
    request_extra: bytes | None
    time: float
    segment: int
    response: Response
    response_extra: bytes | None
    ended: float
    late: bool
    kind: str
    by: Any
    verdict: Verdict | None = None
    row: InteractionRow = _LATER
    item: Contribution = _LATER
    outcome: Outcome = _LATER
    line: bytes = _LATER
    found: Found = _LATER


class InteractionsState:
    """State of the agent ``interactions`` for one partition (see :class:`streams.state.PartitionState`)."""

    def __init__(self, partition: int, context: Context) -> None:
        settings = context.settings
        self._partition = partition
        self._context = context
        self._topics = context.topics
        self._join = Join()
        self._seen = SeenIds(IDS_PER_EVENT * settings.dedup_window)
        self._segments = Segments(settings.segment_requests, settings.partitions, partition, context.counted_from)
        self._partials = Partials(settings.series_cap)
        self._usages = Usages(context.rules)
        self._taps = [new() for new in context.taps]
        self._read = Completeness(settings.partitions)
        self._listened: tuple[int, int, bool] = (0, 0, False)
        self._located: dict[str, Locate] = {}
        self._clocks: dict[str, float] = {}
        self._joined = (context.topics.requests, context.topics.responses)
        self._silent: dict[str, float] = {}
        self._written: dict[str, float] = {}
        self._ticks = 0
        self._rekeyed_since: float | None = None
        self._rekeyed_silence = 0.0
        self._progress = Progress(settings.partitions, uuid4().hex)
        self._completed: list[_Completed] = []
        self._new_ids: list[str] = []
        self._new_located: list[Locate] = []
        self._changed_parts: list[Part] = []
        self._changed_usages: list[UsagePart] = []
        self._told: tuple[int, bool] = (0, False)
        self._announced: tuple[int, ...] = (0,) * settings.partitions
        self._settled: tuple[int, ...] = (0,) * settings.partitions
        self._kinds = {topic: context.topics.kind_of(topic) for topic in context.topics.events}
        self._homes: dict[tuple[str, ...], int] = {}

    # PartitionState

    def apply(self, batch: Batch, effects: Effects) -> None:
        if batch.topic == self._topics.rekeyed:
            for record in batch.records:
                self._apply_rekeyed(record, effects)
                self._finish(effects)  # before what comes after it: such a batch is of all kinds
        else:
            self._apply_events(self._kinds[batch.topic], batch, effects)
            self._finish(effects)
        self._silent.pop(batch.topic, None)
        self._settle_due(effects)

    def tick(self, now: float, silent: Mapping[str, float], effects: Effects) -> bool:
        self._silent = dict(silent)
        self._ticks += 1
        self._rekeyed_since = now if self._rekeyed_since is None else self._rekeyed_since
        self._rekeyed_silence = now - self._rekeyed_since
        before = len(self._join.requests), len(self._join.responses), effects.row_count, len(effects.messages)
        self._settle_due(effects)
        if self._join.holds and (ask := self._progress.ask(self._partition, now, self._join.wanted())) is not None:
            for partition in range(self._context.settings.partitions):
                self._tell(partition, ASK, ask, effects)
        after = len(self._join.requests), len(self._join.responses), effects.row_count, len(effects.messages)
        news = self._progress_to_tell() != self._told or self._progress_of_taps() != self._listened
        return before != after or bool(self._progress.questions) or news

    def ahead(self) -> frozenset[str]:
        low = self._clock()
        waiting = self._joined if self._is_idle() else (*self._joined, self._topics.feedback)
        return frozenset(t for t in waiting if self._clocks.get(self._kinds[t], 0.0) > low + MAX_SKEW)

    def close_interval(self, effects: Effects) -> None:
        for asker, question in list(self._progress.questions.items()):
            if self._has_read(question):
                del self._progress.questions[asker]
                for request_id in question.ask.wanted:
                    if (entry := self._join.requests.get(request_id)) is not None:
                        self._tell(asker, LOCATE, Locate(request_id, self._partition, entry.due), effects)
                self._tell(asker, ANSWER, Answer(self._partition, question.ask.round, question.ask.nonce), effects)
        self._tell_others(effects)
        self._partials.forget(self._segments.is_settled)
        self._usages.forget(self._segments.is_settled, self._clock())
        self._settled = tuple(map(max, self._settled, self._segments.close()))

    def _tell_others(self, effects: Effects) -> None:
        """Partial sums that have changed to where they are summed up; calls to who listens; to everybody, how far this partition is."""
        context, everybody = self._context, range(self._context.settings.partitions)
        progress = self._progress_to_tell()
        announce = self._settled != self._announced or progress != self._told
        parts: dict[int, list[Part]] = {home: [] for home in everybody} if announce else {}
        for part in self._partials.take_dirty():
            self._changed_parts.append(part)
            parts.setdefault(self._home_of(part.series.feature_and_model), []).append(part)
        usages: dict[int, list[UsagePart]] = {home: [] for home in everybody} if announce and context.rules else {}
        for usage in self._usages.take_dirty():
            self._changed_usages.append(usage)
            usages.setdefault(self._home_of((usage.group.rule, *usage.group.values)), []).append(usage)
        self._announced, self._told = self._settled, progress  # settled is durable since the last checkpoint, which carried it
        head = context.source, self._partition, self._announced, self._clock(), progress[1]
        for home, changed in parts.items():
            effects.messages.append(Message(self._topics.partials, home, None, _encode_parts(Parts(*head, changed))))
        for home, used in usages.items():
            effects.messages.append(Message(self._topics.usage, home, None, _encode_parts(UsageParts(*head, used))))
        if self._taps:
            self._tell_taps(announce, effects)

    def _tell_taps(self, announce: bool, effects: Effects) -> None:
        """What taps have collected goes out; and how far this partition has read to all others, behind what was forwarded to them."""
        heard, idle = self._progress_of_taps(), self._is_idle()
        if (heard[0], idle) != (self._listened[0], self._listened[2]):
            for partition in range(self._context.settings.partitions):
                self._tell(partition, READING, Reading(self._partition, self._read_up_to(), idle), effects)
        announce, self._listened = announce or heard != self._listened, heard
        head = Head(self._context.source, self._partition, self._clock(), idle, self._read.time)
        for tap in self._taps:
            tap.close(head, announce, effects)

    def _read_up_to(self) -> float:
        """Event time up to which calls and feedback have been read."""
        clock, feedback = self._clock(), self._topics.feedback
        if feedback in self._silent:
            return clock
        return min(clock, self._clocks.get(self._kinds[feedback], 0.0))

    def _progress_of_taps(self) -> tuple[int, int, bool]:
        """In finest windows: what this partition has read, and what all have; and whether it is idle. Without taps nobody wants to know."""
        if not self._taps:
            return self._listened
        return int(self._read_up_to()) // WINDOW, int(self._read.time) // WINDOW, self._is_idle()

    def _is_idle(self) -> bool:
        return all(topic in self._silent for topic in self._joined)

    def _progress_to_tell(self) -> tuple[int, bool]:
        """How far this partition is, in finest windows, and whether it is idle."""
        return int(self._clock()) // WINDOW, self._is_idle()

    def changes(self) -> bytes | None:
        requests, responses, gone = self._join.take_changes()
        saved = Saved(
            clocks=self._clocks,
            heads=self._segments.heads,
            settled=self._settled,
            announced=self._announced,
            told=self._told,
            gone=gone,
            requests=requests,
            responses=responses,
            located=self._new_located,
            seen=self._new_ids,
            parts=self._changed_parts,
            usages=self._changed_usages,
            read=self._read.take_changes(),
        )
        encoded = _encode_saved(saved)
        self._new_ids, self._new_located, self._changed_parts, self._changed_usages = [], [], [], []
        return encoded

    def snapshot(self) -> Iterator[bytes]:
        yield _encode_saved(
            Saved(
                clocks=self._clocks, heads=self._segments.heads, settled=self._settled, announced=self._announced, told=self._told,
                located=list(self._located.values()), read=self._read.all(),
            )
        )  # fmt: skip
        for ids in _cut(self._seen.all(), SNAPSHOT_IDS):
            yield _encode_saved(Saved(seen=ids))
        for requests in _cut(list(self._join.requests.values()), SNAPSHOT_ENTRIES):
            yield _encode_saved(Saved(requests=requests))
        for responses in _cut(list(self._join.responses.values()), SNAPSHOT_ENTRIES):
            yield _encode_saved(Saved(responses=responses))
        for parts in _cut(list(self._partials.all()), SNAPSHOT_ENTRIES):
            yield _encode_saved(Saved(parts=parts))
        for usages in _cut(list(self._usages.all()), SNAPSHOT_ENTRIES):
            yield _encode_saved(Saved(usages=usages))

    def load(self, piece: bytes) -> None:
        saved = _decode_saved(piece)
        self._clocks.update(saved.clocks)
        for item in saved.seen:
            self._seen.add(item)
        for entry in saved.requests:
            if entry.request.request_id not in self._join.requests:
                self._segments.reopen(entry.segment)
        for request_id in saved.gone:
            if (known := self._join.requests.get(request_id)) is not None:
                self._segments.settle(known.segment)
        self._join.load(saved.requests, saved.responses, saved.gone)
        for located in saved.located:
            self._remember_located(located)
        self._partials.load(saved.parts)
        self._usages.load(saved.usages)
        self._read.load(saved.read)
        if saved.heads:
            self._partials.forget(lambda segment: segment < saved.settled[segment % len(saved.settled)])
            self._usages.forget(lambda segment: segment < saved.settled[segment % len(saved.settled)])
            self._segments.load(saved.heads)
            self._settled = tuple(map(max, self._settled, saved.settled))
            self._announced = tuple(map(max, self._announced, saved.announced))
            self._told = saved.told

    def gauges(self) -> Mapping[str, float]:
        return {
            "open_requests": len(self._join.requests) - self._join.unanswered,
            "late_answer_candidates": self._join.unanswered,
            "waiting_responses": len(self._join.responses),
            "seen_ids": len(self._seen),
            "window_parts": len(self._partials),
            "series": self._partials.series,
            "usage_parts": len(self._usages),
        }

    # Events

    def _apply_events(self, kind: str, batch: Batch, effects: Effects) -> None:
        """Records as services wrote them. One loop over the batch decodes, one applies; homes are computed for all at once."""
        events: list[tuple[Any, Event, bytes | None, float]] = []
        keys: list[bytes] = []
        decode, max_future, lateness = DECODERS[kind], self._context.settings.max_future, self._context.settings.lateness
        # Of this partition's own topics only: a re-keyed event says nothing of how far they have been read.
        clock = self._clocks.get(kind, 0.0)
        for record in batch.records:
            try:
                event, extra = decode(record.value)
                time, written = event.time.timestamp(), record.timestamp / 1000
                if time - written > max_future:
                    raise EventError(_from_the_future(event, time - written, max_future))
            except EventError as error:
                self._dead(origin_of(record), error.reason, effects)
                continue
            if time > clock:
                clock = max(clock, min(time, written + lateness))  # a wrong clock must not end everybody else's waiting
            elif time < clock - lateness:
                effects.count("late", kind)
            events.append((record, event, extra, time))
            keys.append((event.session_id or _home_key(event)).encode())
        self._clocks[kind] = clock
        if batch.records:
            self._written[batch.topic] = batch.records[-1].timestamp / 1000
        homes = partitions_of(keys, self._context.settings.partitions).tolist() if keys else []
        accepted = rekeyed = 0
        for (record, event, extra, time), key, home in zip(events, keys, homes, strict=True):
            if home != self._partition and not self._is_answer_here(event, record.headers):
                self._forward(kind, record, key, home, effects)
                continue
            rekeyed += record.key != key
            try:
                accepted += self._accept(kind, event, extra, time, record, None, effects)
            except Exception as error:  # noqa: BLE001  # see _failed
                self._failed(origin_of(record), error, effects)
        effects.count("accepted", kind, accepted)
        if rekeyed:
            effects.count("rekeyed", batch.topic, rekeyed)

    def _apply_rekeyed(self, record: Any, effects: Effects) -> None:
        """A record that another partition sent to its home."""
        headers = dict(record.headers)
        try:
            kind = headers[KIND_HEADER].decode()
            if kind == LOCATE:
                located = _decode_locate(record.value)
                if not 0 <= located.partition < self._context.settings.partitions:
                    raise ValueError(f"there is no partition {located.partition}")
                self._locate(located, effects)
                return
            if kind == ASK:
                self._progress.asked(Question(_decode_ask(record.value), record.timestamp / 1000, self._ticks))
                return
            if kind == ANSWER:
                self._progress.answered(_decode_answer(record.value))
                return
            if kind == READING:
                reading = _decode_reading(record.value)
                self._read.hear(reading, record.timestamp / 1000)
                return
            origin = _decode_origin(headers[ORIGIN_HEADER])
            if not 0 <= origin.partition < self._context.settings.partitions:
                raise ValueError(f"there is no partition {origin.partition}")
            event, extra = decode_with_unknown("responses" if kind == ORPHAN else kind, record.value)
        except (KeyError, ValueError, TypeError, AttributeError, msgspec.DecodeError) as error:
            self._dead(origin_of(record), f"not a record that Mirante re-keyed: {error!r}", effects)
            return
        origin.value = record.value
        if kind == ORPHAN:
            if _remembered_id(event, origin.headers) in self._seen:
                effects.count("duplicate", "responses")
            else:
                self._dead_orphan(_home_key(event), origin, effects)
            return
        time = event.time.timestamp()
        self._rekeyed_since = None
        self._clocks[REKEYED] = max(self._clocks.get(REKEYED, 0.0), min(time, origin.timestamp / 1000 + self._context.settings.lateness))
        try:
            effects.count("accepted", kind, self._accept(kind, event, extra, time, record, origin, effects))
        except Exception as error:  # noqa: BLE001  # see _failed
            self._failed(origin, error, effects)

    def _accept(
        self, kind: str, event: Event, extra: bytes | None, time: float, record: Any, origin: Origin | None, effects: Effects
    ) -> bool:
        """An event at the partition where it is processed; False if it is known already."""
        event_id = _remembered_id(event, record.headers if origin is None else origin.headers)
        if not self._seen.add(event_id):
            effects.count("duplicate", kind)
            return False
        self._new_ids.append(event_id)
        if isinstance(event, Request):
            self._request(event, extra, time, record, origin, effects)
        elif isinstance(event, Response):
            self._response(event, extra, time, record, origin, effects)
        elif isinstance(event, Feedback):
            line = self._row(feedback_row(event, extra), event, effects)
            for tap in self._taps:
                tap.feedback(event, line)
        elif isinstance(event, Evaluation):
            line = self._row(evaluation_row(event, extra), event, effects)
            for tap in self._taps:
                tap.evaluation(event, line)
        return True

    def _request(
        self, event: Request, extra: bytes | None, time: float, record: Any, origin: Origin | None, effects: Effects
    ) -> None:
        marker = "\0" + event.request_id
        if not self._seen.add(marker):
            reason = f"request_id {event.request_id!r} was used before by another event; every call needs its own"
            self._dead(origin or origin_of(record), reason, effects)
            return
        self._new_ids.append(marker)
        written = record if origin is None else origin
        segment = self._segments.open(written.partition, written.offset)
        waiting = self._join.take_response(event.request_id)
        if waiting is not None:
            ended = waiting.response.time.timestamp()
            self._complete(_Completed(event, extra, time, segment, waiting.response, waiting.extra, ended, False, "requests", written))
            return
        due = self._unanswered_at(event, time)
        if event.session_id is not None:  # its response may be waiting elsewhere
            due = min(due, time + self._context.settings.join.orphan / 3)
        self._join.open(OpenRequest(event, extra, time, segment, due))
        if len(self._join.requests) > self._context.settings.join.max_open:
            earliest = self._join.earliest()
            if earliest is not None:
                effects.count("settled_early")
                self._expire(earliest, effects, final=True)

    def _response(
        self, event: Response, extra: bytes | None, time: float, record: Any, origin: Origin | None, effects: Effects
    ) -> None:
        entry = self._join.requests.get(event.request_id)
        if entry is not None:
            self._join.close(event.request_id)
            by, late = record if origin is None else origin, entry.unanswered
            self._complete(_Completed(entry.request, entry.extra, entry.time, entry.segment, event, extra, time, late, "responses", by))
            return
        origin = origin or origin_of(record)
        located = self._located.get(event.request_id)
        if located is not None and event.session_id is None:
            self._send_on("responses", origin, event.request_id.encode(), located.partition, effects)
            return
        if event.request_id in self._join.responses:
            self._dead(origin, f"request_id {event.request_id!r} has two responses; the first is kept", effects)
            return
        self._join.wait(WaitingResponse(event, extra, time + self._context.settings.join.orphan, origin))

    def _complete(self, call: _Completed) -> None:
        self._segments.settle(call.segment)
        if call.segment != WARM_UP:
            self._completed.append(call)

    def _finish(self, effects: Effects) -> None:
        """Judges, writes and tells what the batch has completed: each step for all calls before the next one, so that a guard's tables,
        half a megabyte each, are fetched into the processor's cache once. Call by call that takes longer than the guards themselves."""
        calls, self._completed = self._completed, []
        self._judge(calls)
        for step in (self._make_row, self._write_row, self._tell_of):
            done: list[_Completed] = []
            for call in calls:
                try:
                    step(call, effects)
                except Exception as error:  # noqa: BLE001  # see _failed
                    effects.count("accepted", call.kind, -1)
                    self._failed(call.by if isinstance(call.by, Origin) else origin_of(call.by), error, effects)
                else:
                    done.append(call)
            calls = done

    def _judge(self, calls: Sequence[_Completed]) -> None:
        try:
            for call, verdict in zip(calls, verdicts([(call.request, call.response) for call in calls]), strict=True):
                call.verdict = verdict
        except Exception:  # each is judged when its row is made, and the one at fault is known
            log.debug("%d calls could not be judged at once", len(calls), exc_info=True)

    def _make_row(self, call: _Completed, effects: Effects) -> None:
        call.row, call.item, call.outcome = answered(
            call.request, call.request_extra, call.response, call.response_extra, self._context.prices, call.verdict
        )

    def _write_row(self, call: _Completed, effects: Effects) -> None:
        call.line, call.found = self._write(call.row, call.request, effects)

    def _tell_of(self, call: _Completed, effects: Effects) -> None:
        """Sums and taps hear of a call that is written."""
        request, response, row, item, line, found = call.request, call.response, call.row, call.item, call.line, call.found
        seen = sightings(line, found) if found else ()
        if flags := flags_of(row, seen):
            item = item._replace(flags=flags)
            for flag in flags:
                effects.count("guard", flag)
        effects.count("outcome", call.outcome.outcome)
        if not call.outcome.known:
            effects.count("unknown_finish")
        if item.unpriced:
            effects.count("unpriced", row.model)
        series = series_of(request, response)
        asked = series if series.model == request.model else series._replace(model=request.model)
        if not self._partials.answer(call.segment, call.time, asked, series, item, late=call.late):
            effects.count("other")
        if self._context.rules:
            self._usages.answer(call.segment, call.time, request, row.model, response.response_id, item, late=call.late)
        if self._taps:
            told = Call(request, response, call.time, row, line, series, item, call.late, call.ended, seen, plain=not found)
            for tap in self._taps:
                tap.answered(told)

    # Time

    def _clock(self) -> float:
        """Event time of the partition: how far both sides of the join have been read.

        A silent topic does not hold time back; when both are silent, time goes on at the pace of the wall clock.
        """
        active = [self._clocks.get(self._kinds[t], 0.0) for t in self._joined if t not in self._silent]
        if active:
            return min(active)
        own = max((self._clocks.get(self._kinds[t], 0.0) for t in self._joined), default=0.0)
        # Re-keyed events may be all this partition ever gets.
        rekeyed = self._clocks.get(REKEYED, 0.0) + self._rekeyed_silence
        return max(own + min(self._silent[t] for t in self._joined), rekeyed)

    def _has_read(self, question: Question) -> bool:
        """Whether everything written to this partition before the question has been read."""
        if self._ticks < question.tick + TICKS:
            return False
        return all(t in self._silent or self._written.get(t, 0.0) > question.written + MARGIN for t in self._joined)

    def _settle_due(self, effects: Effects) -> None:
        clock = self._clock()
        for request, response in self._join.due(clock, self._progress):
            if request is not None:
                self._expire(request, effects)
            elif response is not None:
                self._orphan(response, effects)
        if self._located:
            for request_id in [i for i, located in self._located.items() if located.until < clock]:
                del self._located[request_id]

    def _expire(self, entry: OpenRequest, effects: Effects, *, final: bool = False) -> None:
        """A deadline of a request has passed: first its response is looked for elsewhere, then it is unanswered, later forgotten."""
        request = entry.request
        if not entry.unanswered and not final and entry.due < (due := self._unanswered_at(request, entry.time)):
            entry.due = due
            self._join.open(entry)
            self._tell_home(entry, effects)
            return
        if not entry.unanswered:
            if entry.segment != WARM_UP:
                row, item = unanswered(request, entry.extra)
                self._row(row, request, effects)
                effects.count("outcome", "unanswered")
                self._partials.add(entry.segment, entry.time, series_of(request, None), item)
                self._usages.add(entry.segment, entry.time, request, item)
                for tap in self._taps:
                    tap.unanswered(request, entry.time)
            if not final:
                self._join.give_up(entry, self._context.settings.join.late_answer)
                self._tell_home(entry, effects)
                return
        self._join.close(request.request_id)
        self._segments.settle(entry.segment)

    def _unanswered_at(self, request: Request, time: float) -> float:
        return time + (request.timeout_ms or 0) / 1000 + self._context.settings.join.grace

    def _is_strange_home(self, request: Request) -> bool:
        """Whether a response that names no session has another home than this partition."""
        home = partition_of(request.request_id.encode(), self._context.settings.partitions)
        return request.session_id is not None and home != self._partition

    def _tell_home(self, entry: OpenRequest, effects: Effects) -> None:
        """The response may have come without a session: then it waits at the home of the request's id, and not for long."""
        request_id = entry.request.request_id
        if self._is_strange_home(entry.request):
            home = partition_of(request_id.encode(), self._context.settings.partitions)
            self._tell(home, LOCATE, Locate(request_id, self._partition, entry.due), effects)

    def _locate(self, located: Locate, effects: Effects) -> None:
        waiting = self._join.responses.get(located.request_id)
        if waiting is not None and waiting.response.session_id is None:
            self._join.take_response(located.request_id)
            self._send_on("responses", waiting.origin, located.request_id.encode(), located.partition, effects)
        else:
            self._remember_located(located)
            self._new_located.append(located)

    def _remember_located(self, located: Locate) -> None:
        self._located[located.request_id] = located
        if len(self._located) > self._context.settings.join.max_open:
            del self._located[next(iter(self._located))]

    def _orphan(self, waiting: WaitingResponse, effects: Effects) -> None:
        response, origin = waiting.response, waiting.origin
        self._join.take_response(response.request_id)
        if response.session_id is None and origin.partition != self._partition:
            self._send_on(ORPHAN, origin, response.request_id.encode(), origin.partition, effects)
        else:
            self._dead_orphan(response.request_id, origin, effects)

    def _dead_orphan(self, request_id: str, origin: Origin, effects: Effects) -> None:
        if self._context.counted_from:
            return  # its request may be older than the backfill; the run that read it when it was new has said what became of it
        reason = f"no request with request_id {request_id!r} came within the time a response waits for it"
        self._dead(origin, reason, effects)

    def _row(self, row: Row, event: Event, effects: Effects) -> bytes:
        """A row for ClickHouse, without personal data; returns it as JSON."""
        return self._write(row, event, effects)[0]

    def _write(self, row: Row, event: Event, effects: Effects) -> tuple[bytes, Found]:
        """The same, with what was masked."""
        session = event.session_id or _home_key(event)
        line, found = self._context.masking.line(row, session, lambda kind: effects.count("pii", kind))
        effects.row(row.TABLE, line)
        return line, found

    # Elsewhere

    def _tell(self, partition: int, kind: str, note: Ask | Answer | Locate | Reading, effects: Effects) -> None:
        """Send a note to another partition's agent, behind all that was forwarded there before."""
        headers = ((KIND_HEADER, kind.encode()),)
        effects.messages.append(Message(self._topics.rekeyed, partition, None, _encode_note(note), headers))

    def _is_answer_here(self, event: Event, headers: Headers) -> bool:
        """Whether a response that names no session answers a request of this partition, or is a repeat of one that did."""
        if not isinstance(event, Response) or event.session_id is not None:
            return False
        return event.request_id in self._join.requests or _remembered_id(event, headers) in self._seen

    def _forward(self, kind: str, record: Any, key: bytes, home: int, effects: Effects) -> None:
        effects.count("rekeyed", record.topic)
        self._send_on(kind, origin_of(record), key, home, effects)

    def _send_on(self, kind: str, origin: Origin, key: bytes, home: int, effects: Effects) -> None:
        value, without_value = origin.value or b"", msgspec.structs.replace(origin, value=None)
        headers = ((KIND_HEADER, kind.encode()), (ORIGIN_HEADER, _encode_origin(without_value)))
        effects.messages.append(Message(self._topics.rekeyed, home, key, value, headers))

    def _home_of(self, key: tuple[str, ...]) -> int:
        """The partition where the sums of a series or group come together."""
        home = self._homes.get(key)
        if home is None:
            if len(self._homes) >= 4 * self._context.settings.series_cap:
                self._homes.clear()
            home = self._homes[key] = partition_of("\x1f".join(key).encode(), self._context.settings.partitions)
        return home

    def _failed(self, origin: Origin, error: Exception, effects: Effects) -> None:
        """A defect of ours that one event brings out must not stop all others: without this, each restart would meet it again."""
        log.error("event at %s/%d/%d: a defect in Mirante", origin.topic, origin.partition, origin.offset, exc_info=error)
        self._dead(origin, f"Mirante failed on this event, a defect that its log describes; please report it: {error!r}", effects)

    def _dead(self, origin: Origin, reason: str, effects: Effects) -> None:
        effects.count("dead_letter", STAGE)
        effects.letters.append(dead_letter(origin, source=self._context.source, stage=STAGE, reason=reason))


def _from_the_future(event: Event, ahead: float, most: float) -> str:
    return (
        f"time: {event.time.isoformat()} is {ahead / 3600:.1f} h after the record was written to Kafka; "
        f"at most {most / 3600:.1f} h are accepted (max_future)"
    )


def _home_key(event: Event) -> str:
    """The name by which an event without a session finds its home partition."""
    if isinstance(event, Evaluation):
        return event.request_id or event.response_id
    if isinstance(event, Feedback):
        return event.request_id or event.response_id or ""
    return event.request_id


def _remembered_id(event: Event, headers: Sequence[tuple[str, bytes | None]]) -> str:
    """What is remembered of an event in order to know its repeats.

    A dead letter's event may have been remembered when it became one: sent back, it is known by its id and its replay header,
    so that each replay counts once.
    """
    if not headers:
        return event.event_id
    replay = next((value for name, value in headers if name == REPLAY_HEADER), None)
    return event.event_id if replay is None else f"{event.event_id}\0{replay.decode(errors='backslashreplace')}"


def _cut(items: Sequence[Any], size: int) -> Iterator[list[Any]]:
    for at in range(0, len(items), size):
        yield list(items[at : at + size])
