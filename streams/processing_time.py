"""Processing time: a clock that stands still while the process cannot listen."""

from __future__ import annotations

import time
from collections.abc import Callable


class ProcessingTime:
    """Seconds during which this process was at work. A gap of more than ``longest_gap`` between two looks at the clock does not count:
    the process was stopped, or waited for a server, and what it did not hear then was not silence.

    >>> moments = iter([0.0, 1.0, 1.5, 60.0, 61.0])
    >>> clock = ProcessingTime(longest_gap=5.0, monotonic=lambda: next(moments))
    >>> [clock.now() for _ in range(4)]
    [1.0, 1.5, 1.5, 2.5]
    """

    def __init__(self, longest_gap: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._longest_gap = longest_gap
        self._monotonic = monotonic
        self._last = monotonic()
        self._now = 0.0

    def now(self) -> float:
        """Seconds, without the gaps in which the process did not run."""
        moment = self._monotonic()
        gap, self._last = moment - self._last, moment
        if gap <= self._longest_gap:
            self._now += gap
        return self._now
