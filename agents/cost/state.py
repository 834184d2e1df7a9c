"""Stage 2: cost windows of 10 s, 1 min, 1 h and 1 day from the partial aggregates of stage 1.

A partial is absolute, so a newer one replaces what it said before; the difference moves the coarser windows that contain it. Rows
are written per (window, series, source partition, segment), and ``cost_windows`` sums them: a row has one origin and grows
monotonically with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from agents.common.messages import messages
from agents.common.stage2 import Untimed, pieces
from agents.common.watermark import Source
from schemas.aggregates import Aggregate, Series
from schemas.partials import ALONE, Part, Parts
from schemas.rows import CostPartRow, money
from streams.effects import Effects
from streams.state import Batch

STAGE = "cost"

WINDOWS = (10, 60, 3_600, 86_400)
"""Sizes of the windows in seconds; each divides the next."""

SNAPSHOT_PARTS = 500


class SegmentKey(NamedTuple):
    source: Source
    segment: int


class SavedCosts(msgspec.Struct, array_like=True, gc=False):
    """A piece of state in the changelog: parts that changed, and per source below which segments are settled."""

    parts: list[tuple[Source, Part]] = []
    settled: list[tuple[Source, tuple[int, ...]]] = []


_decode_parts = msgspec.msgpack.Decoder(Parts).decode
_encode_saved = msgspec.msgpack.Encoder().encode
_decode_saved = msgspec.msgpack.Decoder(SavedCosts).decode
_encode_row = msgspec.json.Encoder().encode

Parts10 = dict[tuple[int, Series, int], Aggregate]
Windows = dict[tuple[int, int, Series], Aggregate]


class _Segment:
    """What one segment of a source has contributed: its parts, and the coarser windows they add up to."""

    __slots__ = ("apart", "parts", "windows")

    def __init__(self) -> None:
        self.parts: Parts10 = {}
        """By window, series and ``counted``."""
        self.apart: dict[tuple[int, Series], set[int]] = {}
        """Which ``counted`` there are, of windows that have parts beside their own."""
        self.windows: Windows = {}

    def finest(self, start: int, series: Series) -> Aggregate:
        """The sums of a finest window; detectors alone take its parts apart."""
        own = self.parts.get((start, series, 0))
        if (apart := self.apart.get((start, series))) is None:
            assert own is not None
            return own
        whole = Aggregate()
        for part in (own, *(self.parts[start, series, counted] for counted in sorted(apart))):
            if part is not None:
                whole.replace(None, part)
        return whole


class CostState(Untimed):
    """State of the agent ``cost`` for one partition (see :class:`streams.state.PartitionState`)."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._segments: dict[SegmentKey, _Segment] = {}
        self._settled: dict[Source, tuple[int, ...]] = {}
        self._dirty: set[tuple[SegmentKey, int, int, Series]] = set()
        self._changed: dict[tuple[SegmentKey, int, Series, int], Part] = {}
        self._resettled: set[Source] = set()

    def apply(self, batch: Batch, effects: Effects) -> None:
        for message in messages(batch, _decode_parts, "partial aggregates", STAGE, self._source, effects):
            source = Source(message.source, message.partition)
            for part in message.parts:
                self._put(source, part)
            self._settle(source, message.settled, effects)

    def close_interval(self, effects: Effects) -> None:
        for segment, size, start, series in sorted(self._dirty):
            self._emit(segment, size, start, series, effects)
        self._dirty.clear()
        self._forget_those(lambda key: key.segment >= ALONE)

    def changes(self) -> bytes | None:
        if not self._changed and not self._resettled:
            return None
        parts = [(segment.source, part) for (segment, *_), part in self._changed.items()]
        settled = [(source, self._settled[source]) for source in sorted(self._resettled)]
        self._changed, self._resettled = {}, set()
        return _encode_saved(SavedCosts(parts, settled))

    def snapshot(self) -> Iterator[bytes]:
        yield _encode_saved(SavedCosts(settled=sorted(self._settled.items())))
        parts = (
            (key.source, Part(key.segment, window, series, aggregate, counted))
            for key, segment in self._segments.items()
            for (window, series, counted), aggregate in segment.parts.items()
        )
        yield from map(_encode_saved, pieces(SavedCosts, SNAPSHOT_PARTS, parts=parts))

    def load(self, piece: bytes) -> None:
        saved = _decode_saved(piece)
        for source, part in saved.parts:
            self._put(source, part)
        for source, settled in saved.settled:
            self._forget(source, settled)
        self._dirty.clear()
        self._changed.clear()
        self._resettled.clear()

    def waiting(self) -> int:
        return 0

    def gauges(self) -> Mapping[str, float]:
        return {"cost_parts": sum(len(segment.parts) for segment in self._segments.values())}

    def _put(self, source: Source, part: Part) -> None:
        """Take a part if it holds more input than what is known of it; of a settled segment everything was known."""
        key = SegmentKey(source, part.segment)
        if source in self._settled and _is_settled(key, source, self._settled[source]):
            return
        segment = self._segments.get(key)
        if segment is None:
            segment = self._segments[key] = _Segment()
        identity = part.window, part.series, part.counted
        old = segment.parts.get(identity)
        if old is not None and old.version >= part.aggregate.version:
            return
        if part.counted:
            segment.apart.setdefault((part.window, part.series), set()).add(part.counted)
        segment.parts[identity] = part.aggregate
        self._changed[key, *identity] = part
        # Else it never held anything: no row.
        shown = (
            part.counted > 0 or part.segment >= ALONE or part.aggregate.requests > 0 or (old is not None and old.requests > 0)
        )
        if shown:
            self._dirty.add((key, WINDOWS[0], part.window, part.series))
        for size in WINDOWS[1:]:
            start = part.window // size * size
            coarse = segment.windows.get((size, start, part.series))
            if coarse is None:
                coarse = segment.windows[size, start, part.series] = Aggregate()
            coarse.replace(old, part.aggregate)
            if shown:
                self._dirty.add((key, size, start, part.series))

    def _settle(self, source: Source, settled: tuple[int, ...], effects: Effects) -> None:
        known = self._settled.get(source, settled)
        settled = tuple(map(max, known, settled))  # a repeated message, or one from a process that has lost its partition, says less
        if self._settled.get(source) == settled:
            return
        for item in sorted(d for d in self._dirty if _is_settled(d[0], source, settled)):
            self._emit(*item, effects)
            self._dirty.discard(item)
        self._forget(source, settled)
        self._resettled.add(source)

    def _forget(self, source: Source, settled: tuple[int, ...]) -> None:
        self._settled[source] = settled
        self._forget_those(lambda key: _is_settled(key, source, settled))

    def _forget_those(self, is_over: Callable[[SegmentKey], bool]) -> None:
        over = [key for key in self._segments if is_over(key)]
        for key in over:
            del self._segments[key]
        if over:
            self._changed = {k: part for k, part in self._changed.items() if k[0] in self._segments}

    def _emit(self, segment: SegmentKey, size: int, start: int, series: Series, effects: Effects) -> None:
        held = self._segments[segment]
        aggregate = held.finest(start, series) if size == WINDOWS[0] else held.windows[size, start, series]
        effects.row(CostPartRow.TABLE, _encode_row(_row(segment, size, start, series, aggregate)))


def _is_settled(key: SegmentKey, source: Source, settled: tuple[int, ...]) -> bool:
    return key.source == source and key.segment < ALONE and key.segment < settled[key.segment % len(settled)]


def _row(segment: SegmentKey, size: int, start: int, series: Series, a: Aggregate) -> CostPartRow:
    row = CostPartRow(
        window_start=datetime.fromtimestamp(start, UTC),
        window_seconds=size,
        source=segment.source.cluster,
        source_partition=segment.source.partition,
        segment=segment.segment,
        version=a.version,
        **series._asdict(),
    )
    row.requests = a.requests
    (
        row.ok,
        row.refusal,
        row.content_filter,
        row.truncated,
        row.api_error,
        row.timeout,
        row.cancelled,
        row.blocked,
        row.unanswered,
    ) = a.outcomes
    (row.input_tokens, row.output_tokens, row.cache_read_tokens, row.cache_write_tokens, row.reasoning_tokens) = a.tokens
    row.cost_usd = money(a.cost)
    row.unpriced_requests, row.partial_requests = a.unpriced, a.partial
    row.latency_bins, row.latency_counts = list(a.latency), list(a.latency.values())
    row.ttft_bins, row.ttft_counts = list(a.ttft), list(a.ttft.values())
    return row
