"""Segments of the requests: what partial sums are kept by (docs/architecture.md, "Windows that are exact at any lateness").

A *segment* is a run of ``size`` consecutive offsets of one partition of the requests topic; its *family* is that partition. A request
that was forwarded belongs to the segment of the place where a service wrote it: reading the topic again gives the same segments.
"""

from __future__ import annotations

WARM_UP = -1
"""Segment of the requests before the beginning of a backfill: they are read to know repeats and answers, and not counted."""


class Segments:
    """Which segments of each family can still change, at one partition. ``counted_from``: per family, the first offset that counts."""

    def __init__(self, size: int, families: int, own: int, counted_from: tuple[int, ...] = ()) -> None:
        self._size = size
        self._own = own
        self._counted_from = counted_from or (0,) * families
        self._open: dict[int, int] = {}
        self._heads = list(range(families))

    def open(self, family: int, offset: int) -> int:
        """A request has come; returns its segment, which stays alive until :meth:`settle`."""
        if offset < self._counted_from[family]:
            return WARM_UP
        segment = offset // self._size * len(self._heads) + family
        self.reopen(segment)
        if segment > self._heads[family]:
            self._heads[family] = segment
        return segment

    def reopen(self, segment: int) -> None:
        """Restore: a request of this segment is open."""
        if segment != WARM_UP:
            self._open[segment] = self._open.get(segment, 0) + 1

    def settle(self, segment: int) -> None:
        """A request of this segment will not change any more."""
        if segment != WARM_UP:
            self._open[segment] -= 1

    def is_settled(self, segment: int) -> bool:
        """Whether nothing of this segment can change any more."""
        return segment < self._limit(segment % len(self._heads)) and not self._open.get(segment)

    def close(self) -> tuple[int, ...]:
        """Forget what is settled; per family, the segment below which everything is."""
        for segment in [s for s in self._open if self.is_settled(s)]:
            del self._open[segment]
        lowest = [self._limit(family) for family in range(len(self._heads))]
        for segment in self._open:
            family = segment % len(lowest)
            lowest[family] = min(lowest[family], segment)
        return tuple(lowest)

    def _limit(self, family: int) -> int:
        """Below it no request can come any more. Forwarded ones may come in another order than they were read in when a send was repeated,
        so of other families the last segment but one is not complete either."""
        head = self._heads[family]
        return head if family == self._own else head - len(self._heads)

    @property
    def heads(self) -> tuple[int, ...]:
        """Per family, the segment of the last request."""
        return tuple(self._heads)

    def load(self, heads: tuple[int, ...]) -> None:
        """Restore the heads."""
        self._heads = [max(a, b) for a, b in zip(self._heads, heads, strict=True)]
