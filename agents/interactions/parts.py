"""Absolute partial sums by segment, 10 s window and key. They live here while their segment can still change
(agents/interactions/segments.py).

A window's sums grow until its last call has ended, which detectors do not wait for: they judge a window some seconds after its end. So that
what they see then does not depend on how far responses have been read beyond it, an answer that comes later is summed apart, with the
window in which detectors count it (``counted``; 0: its own), as a late answer to a call that is counted as unanswered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from schemas.partials import WINDOW

K = TypeVar("K")
V = TypeVar("V")


def window_of(time: float) -> int:
    """Start of the finest window that holds ``time``, epoch seconds."""
    return int(time) // WINDOW * WINDOW


def counted_at(time: float, ended: float, settle: float) -> int:
    """Start of the window in which detectors count a call that began at ``time`` and ended at ``ended``; 0: its own."""
    return window_of(ended) if ended > window_of(time) + WINDOW + settle else 0


class PartStore(Generic[K, V]):
    """Sums by (segment, window, key, counted), and which of them have changed."""

    def __init__(self, new: Callable[[], V]) -> None:
        self._new = new
        self._segments: dict[int, dict[tuple[int, K, int], V]] = {}
        self._dirty: dict[int, tuple[int, int, K, V, int]] = {}
        """By identity: one look per change, where hashing the key would cost more than the change."""

    def __len__(self) -> int:
        return sum(map(len, self._segments.values()))

    def known(self, segment: int, window: int, key: K, counted: int = 0) -> V | None:
        """The sums of a key, about to be changed; None if there are none yet."""
        parts = self._segments.get(segment)
        found = None if parts is None else parts.get((window, key, counted))
        if found is not None and id(found) not in self._dirty:
            self._dirty[id(found)] = segment, window, key, found, counted
        return found

    def part(self, segment: int, window: int, key: K, counted: int = 0) -> V:
        """The sums of a key, about to be changed."""
        parts, place = self._segments.get(segment), (window, key, counted)
        if parts is None:
            parts = self._segments[segment] = {}
        found = parts.get(place)
        if found is None:
            found = parts[place] = self._new()
        elif id(found) in self._dirty:
            return found
        self._dirty[id(found)] = segment, window, key, found, counted
        return found

    def take_dirty(self, wanted: Callable[[K, V], bool] | None = None) -> list[tuple[int, int, K, V, int]]:
        """What changed since the last call, as (segment, window, key, sums, counted): complete, and once encoded independent of changes.
        ``wanted(key, sums)``: leave out the others."""
        dirty: Iterable[tuple[int, int, K, V, int]] = self._dirty.values()
        if wanted is not None:
            dirty = [part for part in dirty if wanted(part[2], part[3])]
        dirty = sorted(dirty, key=lambda part: (part[:3], part[4]))
        self._dirty.clear()
        return dirty

    def forget(self, is_settled: Callable[[int], bool]) -> list[int]:
        """Forget the segments that cannot change any more; returns them."""
        gone = [segment for segment in self._segments if is_settled(segment)]
        for segment in gone:
            del self._segments[segment]
        return gone

    def drop(self, before: float, unwanted: Callable[[K, V], bool]) -> None:
        """Forget single parts: those of windows ``before`` a time for which ``unwanted(key, sums)``."""
        for parts in self._segments.values():
            for at in [at for at, value in parts.items() if at[0] < before and unwanted(at[1], value)]:
                del parts[at]

    # Persistence

    def all(self) -> Iterator[tuple[int, int, K, V, int]]:
        """(segment, window, key, sums, counted) of everything."""
        for segment, parts in self._segments.items():
            for (window, key, counted), value in parts.items():
                yield segment, window, key, value, counted

    def load(self, segment: int, window: int, key: K, value: V, counted: int) -> None:
        """Restore one."""
        self._segments.setdefault(segment, {})[window, key, counted] = value
