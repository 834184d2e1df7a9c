"""Absolute partial sums by segment, 10 s window and key. They live here while their segment can still change
(agents/interactions/segments.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

WINDOW = 10
"""Seconds of the finest window, from which all others are summed."""

K = TypeVar("K")
V = TypeVar("V")


def window_of(time: float) -> int:
    """Start of the finest window that holds ``time``, epoch seconds."""
    return int(time) // WINDOW * WINDOW


class PartStore(Generic[K, V]):
    """Sums by (segment, window, key), and which of them have changed."""

    def __init__(self, new: Callable[[], V]) -> None:
        self._new = new
        self._segments: dict[int, dict[tuple[int, K], V]] = {}
        self._dirty: dict[int, tuple[int, int, K, V]] = {}
        """By identity: one look per change, where hashing the key would cost more than the change."""

    def __len__(self) -> int:
        return sum(map(len, self._segments.values()))

    def known(self, segment: int, window: int, key: K) -> V | None:
        """The sums of a key, about to be changed; None if there are none yet."""
        parts = self._segments.get(segment)
        found = None if parts is None else parts.get((window, key))
        if found is not None and id(found) not in self._dirty:
            self._dirty[id(found)] = segment, window, key, found
        return found

    def part(self, segment: int, window: int, key: K) -> V:
        """The sums of a key, about to be changed."""
        found = self.known(segment, window, key)
        if found is None:
            found = self._segments.setdefault(segment, {})[window, key] = self._new()
            self._dirty[id(found)] = segment, window, key, found
        return found

    def take_dirty(self) -> list[tuple[int, int, K, V]]:
        """What changed since the last call: (segment, window, key, sums), complete and independent of later changes once encoded."""
        dirty = sorted(self._dirty.values(), key=lambda part: part[:3])
        self._dirty.clear()
        return dirty

    def forget(self, is_settled: Callable[[int], bool]) -> list[int]:
        """Forget the segments that cannot change any more; returns them."""
        gone = [segment for segment in self._segments if is_settled(segment)]
        for segment in gone:
            del self._segments[segment]
        return gone

    def drop(self, unwanted: Callable[[int, K, V], bool]) -> None:
        """Forget single parts: those for which ``unwanted(window, key, sums)``."""
        for parts in self._segments.values():
            for window, key in [at for at, value in parts.items() if unwanted(*at, value)]:
                del parts[window, key]

    # Persistence

    def all(self) -> Iterator[tuple[int, int, K, V]]:
        """(segment, window, key, sums) of everything."""
        for segment, parts in self._segments.items():
            for (window, key), value in parts.items():
                yield segment, window, key, value

    def load(self, segment: int, window: int, key: K, value: V) -> None:
        """Restore one."""
        self._segments.setdefault(segment, {})[window, key] = value
