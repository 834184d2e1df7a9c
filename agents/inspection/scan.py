"""Many patterns in one pass over bytes: Hyperscan, with the little that its use needs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import hyperscan

__all__ = ["OnMatch", "Scanner"]

OnMatch = Callable[[int, int, int, int, Any], bool]
"""Gets the number of the pattern, start of the match (0: not known), its end, flags, and the context of the scan. True: it is enough."""


class Scanner:
    """A database of regular expressions, and for each thread a scratch space, which may be used by one at a time.

    ``once``: each pattern is told once, at its first match. Literal patterns are several times as fast as others.
    """

    def __init__(self, patterns: Sequence[bytes], *, once: bool = False) -> None:
        flags = hyperscan.HS_FLAG_SINGLEMATCH if once else 0
        ids = list(range(len(patterns)))
        self._database = hyperscan.Database()
        self._database.compile(expressions=list(patterns), ids=ids, elements=len(ids), flags=[flags] * len(ids))
        self._scan = self._database.scan
        self._own = threading.local()

    def finds(self, data: bytes, on_match: OnMatch, context: object) -> bool:
        """Whether ``on_match`` said that it is enough."""
        try:
            scratch = self._own.scratch
        except AttributeError:
            scratch = self._own.scratch = hyperscan.Scratch(self._database)
        try:
            self._scan(data, on_match, 0, context, scratch)  # by position: names cost as much as the scan
        except hyperscan.ScanTerminated:
            return True
        return False
