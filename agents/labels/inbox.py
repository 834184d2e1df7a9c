"""Turns and signals that wait for the clock, to be taken in the order of their times."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from schemas.turns import Signal, Turn

Item = Turn | Signal
Key = tuple[int, str]
"""0 for a turn and 1 for a signal, and its id."""


class Inbox:
    """Of one partition. At the same moment turns come before signals, then ids decide."""

    def __init__(self) -> None:
        self._items: dict[Key, Item] = {}
        self._queue: list[tuple[float, int, str]] = []
        self._arrived: list[Key] = []

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        """An item that waits already changes nothing."""
        key, time = key_and_time(item)
        if key not in self._items:
            self._items[key] = item
            self._queue.append((time, *key))
            self._arrived.append(key)

    def take(self, until: float, most: int) -> list[tuple[float, Item]]:
        """Items before the moment ``until``, and the earliest ones beyond ``most`` that would wait."""
        self._queue.sort()
        end = max(bisect_left(self._queue, (until,)), len(self._queue) - most)
        taken = [(time, self._items.pop((kind, identity))) for time, kind, identity in self._queue[:end]]
        del self._queue[:end]
        return taken

    # Persistence

    def take_changes(self) -> list[Item]:
        """What has come since the last call and still waits."""
        arrived, self._arrived = self._arrived, []
        return [self._items[key] for key in arrived if key in self._items]

    def all(self) -> list[Item]:
        return list(self._items.values())

    def load(self, now: float, items: Iterable[Item]) -> None:
        """Restore what the above returned; what lies before the clock ``now`` was taken."""
        self._items = {key: item for key, item in self._items.items() if key_and_time(item)[1] >= now}
        self._items.update((key_and_time(item)[0], item) for item in items)
        self._queue = sorted((time, *key) for key, time in map(key_and_time, self._items.values()))


def key_and_time(item: Item) -> tuple[Key, float]:
    """A turn is there when its answer is."""
    return ((0, item.request_id), max(item.time, item.ended)) if isinstance(item, Turn) else ((1, item.event_id), item.time)
