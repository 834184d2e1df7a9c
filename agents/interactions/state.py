"""Stage 1: what one partition knows, and what each event does to it.

Every event goes the same way: decode; is this its home partition?; was it seen before?; then by kind. All of it is plain
computation on values: bytes in, :class:`streams.effects.Effects` out.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, zip_longest
from math import inf
from time import time as wall_clock
from typing import Any
from uuid import uuid4
from zlib import crc32

import msgspec

from agents.common.seen import SeenIds
from agents.common.taps import Call, Head, Tap
from agents.inspection.flags import flags_of
from agents.inspection.leaks import sightings
from agents.inspection.masking import Masking
from agents.inspection.outcome import Outcome
from agents.inspection.pii import Found
from agents.inspection.verdicts import Verdict, verdicts
from agents.interactions import former
from agents.interactions.apart import CLOCKS, SETTLES, closes, is_apart, soon
from agents.interactions.clock import SKEW, STEP, WITNESSES, Clock, Leap
from agents.interactions.completeness import Bound, Completeness, Reading
from agents.interactions.copies import Copy, Note, Record, place_of
from agents.interactions.join import Join, OpenRequest, WaitingResponse
from agents.interactions.late import Kept, LateRequests, Remembered, unpack
from agents.interactions.partials import Partials
from agents.interactions.progress import MARGIN, TICKS, Answer, Ask, Progress, Question
from agents.interactions.rows import answered, evaluation_row, feedback_row, series_of, unanswered
from agents.interactions.segments import WARM_UP, Segments, alone
from agents.interactions.skew import Skews, who
from agents.interactions.strays import Strays
from agents.interactions.sums import Sums
from agents.interactions.usages import Grouping, Usages
from agents.pricing import PriceBook
from schemas.aggregates import UNANSWERED, Contribution
from schemas.decoding import DECODERS, decode_with_unknown
from schemas.events import Evaluation, Event, EventError, Extra, Feedback, Request, Response, key_of
from schemas.group_usage import UsagePart, UsageParts
from schemas.partials import ALONE, SETTLE, WINDOW, Part, Parts
from schemas.rows import InteractionRow, RepeatRow, Row
from streams.deadletters import POISON, REPLAY_HEADER, Origin, dead_letter, origin_of
from streams.effects import Effects, Headers, Message
from streams.in_hand import Condemned, InHand
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
"""Kind of a record that earlier versions sent: a response that found no request, on its way back to where it was read."""

LOCATE = "locate"
"""Kind of the record by which an unanswered request with a session tells the home of its ``request_id`` where it waits; and by which who
has taken a copy of a response without a session says so."""

REKEYED = "rekeyed"
"""Clock of the events that came from other partitions."""

ASK, ANSWER = "ask", "answer"
"""Kinds of the records by which partitions tell each other how far they have read (agents/interactions/progress.py)."""

SEEK, SOUGHT = "seek", "sought"
"""The same, when the requests of stray responses are looked for (agents/interactions/strays.py)."""

READING = "reading"
"""Kind of the record by which every partition tells all others how far it has read: what it forwarded is before it."""

REPEATS, VOUCHES_EVERY = 10.0, 1.0
"""Seconds of processing time after which a partition with nothing to read says so again; and while it has not yet vouched for what others
have read."""

RESTS_AFTER = 5.0
"""Seconds of processing time for which nobody may have anything to read until the input counts as at rest."""

LIVE_LAG, LIVE_SPAN = 60.0, 30.0
"""Input is live once its records have been written within so many seconds of their event times for so long."""

MAX_SKEW = 60.0
"""Seconds by which requests may be read ahead of responses, in event time, or the reverse, while both have more to read. Feedback may not
be further ahead of both."""

RESTS = 3.0
"""Seconds of processing time without a re-keyed event after which none is expected."""

MARK = "\0"
"""Before a ``request_id``, what is remembered of a request besides its ``event_id``: every one is used once."""

IDS_PER_EVENT = 2
"""What is remembered of a request: its ``event_id`` and its ``request_id``. Of any other event it is less."""

SNAPSHOT_IDS, SNAPSHOT_ENTRIES = 10_000, 500
"""Entries per piece of a snapshot."""


_Word = tuple[int, int, bool, bool, float, float]
"""See :meth:`InteractionsState._word`."""

OWN = 4
"""How many entries of a word are about what the partition itself has read."""


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
    leaps: dict[str, list[Leap]] = {}
    backing: dict[str, int] = {}
    kept: list[Kept] = []
    let_go: list[str] = []
    notes: list[tuple[str, Note]] = []
    count: int = 0
    """Ids seen before those in ``seen``, of this piece or of the ones that follow."""
    last: dict[int, int] = {}
    """See :meth:`agents.interactions.segments.Segments.load`."""
    joined: list[Bound] = []
    live: tuple[float, float] = (0.0, 0.0)
    whole: list[Bound] = []
    joined_whole: list[Bound] = []


_encode_saved = msgspec.msgpack.Encoder().encode
_decode_saved = former.reader(Saved)
_encode_parts = msgspec.msgpack.Encoder().encode
_encode_origin = msgspec.msgpack.Encoder().encode
_decode_origin = msgspec.msgpack.Decoder(Origin).decode
_encode_note = msgspec.json.Encoder().encode
_encode_repeat = msgspec.json.Encoder().encode
_encode_event = msgspec.json.Encoder().encode
_decode_locate = msgspec.json.Decoder(Locate).decode
_decode_ask = msgspec.json.Decoder(Ask).decode
_decode_answer = msgspec.json.Decoder(Answer).decode
_decode_reading = msgspec.json.Decoder(Reading).decode


@dataclass(frozen=True)
class Context:
    """What the partitions of a worker share.

    ``source``: the Kafka cluster the offsets belong to. ``counted_from``: for a backfill, the offset of the first request that
    counts, per partition. ``taps``: make, for a partition, what tells other agents of each call. ``settle``: seconds after its window in
    which a call is expected to end (agents/interactions/parts.py).
    """

    settings: Settings
    topics: Topics
    prices: PriceBook
    source: str
    rules: Grouping
    masking: Masking
    counted_from: tuple[int, ...] = ()
    taps: tuple[Callable[[], Tap], ...] = ()
    wall: Callable[[], float] = wall_clock
    """Epoch seconds. Asked only of what a topic ends with: a Kafka time that has not come yet is none."""
    settle: float = SETTLE


_LATER: Any = None


class _Completed(msgspec.Struct, eq=False, gc=False):
    """A call of the batch at hand whose request and response have met. ``offset``: of the request, in the partition that ``segment``
    says; ``late``: it was told as unanswered before; ``answered_by``: the response's record or :class:`Origin`; ``counted``: see
    agents/interactions/parts.py. The rest is what the steps of ``_finish`` make of it."""

    request: Request
    extra: Extra | None
    time: float
    segment: int
    offset: int
    response: Response
    response_extra: Extra | None
    ended: float
    late: bool
    answered_by: Any
    counted: int = 0
    copy: Copy | None = None
    verdict: Verdict | None = None
    row: InteractionRow = _LATER
    item: Contribution = _LATER
    outcome: Outcome = _LATER
    refused: str = ""
    """Why its row cannot be completed. Its money is counted nevertheless."""
    line: bytes = _LATER
    found: Found = _LATER


class InteractionsState:
    """State of the agent ``interactions`` for one partition (see :class:`streams.state.PartitionState`)."""

    def __init__(self, partition: int, context: Context) -> None:
        settings = context.settings
        self.in_hand = InHand()
        self._partition = partition
        self._context = context
        self._topics = context.topics
        self._join = Join()
        self._late = LateRequests(settings.join.late_bytes, settings.join.max_open)
        self._settles = min(settings.join.late_answer, SETTLES)
        self._soon = soon(self._settles)
        self._seen: SeenIds[Note] = SeenIds(IDS_PER_EVENT * settings.dedup_window)
        self._segments = Segments(settings.segment_requests, settings.partitions, partition, self._seen, context.counted_from)
        self._partials = Partials(settings.series_cap)
        self._usages = Usages(context.rules)
        self._sums = Sums(self._partials, self._usages, context.rules, context.settle, settings.join.grace)
        self._taps = [new() for new in context.taps]
        self._read_all = Completeness(settings.partitions)
        self._read_calls = Completeness(settings.partitions)
        self._whole = Completeness(settings.partitions)
        self._whole_calls = Completeness(settings.partitions)
        self._said: _Word = (0, 0, False, False, 0.0, 0.0)
        self._said_at = 0.0
        self._stirred_at = 0.0
        """When it last had read something new, in processing time."""
        self._says_again = False
        self._listened = 0
        self._rests = False
        self._live = (0.0, 0.0)
        """Event times since when, and until when, records have been written as they happened, epoch seconds."""
        self._located: dict[str, Locate] = {}
        self._clocks: dict[str, Clock] = {}
        self._skews = Skews()
        self._joined = (context.topics.requests, context.topics.responses)
        self._silent: dict[str, float] = {}
        self._written: dict[str, deque[float]] = {}
        """Kafka times of the last records read, by topic."""
        self._ticks = 0
        self._rekeyed_since: float | None = None
        self._rekeyed_silence = 0.0
        self._progress = Progress(settings.partitions, uuid4().hex)
        self._seeking = Progress(settings.partitions, uuid4().hex)
        self._strays = Strays(self._join.responses)
        self._completed: list[_Completed] = []
        self._new_ids: list[str] = []
        self._new_notes: dict[str, Note] = {}
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
            self._rests = False
            for read in (self._read_all, self._read_calls):
                read.stir(self._partition)
        self._silent.pop(batch.topic, None)
        self._settle_due(effects)

    def tick(self, now: float, silent: Mapping[str, float], effects: Effects) -> bool:
        self._silent = dict(silent)
        self._ticks += 1
        self._rekeyed_since = now if self._rekeyed_since is None else self._rekeyed_since
        self._rekeyed_silence = now - self._rekeyed_since
        before = len(self._join.requests), len(self._join.responses), effects.row_count, len(effects.messages)
        self._rest(silent, effects)
        self._settle_due(effects)
        self._look_for_rest(now)
        if self._join.holds and (ask := self._progress.ask(self._partition, now, self._wanted)) is not None:
            self._tell_all(ASK, ask, effects)
        self._seek(now, effects)
        after = len(self._join.requests), len(self._join.responses), effects.row_count, len(effects.messages)
        news = self._says_again or self._word() != self._said or self._progress_to_tell() != self._told
        return before != after or bool(self._progress.questions) or any(map(self._has_come, self._seeking.questions.values())) or news

    def ahead(self) -> frozenset[str]:
        low = self._clock()
        waiting = self._joined if self._is_idle() else (*self._joined, self._topics.feedback)
        return frozenset(t for t in waiting if self._time_of(self._kinds[t]) > low + MAX_SKEW)

    def close_interval(self, effects: Effects) -> None:
        for asker, question in list(self._progress.questions.items()):
            if self._has_read(question):
                del self._progress.questions[asker]
                self._locate_wanted(question.ask, effects)
                self._tell(asker, ANSWER, Answer(self._partition, question.ask.round, question.ask.nonce), effects)
        for asker, question in list(self._seeking.questions.items()):
            if self._has_come(question):
                del self._seeking.questions[asker]
                self._locate_wanted(question.ask, effects)
                self._tell(asker, SOUGHT, Answer(self._partition, question.ask.round, question.ask.nonce), effects)
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
        head = Head(context.source, self._partition, self._whole_calls.time, progress[1], self._whole.time)
        for home, changed in parts.items():
            message = Parts(head.source, head.partition, self._announced, head.clock, head.rests, changed)
            effects.messages.append(Message(self._topics.partials, home, None, _encode_parts(message)))
        for home, used in usages.items():
            told = UsageParts(head.source, head.partition, self._announced, head.clock, head.rests, used)
            effects.messages.append(Message(self._topics.usage, home, None, _encode_parts(told)))
        listened = int(head.complete) // WINDOW
        announce, self._listened = announce or listened != self._listened, listened
        for tap in self._taps:
            tap.close(head, announce, effects)
        self._say_how_far(effects)

    def _say_how_far(self, effects: Effects) -> None:
        """To all partitions, behind what was forwarded to them."""
        word = self._word()
        if word == self._said and not self._says_again:
            return
        self._said, self._says_again = word, False
        reading = Reading(self._partition, self._read_up_to(), word[2], self._calls_read_up_to(), word[3], *self._whole_up_to())
        self._tell_all(READING, reading, effects)

    def _word(self) -> _Word:
        """How far this partition has read, in finest windows: all topics, and those of calls; whether they are at their ends; and up to
        when everything has come. While something is astray it is not at rest."""
        silent, calls = all(topic in self._silent for topic in self._topics.events), self._is_idle()
        silent = silent and self._strays.earliest > self._read_all.furthest
        whole, whole_calls = self._whole_up_to()
        if not (self._read_all.at_rest and self._read_calls.at_rest):  # else the last word has to be exact
            whole, whole_calls = whole // WINDOW, whole_calls // WINDOW
        return int(self._read_up_to()) // WINDOW, int(self._calls_read_up_to()) // WINDOW, silent, calls, whole, whole_calls

    def _whole_up_to(self) -> tuple[float, float]:
        """Event times up to which everything, and every call, has come and found its counterpart."""
        earliest = self._strays.earliest
        return min(self._read_all.time, earliest), min(self._read_calls.time, earliest)

    def _calls_read_up_to(self) -> float:
        """Event time up to which calls have been read: all of it comes from records, but for input that is live. When that falls silent,
        time goes on at the pace of the wall clock, so that its silence is noticed; a history that ends says nothing of what came after."""
        if not self._is_idle():
            return self._clock()
        own = max(self._time_of(self._kinds[t]) for t in self._joined)
        return own + min(self._silent[t] for t in self._joined) if self._is_live() else own

    def _is_live(self) -> bool:
        since, until = self._live
        return since > 0 and until - since >= LIVE_SPAN

    def _note_pace(self, prompt: Sequence[float], clock: float) -> None:
        """Whether events are written as they happen. ``prompt``: times of those in a batch that were; a
        record whose Kafka time is wrong says nothing of the others. Which topic was read first, and how
        it was cut into batches, must not matter."""
        since, until = self._live
        self._live = (min(since or inf, *prompt), max(clock, until)) if prompt else (0.0, until)

    def _read_up_to(self) -> float:
        """Event time up to which calls, feedback and evaluations have been read."""
        others = [t for t in self._topics.events if t not in self._joined]
        clocks = [self._time_of(self._kinds[t]) for t in others if t not in self._silent]
        if not clocks and self._is_idle():
            return max([self._calls_read_up_to(), *(self._time_of(self._kinds[t]) for t in others)])
        return min([self._calls_read_up_to(), *clocks])

    def _look_for_rest(self, now: float) -> None:
        """Look whether nobody has anything to read, and whether that must be said."""
        # The furthest clock of live input goes on, and nobody comes up with it.
        within = 2 * REPEATS if self._is_live() else 0.0
        vouches = all(read.vouches(self._partition, within) for read in (self._read_all, self._read_calls))
        at_rest = self._read_all.at_rest and self._read_calls.at_rest
        self._rests = at_rest and all(read.rests(RESTS_AFTER) for read in (self._read_all, self._read_calls))
        word = self._word()
        if word != self._said:
            self._said_at = now
            if word[:OWN] != self._said[:OWN]:
                self._stirred_at = now
        elif self._is_idle():
            known = vouches and at_rest == self._rests
            if now - self._said_at >= (REPEATS if known or now - self._stirred_at > 2 * REPEATS else VOUCHES_EVERY):
                self._says_again, self._said_at = True, now

    def _is_idle(self) -> bool:
        return all(topic in self._silent for topic in self._joined)

    def _progress_to_tell(self) -> tuple[int, bool]:
        """Up to when all calls have come here and been told of, in finest windows; and whether the input is at rest."""
        told = self._whole.time >= self._read_all.time and self._whole_calls.time >= self._read_calls.time
        return int(self._whole_calls.time) // WINDOW, self._rests and told

    def changes(self) -> bytes | None:
        requests, responses, gone = self._join.take_changes()
        kept, let_go = self._late.take_changes()
        saved = Saved(
            clocks=self._times(),
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
            read=self._read_all.take_changes(),
            leaps=self._leaps(),
            backing=self._backing(),
            kept=kept,
            let_go=let_go,
            notes=list(self._new_notes.items()),
            count=self._seen.count - len(self._new_ids),
            last=self._segments.last,
            joined=self._read_calls.take_changes(),
            live=self._live,
            whole=self._whole.take_changes(),
            joined_whole=self._whole_calls.take_changes(),
        )
        encoded = _encode_saved(saved)
        self._new_notes = {}
        self._new_ids, self._new_located, self._changed_parts, self._changed_usages = [], [], [], []
        return encoded

    def snapshot(self) -> Iterator[bytes]:
        yield _encode_saved(
            Saved(
                clocks=self._times(), heads=self._segments.heads, settled=self._settled, announced=self._announced, told=self._told,
                located=list(self._located.values()), read=self._read_all.all(), joined=self._read_calls.all(),
                leaps=self._leaps(), backing=self._backing(),
                count=self._seen.count - len(self._seen), last=self._segments.last, live=self._live,
                whole=self._whole.all(), joined_whole=self._whole_calls.all(),
            )
        )  # fmt: skip
        for ids in _cut(self._seen.all(), SNAPSHOT_IDS):
            yield _encode_saved(Saved(seen=ids))
        for notes in _cut(list(self._seen.notes()), SNAPSHOT_ENTRIES):
            yield _encode_saved(Saved(notes=notes))
        for requests in _cut(list(self._join.requests.values()), SNAPSHOT_ENTRIES):
            yield _encode_saved(Saved(requests=requests))
        for responses in _cut(list(self._join.responses.values()), SNAPSHOT_ENTRIES):
            yield _encode_saved(Saved(responses=responses))
        for kept in _cut(list(self._late.all()), SNAPSHOT_ENTRIES):
            yield _encode_saved(Saved(kept=kept))
        for parts in _cut(list(self._partials.all()), SNAPSHOT_ENTRIES):
            yield _encode_saved(Saved(parts=parts))
        for usages in _cut(list(self._usages.all()), SNAPSHOT_ENTRIES):
            yield _encode_saved(Saved(usages=usages))

    def load(self, piece: bytes) -> None:
        saved = _decode_saved(piece)
        for kind, at in saved.clocks.items():
            self._clocks[kind] = Clock(at, saved.leaps.get(kind, ()), saved.backing.get(kind))
        if saved.heads:
            self._seen.count = saved.count
        for item in saved.seen:
            self._seen.add(item)
        for item, note in saved.notes:
            self._seen.set_note(item, note)
        for entry in saved.requests:
            if (before := self._join.requests.get(entry.request.request_id)) is not None:
                self._segments.settle(before.segment)
            self._segments.reopen(entry.segment)
        for request_id in saved.gone:
            if (known := self._join.requests.get(request_id)) is not None:
                self._segments.settle(known.segment)
        self._join.load(saved.requests, saved.responses, saved.gone)
        self._strays.add(saved.responses)
        self._late.load(saved.kept, saved.let_go)
        for located in saved.located:
            self._remember_located(located)
        self._partials.load(saved.parts)
        self._usages.load(saved.usages)
        self._read_all.load(saved.read)
        self._read_calls.load(saved.joined)
        self._whole.load(saved.whole)
        self._whole_calls.load(saved.joined_whole)
        if saved.heads:
            self._partials.forget(lambda segment: segment >= ALONE or segment < saved.settled[segment % len(saved.settled)])
            self._usages.forget(lambda segment: segment >= ALONE or segment < saved.settled[segment % len(saved.settled)])
            self._segments.load(saved.heads, saved.last)
            self._settled = tuple(map(max, self._settled, saved.settled))
            self._announced = tuple(map(max, self._announced, saved.announced))
            self._told = saved.told
            self._live = saved.live

    def waiting(self) -> int:
        """Requests without an answer, answers without a request, and one while not everybody has
        confirmed to have read what was written (``_unconfirmed``)."""
        join = self._join
        return len(join.requests) - join.unanswered + len(join.responses) + self._unconfirmed

    @property
    def _unconfirmed(self) -> bool:
        return (
            self._whole_calls.time < max(self._time_of(self._kinds[t]) for t in self._joined)
            or self._whole.time < max(self._time_of(self._kinds[t]) for t in self._topics.events)
        )

    def gauges(self) -> Mapping[str, float]:
        return {
            "open_requests": len(self._join.requests) - self._join.unanswered,
            "late_answer_candidates": self._join.unanswered,
            "late_requests": len(self._late),
            "waiting_responses": len(self._join.responses),
            "seen_ids": len(self._seen),
            "window_parts": len(self._partials),
            "series": self._partials.series,
            "usage_parts": len(self._usages),
            "unconfirmed": float(self._unconfirmed),
        }

    # Buries

    def origin(self, record: Any) -> Origin:
        """Of a re-keyed record, the event as it was read."""
        found = dict(record.headers).get(ORIGIN_HEADER) if record.topic == self._topics.rekeyed else None
        try:
            origin = _decode_origin(found or b"")
        except msgspec.DecodeError:
            return origin_of(record)
        origin.value = record.value
        return origin

    # Events

    def _apply_events(self, kind: str, batch: Batch, effects: Effects) -> None:
        """Records as services wrote them. One loop over the batch decodes, one applies; homes are computed for all at once."""
        events: list[tuple[Any, Event, Extra | None, float, float]] = []
        keys: list[bytes] = []
        prompt: list[float] = []
        decode, max_future, lateness = DECODERS[kind], self._context.settings.max_future, self._context.settings.lateness
        # Of this partition's own topics only: a re-keyed event says nothing of how far they have been read.
        running = self._clock_of(kind)
        clock, wary = running.time, running.wary
        latest, hand = self._latest(), self.in_hand
        for record in batch.records:
            hand.record = record
            try:
                event, extra = decode(record.value)
                time, written = event.time.timestamp(), record.timestamp / 1000
                if time - written > max_future:
                    raise EventError(_from_the_future(event, time - written, max_future))
            except EventError as error:
                self._dead(origin_of(record), error.reason, effects)
                continue
            believed = written + SKEW if written <= latest else -inf
            if time <= believed:
                believed = time
            elif isinstance(event, Request):
                self._skews.ahead(who(event), time - min(written, latest), effects)
            if (wary and believed > -inf) or believed > clock + STEP:
                running.time = clock
                service = who(event) if isinstance(event, Request) and believed == time else ""
                denied = running.hear(believed, service)
                clock, wary = running.time, running.wary
                self._name(denied, clock, effects)
            elif believed > clock:
                clock = believed
            if time < clock - lateness:
                effects.count("late", kind)
                if isinstance(event, Request):
                    self._skews.behind(who(event), clock - time, clock, effects)
            if written - time <= LIVE_LAG:
                prompt.append(time)
            events.append((record, event, extra, time, clock))
            keys.append((event.session_id or key_of(event)).encode())
        running.time = clock
        if batch.records:
            last = self._written.setdefault(batch.topic, deque(maxlen=WITNESSES))
            possible = (at for record in reversed(batch.records) if (at := record.timestamp / 1000) <= latest)
            last.extend(reversed(list(islice(possible, WITNESSES))))
            if events and batch.topic in self._joined:
                self._note_pace(prompt, clock)
        homes = partitions_of(keys, self._context.settings.partitions).tolist() if keys else []
        accepted = rekeyed = 0
        for (record, event, extra, time, at), key, home in zip(events, keys, homes, strict=True):
            hand.record = record
            if home != self._partition and not self._is_answer_here(event, record.headers):
                self._forward(kind, record, key, home, effects)
                continue
            rekeyed += record.key != key
            try:
                home_first = home == self._partition
                accepted += self._accept(kind, event, extra, time, at, record, None, home_first, effects)
            except Exception as error:  # noqa: BLE001  # see _failed
                self._failed(origin_of(record), error, effects)
        effects.count("accepted", kind, accepted)
        if rekeyed:
            effects.count("rekeyed", batch.topic, rekeyed)

    def _apply_rekeyed(self, record: Any, effects: Effects) -> None:
        """A record that another partition sent to its home."""
        headers = dict(record.headers)
        self.in_hand.record = record
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
            if kind == SEEK:
                self._seeking.asked(Question(_decode_ask(record.value), record.timestamp / 1000, self._ticks))
                return
            if kind == SOUGHT:
                self._seeking.answered(_decode_answer(record.value))
                return
            if kind == READING:
                reading, written = _decode_reading(record.value), record.timestamp / 1000
                self._read_all.hear(reading.partition, reading.clock, reading.idle, written)
                self._read_calls.hear(reading.partition, reading.joined, reading.joined_idle, written)
                self._whole.hear(reading.partition, reading.whole, False, written)
                self._whole_calls.hear(reading.partition, reading.joined_whole, False, written)
                return
            origin = _decode_origin(headers[ORIGIN_HEADER])
            if not 0 <= origin.partition < self._context.settings.partitions:
                raise ValueError(f"there is no partition {origin.partition}")
            kind = "responses" if kind == ORPHAN else kind
            event, extra = decode_with_unknown(kind, record.value)
        except (KeyError, ValueError, TypeError, AttributeError, msgspec.DecodeError) as error:
            self._dead(origin_of(record), f"not a record that Mirante re-keyed: {error!r}", effects)
            return
        origin.value = record.value
        time = event.time.timestamp()
        self._rekeyed_since = None
        running = self._clock_of(REKEYED)
        if origin.timestamp / 1000 <= self._latest():
            self._name(running.hear(self._believed(time, origin)), running.time, effects)
        # Not this partition's own clock: others may be read behind it, and what they forward is in time nevertheless.
        clock = self._read_calls.time
        try:
            effects.count("accepted", kind, self._accept(kind, event, extra, time, clock, record, origin, False, effects))
        except Exception as error:  # noqa: BLE001  # see _failed
            self._failed(origin, error, effects)

    def _accept(
        self, kind: str, event: Event, extra: Extra | None, time: float, clock: float, record: Any, origin: Origin | None,
        first: bool, effects: Effects,
    ) -> bool:  # fmt: skip
        """An event at the partition where it is processed. ``clock``: of its topic when it was read; ``first``: it is read from its
        home's own topic, so no copy to come can be smaller. False if it makes no row: it is known already, is a dead letter, or a response
        that waits for its request."""
        at: Record = record if origin is None else origin
        event_id = _remembered_id(event, at.headers)  # type: ignore[attr-defined]
        if not self._seen.add(event_id):
            self._repeat(kind, event, event_id, time, at, effects)
            return False
        self._new_ids.append(event_id)
        if extra is not None and extra.odd_fields:
            effects.count("odd_fields", kind, len(extra.odd_fields))
        if isinstance(event, Request):
            return self._request(event, event_id, extra, time, clock, record, origin, first, effects)
        if not first:
            mark = self._mark(event, event_id, time) if isinstance(event, Response) else 0
            self._note(event_id, Copy(place_of(at), mark=mark))
        if isinstance(event, Response):
            return self._response(event, extra, time, clock, record, origin, effects)
        if isinstance(event, Feedback):
            line = self._row(feedback_row(event, extra), event, effects)
            for tap in self._taps:
                tap.feedback(event, line)
        elif isinstance(event, Evaluation):
            line = self._row(evaluation_row(event, extra), event, effects)
            for tap in self._taps:
                tap.evaluation(event, line)
        return True

    def _request(
        self, event: Request, event_id: str, extra: Extra | None, time: float, clock: float, record: Any, origin: Origin | None,
        first: bool, effects: Effects,
    ) -> bool:  # fmt: skip
        marker = MARK + event.request_id
        if not self._seen.add(marker):
            reason = f"request_id {event.request_id!r} was used before by another event; every call needs its own"
            self._dead(origin or origin_of(record), reason, effects)
            return False
        self._new_ids.append(marker)
        written = record if origin is None else origin
        segment = self._segments.open(written.partition, written.offset)
        if not first:
            self._note(marker, Copy(place_of(written), mark=self._mark(event, event_id, time), segment=segment))
        heard = clock if time <= clock else max(clock, self._believed(time, written))
        due = heard + self._patience(event)
        if event.session_id is not None:  # its response may be waiting elsewhere
            due = min(due, heard + self._context.settings.join.orphan / 3)
        entry = OpenRequest(event, extra, time, segment, due, heard=heard, offset=written.offset, written=written.timestamp / 1000)
        waiting = self._join.take_response(event.request_id)
        if waiting is not None:
            ended = waiting.response.time.timestamp()
            if ended - waiting.origin.timestamp / 1000 > SKEW and time == self._believed(time, written):
                self._look_at_clock(event, ended, waiting.origin, effects)
            effects.count("accepted", "responses", self._answer(entry, waiting.response, waiting.extra, ended, waiting.origin, effects))
            return True
        self._join.open(entry)
        if len(self._join.requests) > self._context.settings.join.max_open:
            earliest = self._join.earliest()
            if earliest is not None:
                effects.count("settled_early")
                self._give_up(earliest, effects)
                self._tell_home(earliest, self._kept_until(earliest), effects)
                self._close(earliest)
        return True

    def _response(
        self, event: Response, extra: Extra | None, time: float, clock: float, record: Any, origin: Origin | None, effects: Effects
    ) -> bool:
        """False: it makes no row, because it has no request yet or came too late for it."""
        by = record if origin is None else origin
        entry = self._join.requests.get(event.request_id)
        if entry is None and (kept := self._late.take(event.request_id)) is not None:
            return self._answer_apart(unpack(kept), event, extra, time, by, whole=kept.whole, over=clock > kept.due)
        if entry is not None:
            self._join.close(event.request_id)
            if time > clock and entry.time <= entry.heard:
                self._look_at_clock(entry.request, time, by, effects)
            return self._answer(entry, event, extra, time, by, effects)
        origin = origin or origin_of(record)
        located = self._located.get(event.request_id)
        if located is not None and event.session_id is None:
            self._send_response(event, origin, located.partition, effects)
            return False
        heard = clock if time <= clock else max(clock, self._believed(time, origin))
        astray = min(time, heard) if event.session_id is None else inf
        new = WaitingResponse(event, extra, heard + self._context.settings.join.orphan, origin, astray=astray)
        if (other := self._join.responses.get(event.request_id)) is not None:
            if place_of(origin).order(self._partition) < place_of(other.origin).order(self._partition):
                self._join.take_response(event.request_id)
                self._wait(new)
                new = other
            self._dead_response(new, f"request_id {event.request_id!r} has two responses; the first is kept", effects)
        else:
            self._wait(new)
        return False

    def _wait(self, entry: WaitingResponse) -> None:
        self._join.wait(entry)
        if entry.astray < inf:
            self._strays.add([entry])

    def _look_at_clock(self, request: Request, ended: float, by: Any, effects: Effects) -> None:
        """The host that writes the responses may be another than the one that writes the requests, whose clock is not ahead."""
        if (ahead := ended - by.timestamp / 1000) > SKEW:
            self._skews.ahead(who(request), ahead, effects)

    def _answer(self, entry: OpenRequest, response: Response, extra: Extra | None, ended: float, by: Any, effects: Effects) -> bool:
        """A request that is not open any more has met its answer. False: its row can not be completed."""
        request, written, at = entry.request, entry.written or entry.time, by.timestamp / 1000
        is_late = ended - entry.time > self._soon or at - written > self._soon
        if is_late and is_apart(entry.time, written, ended, at, self._patience(request), self._settles):
            self._give_up(entry, effects)
            self._segments.settle(entry.segment)
            known = Remembered(request, entry.extra, entry.time, entry.segment != WARM_UP)
            return self._answer_apart(known, response, extra, ended, by)
        counted = self._sums.counted_at(entry.time, ended)
        self._complete(
            _Completed(request, entry.extra, entry.time, entry.segment, entry.offset, response, extra, ended, entry.unanswered, by, counted)
        )
        return True

    def _answer_apart(
        self, known: Remembered, response: Response, extra: Extra | None, ended: float, by: Any, *, whole: bool = True, over: bool = False
    ) -> bool:
        """An answer that is counted beside the sums of its request. ``whole``: its text is there, ``over``: nor is it kept any longer.
        False: its row can not be completed."""
        join, request, after = self._context.settings.join, known.request, ended - known.time
        counted = self._sums.counted_at(known.time, ended)
        call = _Completed(request, known.extra, known.time, alone(request.event_id), -1, response, extra, ended, True, by, counted)
        if after > self._patience(request) + join.late_answer:
            call.refused = f"answer came {after:,.0f} s after its request; join.late_answer is {join.late_answer:,.0f}"
        elif not whole:
            why = f"join.late_answer is {join.late_answer:,.0f}" if over else f"join.late_bytes is {join.late_bytes:,}"
            call.refused = f"answer came {after:,.0f} s after its request, whose text was given up meanwhile: {why}"
        if known.counted:
            self._completed.append(call)
        return not call.refused

    def _complete(self, call: _Completed) -> None:
        self._segments.settle(call.segment)
        call.copy = copy = self._copy_of(call.request)
        model = call.response.model or call.request.model
        if model != call.request.model or call.counted:
            self._answered_by(model, call.counted, call, copy)
        if call.segment != WARM_UP or (copy is not None and not copy.final):
            self._completed.append(call)

    # Copies (agents/interactions/copies.py)

    def _repeat(self, kind: str, event: Event, event_id: str, time: float, at: Any, effects: Effects) -> None:
        """Another copy of an event that is known: one of them counts, the others are repeats."""
        marker = MARK + event.request_id if isinstance(event, Request) else event_id
        note = self._seen.note(marker)
        copy = note if isinstance(note, Copy) else Copy(final=True, model=note or "")
        if copy.is_of(at):
            return  # the record itself, sent once more after a crash
        home = partition_of(key_of(event).encode(), self._context.settings.partitions)
        if copy.mark and copy.mark != self._mark(event, event_id, time):  # type: ignore[arg-type]
            self._repeated(kind, event, at, effects)  # it says something else than the copy that was read first, which stands
        elif copy.yields_to(at, home):
            self._repeated(kind, event, Origin(at.topic, *copy.place, None, None, []), effects)
            copy.place, copy.final = place_of(at), at.partition == home
            if isinstance(event, Request):
                self._move(copy, event, time, at)
                copy.item = None if copy.final else copy.item
            elif isinstance(event, Response):
                self._replace(copy, event, event_id, at, effects)
            self._note(marker, copy)
        else:
            self._repeated(kind, event, at, effects)
            if isinstance(event, Request) and at.partition != home:  # in their home's own topic copies are always read in one order
                self._void(copy, self._segments.of(at.partition, at.offset), event, time)
                self._note(marker, copy)

    def _repeated(self, kind: str, event: Event, at: Record, effects: Effects) -> None:
        effects.count("duplicate", kind)
        time = datetime.fromtimestamp(max(at.timestamp, 0) / 1000, UTC)
        row = RepeatRow(
            source=self._context.source, topic=at.topic, partition=at.partition, offset=at.offset, time=time, event_id=event.event_id
        )
        effects.row(RepeatRow.TABLE, _encode_repeat(row))

    def _move(self, copy: Copy, request: Request, time: float, at: Record) -> None:
        """A call counts in the segment of the copy ``at``, and not any more in that of another."""
        old, new = copy.segment, self._segments.of(at.partition, at.offset)
        copy.segment = new
        if (entry := self._join.requests.get(request.request_id)) is not None:
            self._segments.settle(old)
            self._segments.reopen(new)
            entry.segment, entry.offset = new, at.offset
            entry.written = at.timestamp / 1000
            entry.closes = self._closes(entry)
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
                self._sums.answered(new, time, request, series, item, late=False, counted=copy.counted)
        self._void(copy, old, request, time)

    def _void(self, copy: Copy, segment: int, request: Request, time: float) -> None:
        """A copy of a call belongs to ``segment``, where it does not count."""
        if segment != copy.segment and segment not in copy.void:
            copy.void += (segment,)
            self._sums.void(segment, time, request)
            self._sums.void_answer(segment, time, request, copy.model or request.model, copy.counted)

    def _answered_by(self, model: str, counted: int, call: _Completed, copy: Copy | None) -> None:
        """Another model than the one asked for has answered, or the answer is summed apart: copies are void in its sums too, those that
        are known and those to come."""
        other = model if model != call.request.model else ""
        if copy is not None:
            copy.model, copy.counted = other, counted
            for segment in copy.void:
                self._sums.void_answer(segment, call.time, call.request, model, counted)
        elif counted:
            copy = Copy(final=True, model=other, counted=counted)
        self._note(MARK + call.request.request_id, copy or other)

    def _copy_of(self, request: Request) -> Copy | None:
        note = self._seen.note(MARK + request.request_id)
        return note if isinstance(note, Copy) else None

    def _counted(self, request: Request, copy: Copy | None, item: Contribution) -> None:
        """What a request has added to the sums: if a smaller copy comes, it moves."""
        if copy is not None and not copy.final:
            copy.item = item
            self._note(MARK + request.request_id, copy)

    def _replace(self, copy: Copy, response: Response, event_id: str, at: Any, effects: Effects) -> None:
        """Of a response the copy ``at`` counts: it takes the place of the other where that waits, or follows it."""
        waiting = self._join.responses.get(response.request_id)
        if waiting is not None and _remembered_id(waiting.response, waiting.origin.headers) == event_id:
            waiting.origin = at if isinstance(at, Origin) else origin_of(at)
            self._join.touch(response.request_id)
        elif copy.sent >= 0:
            origin = at if isinstance(at, Origin) else origin_of(at)
            self._send_on("responses", origin, response.request_id.encode(), copy.sent, effects)

    def _note(self, item: str, note: Note) -> None:
        self._seen.set_note(item, note)
        self._new_notes[item] = note

    def _mark(self, event: Request | Response, event_id: str, time: float) -> int:
        """Equal for copies that can stand for each other. Of a response: it is about the same call."""
        if isinstance(event, Response):
            return crc32(event.request_id.encode("utf-8", "replace")) or 1
        return self._sums.mark(time, event, event_id) or 1

    # Calls that are complete

    def _finish(self, effects: Effects) -> None:
        """Judges, writes and tells what the batch has completed: each step for all calls before the next one, so that a guard's tables,
        half a megabyte each, are fetched into the processor's cache once. Call by call that takes longer than the guards themselves."""
        calls, self._completed = self._completed, []
        hand = self.in_hand
        hand.record = None  # all at once
        self._judge(calls)
        for step in (self._make_row, self._mask, self._tell_of):
            done: list[_Completed] = []
            for call in calls:
                hand.record = call.answered_by
                try:
                    step(call, effects)
                except Exception as error:  # noqa: BLE001  # see _failed
                    self._break_up(call, error, effects)
                else:
                    done.append(call)
            calls = done
        hand.record = None

    def _break_up(self, call: _Completed, error: Exception, effects: Effects) -> None:
        """A call that cannot be told: its answer is a dead letter, and the request is as if it had none."""
        effects.count("accepted", "responses", -1)
        by = call.answered_by
        origin = by if isinstance(by, Origin) else origin_of(by)
        self._end_copies(_remembered_id(call.response, origin.headers))
        self._failed(origin, error, effects)
        if not call.late:  # else it is told as unanswered already
            self._write_unanswered(call, effects)

    def _write_unanswered(self, entry: OpenRequest | _Completed, effects: Effects) -> None:
        request, segment, time = entry.request, entry.segment, entry.time
        family = segment % self._context.settings.partitions
        try:
            with self.in_hand.event("unanswered", self._topics.requests, family, entry.offset, request.event_id):
                row, item = unanswered(request, entry.extra)
                self._row(row, request, effects)
            self._sums.unanswered(segment, time, request)
            self._counted(request, self._copy_of(request), item)
        except Exception as error:  # noqa: BLE001  # see _failed
            origin = Origin(self._topics.requests, family, entry.offset, int(time * 1000), None, _encode_event(request), [])
            self._failed(origin, error, effects)
            return
        effects.count("outcome", "unanswered")
        for tap in self._taps:
            try:
                tap.unanswered(request, time)
            except Exception:  # noqa: BLE001  # see _deaf
                _deaf(tap)

    def _judge(self, calls: Sequence[_Completed]) -> None:
        try:
            for call, verdict in zip(calls, verdicts([(call.request, call.response) for call in calls]), strict=True):
                call.verdict = verdict
        except Exception:  # each is judged when its row is made, and the one at fault is known
            log.debug("%d calls could not be judged at once", len(calls), exc_info=True)

    def _make_row(self, call: _Completed, effects: Effects) -> None:
        call.row, call.item, call.outcome = answered(
            call.request, call.extra, call.response, call.response_extra, self._context.prices, call.verdict
        )

    def _mask(self, call: _Completed, effects: Effects) -> None:
        if call.refused:
            call.line, call.found = b"", {}
        else:
            call.line, call.found = self._masked(call.row, call.request, effects)

    def _refuse(self, call: _Completed, effects: Effects) -> None:
        """The answer is a dead letter; what it cost is counted."""
        by = call.answered_by
        origin = by if isinstance(by, Origin) else origin_of(by)
        self._end_copies(_remembered_id(call.response, origin.headers))
        self._dead(origin, f"{call.refused}. Its cost is in cost_windows and budgets, its row stays unanswered", effects)

    def _tell_of(self, call: _Completed, effects: Effects) -> None:
        """Table, sums and taps hear of a call."""
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
        elif item.partial:
            effects.count("partial", row.model)
        series = series_of(request, response)
        if not self._sums.answered(call.segment, call.time, request, series, item, late=call.late, counted=call.counted):
            effects.count("other")
        if call.refused:
            self._refuse(call, effects)
            return
        self._counted(request, call.copy, item)
        effects.row(row.TABLE, line)
        if self._taps:
            told = Call(request, response, call.time, row, line, series, item, call.late, call.ended, seen, plain=not found)
            for tap in self._taps:
                try:
                    tap.answered(told)
                except Exception:  # noqa: BLE001  # see _deaf
                    _deaf(tap)

    # Time

    def _clock(self) -> float:
        """Event time of the partition: how far both sides of the join have been read.

        A silent topic does not hold time back; when both are silent, time goes on at the pace of the wall clock.
        """
        active = [self._time_of(self._kinds[t]) for t in self._joined if t not in self._silent]
        if active:
            return min(active)
        own = max((self._time_of(self._kinds[t]) for t in self._joined), default=0.0)
        # Re-keyed events may be all this partition ever gets.
        rekeyed = self._time_of(REKEYED) + self._rekeyed_silence
        return max(own + min(self._silent[t] for t in self._joined), rekeyed)

    def _time_of(self, kind: str) -> float:
        clock = self._clocks.get(kind)
        return 0.0 if clock is None else clock.time

    def _clock_of(self, kind: str) -> Clock:
        clock = self._clocks.get(kind)
        if clock is None:
            clock = self._clocks[kind] = Clock()
        return clock

    def _times(self) -> dict[str, float]:
        return {kind: clock.time for kind, clock in self._clocks.items()}

    def _leaps(self) -> dict[str, list[Leap]]:
        return {kind: clock.leaps for kind, clock in self._clocks.items() if clock.leaps}

    def _backing(self) -> dict[str, int]:
        return {kind: clock.backing for kind, clock in self._clocks.items() if clock.wary}

    def _rest(self, silent: Mapping[str, float], effects: Effects) -> None:
        """Where nothing more comes, what came last need not wait for witnesses."""
        kinds = {self._kinds[topic] for topic in silent if topic in self._kinds}
        if self._rekeyed_silence >= RESTS:
            kinds.add(REKEYED)
        for kind in kinds:
            if (clock := self._clocks.get(kind)) is not None and clock.leaps:
                self._name(clock.rest(self._context.wall()), clock.time, effects)

    def _latest(self) -> float:
        """A Kafka time beyond this has not come yet, so it is none: the host that wrote it has a wrong clock."""
        return self._context.wall() + CLOCKS

    def _believed(self, time: float, written: Any) -> float:
        """An event's time, as far as its record or :class:`Origin` lets it be true."""
        return min(time, min(float(written.timestamp) / 1000, self._latest()) + SKEW)

    def _name(self, wrong: Sequence[Leap], clock: float, effects: Effects) -> None:
        for leap in wrong:
            if leap.who:
                self._skews.ahead(leap.who, leap.time - clock, effects)

    def _has_read(self, question: Question) -> bool:
        """Whether everything written to this partition before the question has been read."""
        if self._ticks < question.tick + TICKS:
            return False
        return all(t in self._silent or self._is_past(t, question.written + MARGIN) for t in self._joined)

    def _is_past(self, topic: str, written: float) -> bool:
        """Whether what is read now was written after ``written``: one record does not say so, whose host may have a wrong clock."""
        last = self._written.get(topic, ())
        return len(last) == WITNESSES and sorted(last)[1] > written

    def _settle_due(self, effects: Effects) -> None:
        clock = max(self._clock(), self._read_calls.time)
        for request, response in self._join.due(clock, self._context.wall(), self._progress):
            if request is not None:
                self._expire(request, clock, effects)
            elif response is not None:
                self._orphan(response, effects)
        if self._seeking.take_fresh():
            for stray in self._strays.settle(self._seeking.confirmed):
                self._join.touch(stray.response.request_id)
        self._late.pass_time(clock)
        if self._located:
            for request_id in [i for i, located in self._located.items() if located.until < clock]:
                del self._located[request_id]

    def _expire(self, entry: OpenRequest, clock: float, effects: Effects) -> None:
        """A deadline of a request has passed: first its response is looked for elsewhere, then it is unanswered, later forgotten."""
        request = entry.request
        if not entry.unanswered:
            if entry.due < (due := (entry.heard or entry.time) + self._patience(request)):
                entry.due = due
                self._join.open(entry)
                self._tell_home(entry, due, effects)
            else:
                self._give_up(entry, effects)
                entry.closes = self._closes(entry)
                self._join.give_up(entry, self._settles)
                self._tell_home(entry, self._kept_until(entry), effects)
        elif (left := entry.closes - self._context.wall()) > 0:
            entry.due = clock + max(left, 1.0)
            self._join.open(entry)
        else:
            self._close(entry)

    def _give_up(self, entry: OpenRequest, effects: Effects) -> None:
        """Its response has not come in time: it counts as unanswered, unless it does already."""
        if entry.unanswered:
            return
        copy = self._copy_of(entry.request)
        if entry.segment != WARM_UP or (copy is not None and not copy.final):  # a copy that counts may come
            self._write_unanswered(entry, effects)

    def _close(self, entry: OpenRequest) -> None:
        """What it is counted in is closed; from now on it is kept as small as can be."""
        self._join.close(entry.request.request_id)
        self._segments.settle(entry.segment)
        self._late.keep(entry, self._kept_until(entry), counted=entry.segment != WARM_UP)

    def _kept_until(self, entry: OpenRequest) -> float:
        """The partition's clock up to which an unanswered request is kept with its text."""
        return (entry.heard or entry.time) + self._patience(entry.request) + self._context.settings.join.late_answer

    def _patience(self, request: Request) -> float:
        """Seconds that a request waits for its answer until it counts as unanswered."""
        return (request.timeout_ms or 0) / 1000 + self._context.settings.join.grace

    def _closes(self, entry: OpenRequest) -> float:
        """Wall clock from which a request that is unanswered now may be closed."""
        written = entry.written or entry.time
        return closes(entry.time, written, self._context.wall(), self._patience(entry.request), self._settles)

    def _is_strange_home(self, request: Request) -> bool:
        """Whether a response that names no session has another home than this partition."""
        return request.session_id is not None and self._home_of_request(request.request_id) != self._partition

    def _home_of_request(self, request_id: str) -> int:
        return partition_of(request_id.encode(), self._context.settings.partitions)

    def _tell_home(self, entry: OpenRequest, due: float, effects: Effects) -> None:
        """The response may have come without a session: then it waits at the home of the request's id, and not for long."""
        request_id = entry.request.request_id
        if self._is_strange_home(entry.request):
            self._tell(self._home_of_request(request_id), LOCATE, Locate(request_id, self._partition, due), effects)

    def _wanted(self, round: int, most: int) -> list[tuple[str, str]]:
        """What this partition asks the others for: requests, and the responses that wait for them."""
        return _pairs(self._join.wanted(round, most))

    def _seek(self, now: float, effects: Effects) -> None:
        """Ask for the requests of responses that everything up to them has come without."""
        time = self._read_calls.time
        if self._strays.earliest > time:
            return
        ask = self._seeking.ask(self._partition, now, lambda round, most: _pairs(self._strays.seek(round, time)))
        if ask is not None:
            ask.until = time
            self._tell_all(SEEK, ask, effects)

    def _has_come(self, question: Question) -> bool:
        """Whether everything has come here that could be what is sought."""
        return self._read_calls.time >= question.ask.until

    def _locate_wanted(self, ask: Ask, effects: Effects) -> None:
        """Says which of the requests another partition asks for wait here, and of which of its responses a copy was taken here: that is a
        repeat, or the very record, which a crash has sent on a second way."""
        for request_id, event_id in zip_longest(ask.wanted, ask.events, fillvalue=""):
            entry = self._join.requests.get(request_id)
            due = self._late.due(request_id) if entry is None else entry.due
            if due is not None:
                self._tell(ask.asker, LOCATE, Locate(request_id, self._partition, due), effects)
            elif event_id in self._seen and self._partition != ask.asker == self._home_of_request(request_id):
                until = self._clock() + self._context.settings.join.orphan
                self._tell(ask.asker, LOCATE, Locate(request_id, self._partition, until), effects)

    def _locate(self, located: Locate, effects: Effects) -> None:
        waiting = self._join.responses.get(located.request_id)
        if waiting is not None and waiting.response.session_id is None:
            self._join.take_response(located.request_id)
            self._send_response(waiting.response, waiting.origin, located.partition, effects)
        else:
            self._remember_located(located)
            self._new_located.append(located)

    def _remember_located(self, located: Locate) -> None:
        self._located[located.request_id] = located
        if len(self._located) > self._context.settings.join.max_open:
            del self._located[next(iter(self._located))]

    def _orphan(self, waiting: WaitingResponse, effects: Effects) -> None:
        request_id = waiting.response.request_id
        self._join.take_response(request_id)
        if MARK + request_id in self._seen:
            reason = f"the request {request_id!r} has its answer, or came too long ago to be remembered"
        else:
            reason = f"no request with request_id {request_id!r} came within the time a response waits for it"
        self._dead_response(waiting, reason, effects)

    def _dead_response(self, waiting: WaitingResponse, reason: str, effects: Effects) -> None:
        self._end_copies(_remembered_id(waiting.response, waiting.origin.headers))
        if self._context.counted_from:
            return  # its request may be older than the backfill; the run that read it when it was new has said what became of it
        self._dead(waiting.origin, reason, effects)

    def _end_copies(self, event_id: str) -> None:
        """An event is a dead letter: its copies are repeats."""
        if isinstance(copy := self._seen.note(event_id), Copy):
            copy.final = True
            self._note(event_id, copy)

    def _row(self, row: Row, event: Event, effects: Effects) -> bytes:
        """A row for ClickHouse, without personal data; returns it as JSON."""
        line, _ = self._masked(row, event, effects)
        effects.row(row.TABLE, line)
        return line

    def _masked(self, row: Row, event: Event, effects: Effects) -> tuple[bytes, Found]:
        """A row as JSON without personal data, and what was masked."""
        session = event.session_id or key_of(event)
        return self._context.masking.line(row, session, lambda kind: effects.count("pii", kind))

    # Elsewhere

    def _tell(self, partition: int, kind: str, note: Ask | Answer | Locate | Reading, effects: Effects) -> None:
        """Send a note to another partition's agent, behind all that was forwarded there before."""
        headers = ((KIND_HEADER, kind.encode()),)
        effects.messages.append(Message(self._topics.rekeyed, partition, None, _encode_note(note), headers))

    def _tell_all(self, kind: str, note: Ask | Reading, effects: Effects) -> None:
        for partition in range(self._context.settings.partitions):
            self._tell(partition, kind, note, effects)

    def _is_answer_here(self, event: Event, headers: Headers) -> bool:
        """Whether a response that names no session answers a request of this partition, or is a repeat of one that did."""
        if not isinstance(event, Response) or event.session_id is not None:
            return False
        request_id = event.request_id
        return request_id in self._join.requests or request_id in self._late or _remembered_id(event, headers) in self._seen

    def _forward(self, kind: str, record: Any, key: bytes, home: int, effects: Effects) -> None:
        effects.count("rekeyed", record.topic)
        self._send_on(kind, origin_of(record), key, home, effects)

    def _send_response(self, response: Response, origin: Origin, partition: int, effects: Effects) -> None:
        """A response without a session goes from the home of its ``request_id`` to where the request is; its copies follow it."""
        event_id = _remembered_id(response, origin.headers)
        if isinstance(copy := self._seen.note(event_id), Copy):
            copy.sent = partition
            self._note(event_id, copy)
        self._send_on("responses", origin, response.request_id.encode(), partition, effects)

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
        if isinstance(error, Condemned):
            self._dead(origin, str(error), effects, POISON)
            return
        log.error("event at %s/%d/%d: a defect in Mirante", origin.topic, origin.partition, origin.offset, exc_info=error)
        self._dead(origin, f"Mirante failed on this event, a defect that its log describes; please report it: {error!r}", effects)

    def _dead(self, origin: Origin, reason: str, effects: Effects, stage: str = STAGE) -> None:
        effects.count("dead_letter", stage)
        effects.letters.append(dead_letter(origin, source=self._context.source, stage=stage, reason=reason))


def _deaf(tap: Tap) -> None:
    """A tap failed on a call whose row is written: that harms nobody else."""
    log.exception("%s does not hear of a call: a defect in Mirante, please report it", type(tap).__name__)


def _from_the_future(event: Event, ahead: float, most: float) -> str:
    return (
        f"time: {event.time.isoformat()} is {ahead / 3600:.1f} h after the record was written to Kafka; "
        f"at most {most / 3600:.1f} h are accepted (max_future)"
    )


def _remembered_id(event: Event, headers: Sequence[tuple[str, bytes | None]]) -> str:
    """What is remembered of an event in order to know its repeats.

    A dead letter's event may have been remembered when it became one: sent back, it is known by its id and its replay header,
    so that each replay counts once.
    """
    if not headers:
        return event.event_id
    replay = next((value for name, value in headers if name == REPLAY_HEADER), None)
    return event.event_id if replay is None else f"{event.event_id}\0{replay.decode(errors='backslashreplace')}"


def _pairs(waiting: Sequence[WaitingResponse]) -> list[tuple[str, str]]:
    """Of responses the requests that they wait for, and what is remembered of themselves."""
    return [(w.response.request_id, _remembered_id(w.response, w.origin.headers)) for w in waiting]


def _cut(items: Sequence[Any], size: int) -> Iterator[list[Any]]:
    for at in range(0, len(items), size):
        yield list(items[at : at + size])
