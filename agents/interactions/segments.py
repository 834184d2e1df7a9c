"""Segments of the requests: what partial sums are kept by (docs/architecture.md, "Windows that are exact at any lateness").

A *segment* is a run of ``size`` consecutive offsets of one partition of the requests topic; its *family* is that partition. A request
that was forwarded belongs to the segment of the place where a service wrote it: reading the topic again gives the same segments.
A call that was forwarded may turn out to have a copy that counts in its place (agents/interactions/copies.py), so segments of other
families can change for as long as the ids of their requests are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from agents.common.seen import SeenIds
from schemas.partials import ALONE

WARM_UP = -1
"""Segment of the requests before the beginning of a backfill: they are read to know repeats and answers, and not counted."""

def alone(event_id: str) -> int:
    """The segment of the late answer to the request that was this event."""
    return ALONE | int.from_bytes(blake2b(event_id.encode("utf-8", "replace"), digest_size=8).digest()) >> 3


class Segments:
    """Which segments of each family can still change, at one partition. ``seen``: the ids that are known there; ``counted_from``: per
    family, the first offset that counts."""

    def __init__(self, size: int, families: int, own: int, seen: SeenIds[Any], counted_from: tuple[int, ...] = ()) -> None:
        self._size = size
        self._own = own
        self._counted_from = counted_from or (0,) * families
        self._seen = seen
        self._open: dict[int, int] = {}
        self.last: dict[int, int] = {}
        """Of segments of other families: how many ids had been seen when the last copy of a request came."""
        self._heads = list(range(families))

    def open(self, family: int, offset: int) -> int:
        """A request has come; returns its segment, which stays alive until :meth:`settle`."""
        segment = self.of(family, offset)
        if segment != WARM_UP:
            self._open[segment] = self._open.get(segment, 0) + 1
        return segment

    def of(self, family: int, offset: int) -> int:
        """A copy of a request has come; returns its segment."""
        if offset < self._counted_from[family]:
            return WARM_UP
        segment = offset // self._size * len(self._heads) + family
        if segment > self._heads[family]:
            self._heads[family] = segment
        if family != self._own:
            self.last[segment] = self._seen.count
        return segment

    def reopen(self, segment: int) -> None:
        """Restore: a request of this segment is open."""
        if segment != WARM_UP:
            self._open[segment] = self._open.get(segment, 0) + 1

    def settle(self, segment: int) -> None:
        """A request of this segment will not change any more."""
        if segment != WARM_UP and segment < ALONE:
            self._open[segment] -= 1

    def is_settled(self, segment: int) -> bool:
        """Whether nothing of this segment can change any more."""
        if segment >= ALONE:
            return True
        if segment >= self._limit(segment % len(self._heads)) or self._open.get(segment):
            return False
        last = self.last.get(segment)
        return last is None or not self._seen.remembers(last)

    def close(self) -> tuple[int, ...]:
        """Forget what is settled; per family, the segment below which everything is."""
        for segments in (self._open, self.last):
            for segment in [s for s in segments if self.is_settled(s)]:
                del segments[segment]
        lowest = [self._limit(family) for family in range(len(self._heads))]
        for segment in (*self._open, *self.last):
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

    def load(self, heads: tuple[int, ...], last: Mapping[int, int]) -> None:
        """Restore :attr:`heads` and :attr:`last`."""
        self.last = dict(last)
        self._heads = [max(a, b) for a, b in zip(self._heads, heads, strict=True)]
