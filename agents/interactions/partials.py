"""Absolute partial aggregates by segment, window and series (docs/architecture.md, "Windows that are exact at any lateness").

A *segment* is a run of ``size`` consecutive request offsets of one source topic. The partials of a segment live here while it can still
change: until the source has moved past it and every request of it is settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from agents.cost.aggregate import OTHER, Aggregate, Contribution, Series

WINDOW = 10
"""Seconds of the finest window, from which all others are summed."""

FAMILIES = 2
"""Requests have two sources: their topic (family 0) and the re-keyed events (family 1). A segment's number tells its family."""


class Part(msgspec.Struct, array_like=True, gc=False):
    """A partial as it travels to the agent ``cost``."""

    segment: int
    window: int
    series: Series
    aggregate: Aggregate


class Parts(msgspec.Struct, array_like=True, gc=False):
    """The message from one source partition to one partition of the partials topic.

    ``settled``: per family, the segment below which nothing changes any more; it is durable at the sender.
    """

    source: str
    partition: int
    settled: tuple[int, ...]
    parts: list[Part]


def segment_of(family: int, offset: int, size: int) -> int:
    return offset // size * FAMILIES + family


class Partials:
    """The partials of one source partition."""

    def __init__(self, segment_size: int, series_cap: int) -> None:
        self._size = segment_size
        self._cap = series_cap
        self._segments: dict[int, dict[tuple[int, Series], Aggregate]] = {}
        self._series: dict[int, set[Series]] = {}
        self._open: dict[int, int] = {}
        self._heads = [0, 1]
        self._dirty: set[tuple[int, int, Series]] = set()

    def __len__(self) -> int:
        return sum(map(len, self._segments.values()))

    @property
    def series(self) -> int:
        """How many distinct series the live segments hold."""
        return len(set().union(*self._series.values())) if self._series else 0

    def open(self, family: int, offset: int) -> int:
        """A request has come; returns its segment, which stays alive until :meth:`settle`."""
        segment = segment_of(family, offset, self._size)
        self._open[segment] = self._open.get(segment, 0) + 1
        if segment > self._heads[family]:
            self._heads[family] = segment
        return segment

    def reopen(self, segment: int) -> None:
        """Restore: a request of this segment is open."""
        self._open[segment] = self._open.get(segment, 0) + 1

    def settle(self, segment: int) -> None:
        """A request of this segment will not change any more."""
        self._open[segment] -= 1

    def add(self, segment: int, time: float, series: Series, item: Contribution) -> bool:
        """Count an unanswered interaction. False: counted under __other__."""
        aggregate, kept = self._part(segment, time, series)
        aggregate.add(item)
        return kept

    def answer(self, segment: int, time: float, asked: Series, series: Series, item: Contribution, *, late: bool) -> bool:
        """Count an answered interaction; with ``late`` it was counted as unanswered before. False: counted under __other__.

        ``asked`` is the series without the answer. If the answer's is another (another model answered), both parts know of it, whether or
        not the request was ever counted as unanswered: versions must not depend on the order in which things were read.
        """
        aggregate, kept = self._part(segment, time, series)
        before = aggregate if series == asked else self._part(segment, time, asked)[0]
        if before is not aggregate:
            before.move(late=late)
            aggregate.add(item)
        elif late:
            aggregate.answer(item)
        else:
            aggregate.add(item)
        return kept

    def _part(self, segment: int, time: float, series: Series) -> tuple[Aggregate, bool]:
        """The part that counts a series, about to be changed; False if that is __other__."""
        parts = self._segments.get(segment)
        if parts is None:
            parts, self._series[segment] = self._segments.setdefault(segment, {}), set()
        window, kept = int(time) // WINDOW * WINDOW, True
        aggregate = parts.get((window, series))
        if aggregate is None:
            series, kept = self._admit(segment, series)
            aggregate = parts.setdefault((window, series), Aggregate())
        self._dirty.add((segment, window, series))
        return aggregate, kept

    def _admit(self, segment: int, series: Series) -> tuple[Series, bool]:
        """The series under which to count, and whether it is this one."""
        known = self._series[segment]
        if series not in known:
            if len(known) >= self._cap:
                return OTHER, False
            known.add(series)
        return series, True

    def take_dirty(self) -> list[Part]:
        """What changed since the last call, complete and independent of later changes once encoded."""
        dirty = [Part(s, window, series, self._segments[s][window, series]) for s, window, series in sorted(self._dirty)]
        self._dirty.clear()
        return dirty

    def close_settled(self) -> tuple[int, ...]:
        """Forget segments that cannot change any more; per family, the segment below which all are settled."""
        for segment in [s for s in self._segments if self._is_settled(s)]:
            del self._segments[segment]
            self._series.pop(segment, None)
        for segment in [s for s, count in self._open.items() if not count and s < self._heads[s % FAMILIES]]:
            del self._open[segment]
        return self.settled()

    def settled(self) -> tuple[int, ...]:
        alive = self._segments.keys() | self._open.keys()
        return tuple(
            min((s for s in alive if s % FAMILIES == family), default=head) for family, head in enumerate(self._heads)
        )

    def _is_settled(self, segment: int) -> bool:
        return segment < self._heads[segment % FAMILIES] and not self._open.get(segment)

    # Persistence

    @property
    def heads(self) -> tuple[int, ...]:
        return tuple(self._heads)

    def all(self) -> Iterator[Part]:
        for segment, parts in self._segments.items():
            for (window, series), aggregate in parts.items():
                yield Part(segment, window, series, aggregate)

    def load(self, parts: Iterable[Part], heads: tuple[int, ...], settled: tuple[int, ...]) -> None:
        for part in parts:
            self._segments.setdefault(part.segment, {})[part.window, part.series] = part.aggregate
            known = self._series.setdefault(part.segment, set())
            if part.series != OTHER:
                known.add(part.series)
        self._heads = [max(a, b) for a, b in zip(self._heads, heads, strict=True)]
        for segment in [s for s in self._segments if s < settled[s % FAMILIES]]:
            del self._segments[segment]
            self._series.pop(segment, None)
