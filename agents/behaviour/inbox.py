"""Items of all source partitions in the order of event time, each once."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

import msgspec

from agents.behaviour.items import Item, Ran, Scored
from agents.common.seen import SeenIds
from agents.common.watermark import Reached, Source, Watermark

Order = tuple[float, int, str]
"""Time, kind, id."""

_IDS, _ITEMS = 10_000, 500
"""Entries in one piece of a snapshot."""


class SavedInbox(msgspec.Struct, array_like=True, gc=False, omit_defaults=True):
    """A piece of an inbox in the changelog. ``seen``: kind and id; ``taken``: of those handed out before their time."""

    now: float = 0.0
    clocks: list[Reached] = []
    items: list[Item] = []
    seen: list[str] = []
    taken: list[str] = []


class SettlingInbox:
    """Holds what came until all sources are ``settle`` seconds past it: then the order does not depend on who was read first, or how fast.

    What comes later than that is handed out with what is due next. At most ``most`` items wait; beyond it the earliest are handed out
    early. ``remembered``: how many ids are known as repeats.
    """

    def __init__(self, sources: int, settle: float, most: int, remembered: int) -> None:
        self._settle = settle
        self._most = most
        self._watermark = Watermark(sources)
        self._seen: SeenIds[None] = SeenIds(remembered)
        self._waiting: dict[tuple[int, str], Item] = {}
        self._queue: list[Order] = []
        self._new: list[str] = []
        self._taken: list[str] = []
        self._loading = False
        self.now = 0.0
        """Event time up to which everything was handed out."""
        self.late = 0
        self.early = 0
        """Items handed out after, and before, their time."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: Item) -> None:
        """An item has come; a repeat is left out."""
        self._finish_loading()
        kind = _kind(item)
        identity = f"{kind}{item.id}"
        if not self._seen.add(identity):
            return
        self._new.append(identity)
        self.late += item.time < self.now
        self._hold(kind, item)

    def _hold(self, kind: int, item: Item) -> None:
        self._waiting[kind, item.id] = item
        heappush(self._queue, (item.time, kind, item.id))

    def hear(self, source: Source, clock: float, rests: bool) -> None:
        """Take in how far a source is: its event time in epoch seconds, and whether it rests."""
        self._watermark.hear(source, clock, rests)

    @property
    def rests(self) -> bool:
        """Whether nobody has anything more to read."""
        return self._watermark.rests

    def due(self) -> Iterator[Item]:
        """What is due, in order; ``now`` goes along."""
        self._finish_loading()
        until = max(self._watermark.time - self._settle, self.now)
        while self._queue and (self._queue[0][0] < until or len(self._waiting) > self._most):
            time, kind, identity = heappop(self._queue)
            if time >= until:
                self.early += 1
                self._taken.append(f"{kind}{identity}")
            elif time > self.now:
                self.now = time
            yield self._waiting.pop((kind, identity))
        self.now = until

    # Persistence

    def take_changes(self) -> SavedInbox:
        """What changed since the last call."""
        new, self._new = self._new, []
        taken, self._taken = self._taken, []
        items = [item for identity in new if (item := self._waiting.get((int(identity[0]), identity[1:]))) is not None]
        return SavedInbox(self.now, self._watermark.take_changes(), items, new, taken)

    def snapshot(self) -> Iterator[SavedInbox]:
        """Everything, in pieces."""
        self._finish_loading()
        seen = self._seen.all()
        yield SavedInbox(self.now, self._watermark.all())
        for at in range(0, len(seen), _IDS):
            yield SavedInbox(self.now, seen=seen[at : at + _IDS])
        items = list(self._waiting.values())
        for at in range(0, len(items), _ITEMS):
            yield SavedInbox(self.now, items=items[at : at + _ITEMS])

    def load(self, kept: SavedInbox) -> None:
        """Restore what the above returned. What the clock has passed was handed out before."""
        self.now = max(self.now, kept.now)
        self._watermark.load(kept.clocks)
        for identity in kept.seen:
            self._seen.add(identity)
        for item in kept.items:
            self._waiting[_kind(item), item.id] = item
        for identity in kept.taken:
            self._waiting.pop((int(identity[0]), identity[1:]), None)
        self._loading = True
        if len(self._waiting) > 2 * self._most:
            self._finish_loading()
            self._loading = True

    def _finish_loading(self) -> None:
        if self._loading:
            self._loading = False
            self._waiting = {key: item for key, item in self._waiting.items() if item.time >= self.now}
            self._queue = [(item.time, *key) for key, item in self._waiting.items()]
            heapify(self._queue)


def _kind(item: Item) -> int:
    return 0 if isinstance(item, Ran) else 2 if isinstance(item, Scored) else 1
