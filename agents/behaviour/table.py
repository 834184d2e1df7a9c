"""Entries by key, at most so many, and what changed of them since the last checkpoint."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Table(Generic[K, V]):
    """A dictionary in order of use. Beyond ``most`` entries the one put longest ago gives way.

    >>> table: Table[str, int] = Table(2)
    >>> [table.put(k, n) for n, k in enumerate("abac")]
    [[], [], [], [('b', 1)]]
    >>> table.take_changes()
    [('a', 2), ('c', 3), ('b', None)]
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: dict[K, V] = {}
        self._dirty: dict[K, None] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[tuple[K, V]]:
        """From the one put longest ago to the latest."""
        return iter(list(self._entries.items()))

    def get(self, key: K) -> V | None:
        """The entry of a key; None if there is none. Reading does not make it younger."""
        return self._entries.get(key)

    def put(self, key: K, value: V) -> list[tuple[K, V]]:
        """Set an entry, also one whose value was changed in place; returns those that gave way."""
        self._entries.pop(key, None)
        self._entries[key] = value
        self._touch(key)
        gone = []
        while len(self._entries) > self._most:
            oldest = next(iter(self._entries))
            gone.append((oldest, self._entries[oldest]))
            self.drop(oldest)
        return gone

    def drop(self, key: K) -> V | None:
        """Remove the entry of a key and return it; None if there is none."""
        value = self._entries.pop(key, None)
        if value is not None:
            self._touch(key)
        return value

    def _touch(self, key: K) -> None:
        self._dirty.pop(key, None)
        self._dirty[key] = None

    # Persistence

    def take_changes(self) -> list[tuple[K, V | None]]:
        """In order of their last change; None: gone."""
        changes = [(key, self._entries.get(key)) for key in self._dirty]
        self._dirty.clear()
        return changes

    def load(self, changes: Iterable[tuple[K, V | None]]) -> None:
        """Restore what ``take_changes`` returned, or all entries in their order."""
        for key, value in changes:
            self._entries.pop(key, None)
            if value is not None:
                self._entries[key] = value
        self._dirty.clear()
