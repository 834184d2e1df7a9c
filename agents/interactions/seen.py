"""Which events were seen before, within a bounded window of the most recent ones."""

from __future__ import annotations

from collections import deque


class SeenIds:
    """Remembers the last ``window`` ids that were new.

    >>> seen = SeenIds(window=2)
    >>> [seen.add(i) for i in ("a", "b", "a", "c", "a")]
    [True, True, False, True, True]
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._ids: set[str] = set()
        self._order: deque[str] = deque()

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, item: str) -> bool:
        return item in self._ids

    def add(self, item: str) -> bool:
        """Remember an id; False if it was known already."""
        if item in self._ids:
            return False
        self._ids.add(item)
        self._order.append(item)
        if len(self._order) > self._window:
            self._ids.remove(self._order.popleft())
        return True

    def all(self) -> list[str]:
        """The ids in the order they came."""
        return list(self._order)
