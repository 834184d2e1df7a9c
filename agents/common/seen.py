"""Which events were seen before, within a bounded window of the most recent ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Generic, TypeVar

N = TypeVar("N")


class SeenIds(Generic[N]):
    """Remembers the last ``window`` ids that were new, and of some of them a note.

    >>> seen = SeenIds(window=2)
    >>> [seen.add(i) for i in ("a", "b", "a", "c", "a")]
    [True, True, False, True, True]
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._ids: dict[str, N | None] = {}
        self._order: deque[str] = deque()
        self.count = 0
        """How many ids have been added in all."""

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, item: str) -> bool:
        return item in self._ids

    def add(self, item: str) -> bool:
        """Remember an id; False if it was known already."""
        if item in self._ids:
            return False
        self._ids[item] = None
        self._order.append(item)
        self.count += 1
        if len(self._order) > self._window:
            del self._ids[self._order.popleft()]
        return True

    def since(self, count: int) -> list[str]:
        """The ids that were added when ``count`` had been added before, in the order they came; of
        more than the window the last ones."""
        newest = list(islice(reversed(self._order), self.count - count))
        newest.reverse()
        return newest

    def remembers(self, count: int) -> bool:
        """Whether the last id that was added when ``count`` had been added is still known."""
        return count > self.count - self._window

    def note(self, item: str) -> N | None:
        """What was noted of an id; None if nothing was, or if it is not known."""
        return self._ids.get(item)

    def set_note(self, item: str, note: N) -> None:
        """Note something of an id, for as long as it is known."""
        if item in self._ids:
            self._ids[item] = note

    def all(self) -> list[str]:
        """The ids in the order they came."""
        return list(self._order)

    def notes(self) -> Iterator[tuple[str, N]]:
        """(id, note) of those that have one."""
        return ((item, note) for item, note in self._ids.items() if note is not None)
