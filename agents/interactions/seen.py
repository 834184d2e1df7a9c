"""Which events were seen before, within a bounded window of the most recent ones."""

from __future__ import annotations


class SeenIds:
    """Remembers at least the last ``window`` ids added, at most twice as many, in two generations.

    >>> seen = SeenIds(window=2)
    >>> [seen.add(i) for i in ("a", "b", "a", "c")]
    [True, True, False, True]
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._young: dict[str, None] = {}
        self._old: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def __contains__(self, item: str) -> bool:
        return item in self._young or item in self._old

    def add(self, item: str) -> bool:
        """Remember an id; False if it was known already."""
        if item in self._young or item in self._old:
            return False
        self._young[item] = None
        if len(self._young) >= self._window:
            self._old, self._young = self._young, {}
        return True

    def generations(self) -> tuple[list[str], list[str]]:
        """(older, younger) ids, each in the order they came."""
        return list(self._old), list(self._young)

    def load_old(self, items: list[str]) -> None:
        """Restore a part of the older generation."""
        self._old.update(dict.fromkeys(items))
