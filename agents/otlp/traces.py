"""Spans of traces that have not ended yet, as far as anybody knows: which of them are to be told now, and what is known around them.

A span waits ``settle`` after it was written, and to the next even second, so that those around it can come: children come before
their parents, a trace comes in several messages, and nobody says when it has ended. Then it is told by what is known *at that moment*
of Kafka's time, whatever has been read since. After another ``settle`` its body is given up, and what is left says where it stood;
that is forgotten after ``remember``. So what becomes of a span follows from the Kafka times of the spans around it, and neither from who
was read first nor how fast.

Times are milliseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

import msgspec

from agents.common.seen import SeenIds
from agents.otlp.held import CALL, NOTHING, STEP, WAITS, HeldLog, HeldSpan, SavedHeld, SpanTold
from agents.otlp.parcels import Item
from schemas.otlp import LogRecord, Span

BEAT = 2_000
"""Moments are even seconds: a trace is looked at every two seconds at most, and what ends together is told together."""

EVER = 1 << 62
"""The moment at which everything is due."""

_PIECE = 500

decode_span = msgspec.msgpack.Decoder(Span).decode
decode_log = msgspec.msgpack.Decoder(LogRecord).decode
encode = msgspec.msgpack.Encoder().encode


@dataclass(slots=True)
class _Group:
    spans: dict[str, HeldSpan] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    near: dict[str, HeldSpan] = field(default_factory=dict)
    """Whole spans."""
    logs: dict[bytes, HeldLog] = field(default_factory=dict)
    moments: set[int] = field(default_factory=set)
    """At which it is to be looked at."""


@dataclass(slots=True)
class Case:
    """A trace at a moment: what is known of it, and which of its spans are to be told."""

    group: str
    moment: int
    spans: list[Span]
    logs: list[LogRecord]
    due: list[str]


class Traces:
    """The traces of one home partition.

    ``names``: attributes that spans inherit from those around them. ``max_spans``: remembered; ``max_bytes``: of whole spans.
    ``remembered``: span ids known as repeats.
    """

    def __init__(
        self, names: frozenset[str], *, settle: int, remember: int, max_spans: int, max_bytes: int, remembered: int
    ) -> None:
        self._names = names
        self._settle = settle
        self._whole_for = settle + BEAT
        self._remember = max(remember, 3 * settle + 2 * BEAT)
        self._max_spans = max_spans
        self._max_bytes = max_bytes
        self._groups: dict[str, _Group] = {}
        self._moments: list[tuple[int, int, str]] = []
        """When a group is to be looked at: moment, the beginning of its first span then, group. So a history comes in its own order."""
        self._whole: deque[HeldSpan | HeldLog] = deque()
        self._kept: deque[HeldSpan] = deque()
        """In the order they came, which is nearly that of their times."""
        self._bytes = 0
        self._seen: SeenIds[None] = SeenIds(remembered)
        self._new: list[HeldSpan] = []
        self._new_logs: list[HeldLog] = []
        self._told: list[SpanTold] = []
        self._new_ids: list[str] = []
        self._loading = False
        self.waiting = 0
        """Spans that are not told yet."""
        self.early = 0
        """Spans told before their time because too many were held."""

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes of whole spans and log records."""
        return self._bytes

    def put(self, item: Item) -> bool:
        """A span or log record has come; False if it is a repeat."""
        self._finish_loading()
        due = -(-(item.at + self._settle) // BEAT) * BEAT
        if item.is_log:
            log = HeldLog(item.group, item.at, due, item.body)
            is_new = self._hold_log(log)
            if is_new:
                self._new_logs.append(log)
            return is_new
        identity = f"{item.group}-{item.span_id}"
        trace = self._groups.get(item.group)
        if not self._seen.add(identity) or (trace is not None and item.span_id in trace.spans):
            return False
        self._new_ids.append(identity)
        held = HeldSpan(
            item.group, item.span_id, item.parent_id, item.start, item.at, due, item.body, WAITS if item.leads else NOTHING
        )  # fmt: skip
        self._new.append(held)
        self._hold(held)
        self._whole.append(held)
        self._kept.append(held)
        if held.status == WAITS:
            self._expect(held)
        return True

    def _hold(self, held: HeldSpan) -> None:
        trace = self._groups.get(held.group)
        if trace is None:
            trace = self._groups[held.group] = _Group()
        trace.spans[held.span_id] = held
        trace.children.setdefault(held.parent_id, []).append(held.span_id)
        if held.whole:
            trace.near[held.span_id] = held
            self._bytes += len(held.body)
        self.waiting += held.status == WAITS

    def _hold_log(self, log: HeldLog) -> bool:
        trace = self._groups.setdefault(log.group, _Group())
        if log.body in trace.logs:
            return False
        trace.logs[log.body] = log
        self._bytes += len(log.body)
        self._whole.append(log)
        return True

    def _expect(self, held: HeldSpan) -> None:
        moments = self._groups[held.group].moments
        if held.due not in moments:
            moments.add(held.due)
            heappush(self._moments, (held.due, held.start, held.group))

    # What is to be told

    def due(self, until: int) -> Iterator[Case]:
        """Traces of which spans are due before ``until``, and those that there is no room for, in order of time."""
        self._finish_loading()
        while self._moments and self._moments[0][0] < until:
            moment, _, group = heappop(self._moments)
            trace = self._groups.get(group)
            if trace is not None:
                trace.moments.discard(moment)
                if (case := self._case(group, trace, moment)).due:
                    yield case
        yield from self._make_room()
        self._forget(until)

    def is_due(self, until: int) -> bool:
        """Whether ``due`` has something to do."""
        self._finish_loading()
        return bool(self._moments and self._moments[0][0] < until) or self._overfull

    def _case(self, group: str, trace: _Group, moment: int) -> Case:
        near = [held for held in trace.near.values() if held.at <= moment]
        due = [held.span_id for held in near if held.status == WAITS and held.due <= moment]
        if not due:
            return Case(group, moment, [], [], due)
        shown: dict[str, Span] = {}
        for held in near:
            if self._is_whole(held, moment):
                shown[held.span_id] = decode_span(held.body)
        for span_id in list(shown):
            for above in self._above(trace, span_id, moment):
                if above.span_id in shown:
                    break
                shown[above.span_id] = self._remains(above)
        logs = [decode_log(log.body) for log in trace.logs.values() if log.at <= moment and self._is_whole(log, moment)]
        spans = sorted(shown.values(), key=lambda span: (span.start_ns, span.span_id))
        return Case(group, moment, spans, sorted(logs, key=lambda log: (log.time_ns, encode(log))), due)

    def _above(self, trace: _Group, span_id: str, moment: int) -> Iterator[HeldSpan]:
        """The known spans around a span, from the inside out, as far as they are remembered."""
        met = {span_id}
        at = trace.spans[span_id].parent_id
        while at and at not in met and (held := trace.spans.get(at)) is not None and self._is_known(held, moment):
            met.add(at)
            yield held
            at = held.parent_id

    def _is_whole(self, held: HeldSpan | HeldLog, moment: int) -> bool:
        return moment == EVER or moment <= held.due + self._whole_for

    def _is_known(self, held: HeldSpan, moment: int) -> bool:
        return held.at <= moment and (moment == EVER or moment <= held.at + self._remember)

    def counts_already(self, case: Case, span_ids: list[str], steps: Set[str]) -> bool:
        """Whether one of a call's spans, or one around or below its first, counts as a call already. What lies beyond a step is
        another call; ``steps``: spans that are known to be some."""
        trace = self._groups[case.group]
        if any((held := trace.spans.get(span_id)) is not None and held.status == CALL for span_id in span_ids):
            return True
        for held in self._above(trace, span_ids[0], case.moment):
            if held.status == STEP or held.span_id in steps:
                break
            if held.status == CALL:
                return True
        met, left = {span_ids[0]}, list(trace.children.get(span_ids[0], ()))
        while left:
            held = trace.spans[left.pop()]
            if held.span_id in met or held.status == STEP or held.span_id in steps or not self._is_known(held, case.moment):
                continue
            if held.status == CALL:
                return True
            met.add(held.span_id)
            left += trace.children.get(held.span_id, ())
        return False

    def around(self, case: Case, span_id: str) -> list[tuple[str, int]]:
        """The known spans around a span, from the inside out, and what became of each; behind them one that has not come."""
        trace = self._groups[case.group]
        found = [trace.spans[span_id], *self._above(trace, span_id, case.moment)]
        known = [(held.span_id, held.status) for held in found[1:]]
        unknown = found[-1].parent_id
        return [*known, (unknown, WAITS)] if unknown and all(unknown != held.span_id for held in found) else known

    def tell(self, case: Case, span_id: str, status: int) -> None:
        """A span was told."""
        told = SpanTold(case.group, span_id, status)
        self._mark(told)
        self._told.append(told)

    # Room

    @property
    def _overfull(self) -> bool:
        return len(self._kept) > self._max_spans or self._bytes > self._max_bytes

    def _make_room(self) -> Iterator[Case]:
        while self._overfull:
            if self._bytes > self._max_bytes and self._whole:
                oldest: HeldSpan | HeldLog = self._whole[0]
            else:
                oldest = self._kept[0]
            if isinstance(oldest, HeldSpan) and oldest.status == WAITS:
                case = self._case(oldest.group, self._groups[oldest.group], EVER)
                self.early += len(case.due)
                yield case
            if self._bytes > self._max_bytes and self._whole:
                self._give_up_body(self._whole.popleft())
            else:
                self._drop(self._kept.popleft())

    def _forget(self, until: int) -> None:
        while self._whole and self._whole[0].due + self._whole_for < until:
            self._give_up_body(self._whole.popleft())
        while self._kept and self._kept[0].at + self._remember < until:
            self._drop(self._kept.popleft())

    def _give_up_body(self, held: HeldSpan | HeldLog) -> None:
        trace = self._groups.get(held.group)
        if trace is None:
            return
        if isinstance(held, HeldLog):
            if trace.logs.pop(held.body, None) is not None:
                self._bytes -= len(held.body)
            self._drop_empty(held.group, trace)
        elif trace.near.get(held.span_id) is held:
            del trace.near[held.span_id]
            self._bytes -= len(held.body)
            held.body, held.whole = encode(self._remains(held)), False

    def _remains(self, held: HeldSpan) -> Span:
        """Of a span, what those below it inherit, and where it stands."""
        span = decode_span(held.body)
        if not held.whole:
            return span
        inherited = {name: value for name, value in span.attributes.items() if name in self._names}
        return Span(
            span.trace_id, span.span_id, span.parent_id, span.name, span.kind, span.start_ns, span.end_ns, attributes=inherited
        )

    def _drop(self, held: HeldSpan) -> None:
        trace = self._groups.get(held.group)
        if trace is None or trace.spans.get(held.span_id) is not held:
            return
        if trace.near.pop(held.span_id, None) is not None:
            self._bytes -= len(held.body)
        del trace.spans[held.span_id]
        siblings = trace.children[held.parent_id]
        siblings.remove(held.span_id)
        if not siblings:
            del trace.children[held.parent_id]
        self._drop_empty(held.group, trace)

    def _drop_empty(self, group: str, trace: _Group) -> None:
        if not trace.spans and not trace.logs:
            del self._groups[group]

    # Persistence

    def take_changes(self) -> SavedHeld:
        """What changed since the last call."""
        new = {(held.group, held.span_id) for held in self._new}
        told = [one for one in self._told if (one.group, one.span_id) not in new]
        kept = SavedHeld(self._new, self._new_logs, told, self._new_ids, self._seen.count - len(self._new_ids))
        self._new, self._new_logs, self._told, self._new_ids = [], [], [], []
        return kept

    def snapshot(self) -> Iterator[SavedHeld]:
        """Everything, in pieces of bounded size."""
        self._finish_loading()
        yield SavedHeld(count=self._seen.count - len(self._seen))
        ids = self._seen.all()
        for at in range(0, len(ids), 20 * _PIECE):
            yield SavedHeld(seen=ids[at : at + 20 * _PIECE])
        kept = list(self._kept)
        for at in range(0, len(kept), _PIECE):
            yield SavedHeld(spans=kept[at : at + _PIECE])
        logs = [log for log in self._whole if isinstance(log, HeldLog)]
        for at in range(0, len(logs), _PIECE):
            yield SavedHeld(logs=logs[at : at + _PIECE])

    def load(self, kept: SavedHeld) -> None:
        """Restore what the above returned."""
        for identity in kept.seen:
            self._seen.add(identity)
        if kept.count >= 0:  # what has been read before does not count again
            self._seen.count = kept.count + len(kept.seen)
        for held in kept.spans:
            known = self._groups.get(held.group)
            if known is None or held.span_id not in known.spans:
                self._hold(held)
        for log in kept.logs:
            self._hold_log(log)
        for one in kept.told:
            self._mark(one)
        self._loading = True

    def _mark(self, told: SpanTold) -> None:
        trace = self._groups.get(told.group)
        held = trace.spans.get(told.span_id) if trace is not None else None
        if trace is not None and held is not None:
            self.waiting -= held.status == WAITS
            held.status = told.status

    def _finish_loading(self) -> None:
        if not self._loading:
            return
        self._loading = False
        spans = sorted(
            (held for trace in self._groups.values() for held in trace.spans.values()),
            key=lambda held: (held.at, held.group, held.span_id),
        )
        logs = [log for trace in self._groups.values() for log in trace.logs.values()]
        self._kept = deque(spans)
        whole: list[HeldSpan | HeldLog] = [*logs, *(held for held in spans if held.whole)]
        self._whole = deque(sorted(whole, key=lambda held: held.due))
        self._moments = []
        for trace in self._groups.values():
            trace.moments.clear()
        for held in spans:
            if held.status == WAITS:
                self._expect(held)
        heapify(self._moments)
