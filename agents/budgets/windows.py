"""Spans of time that budgets count in, and a compact history of what was used when.

Calendar windows are those of UTC; weeks begin on Monday (ISO 8601). A rolling window reaches back from each moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

BUCKET = 10
"""Seconds of the windows in which stage 1 reports usage; all times here are multiples of it."""

FOREVER = 2**62
_DAY = 86_400
_MONDAY = 4 * _DAY
"""1970-01-05 was a Monday."""
_CALENDAR = {"hour": 3_600, "day": _DAY, "week": 7 * _DAY, "month": 30 * _DAY}
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": _DAY, "w": 7 * _DAY}
_DURATION = re.compile(r"^(?:rolling\s+)?(\d+)\s*([smhdw]?)$")

History = tuple[int, ...]
"""(total, start, amount, start, amount, ...), starts ascending. One flat tuple: a million of them must fit in memory."""


@dataclass(frozen=True, slots=True)
class BudgetWindow:
    """``kind``: hour, day, week, month or rolling; ``seconds``: its length (of a month: 30 days, for what only needs its order of size)."""

    kind: str
    seconds: int

    @property
    def rolling(self) -> bool:
        """Whether it moves with time, and is not of the calendar."""
        return self.kind == "rolling"

    def bounds(self, time: int) -> tuple[int, int]:
        """Start and end (exclusive) of the window that ``time`` lies in; a rolling window has neither."""
        if self.rolling:
            return 0, FOREVER
        if self.kind == "month":
            return _month(time // _DAY)
        shift = _MONDAY if self.kind == "week" else 0
        start = (time - shift) // self.seconds * self.seconds + shift
        return start, start + self.seconds

    def __str__(self) -> str:
        return f"last {duration(self.seconds)}" if self.rolling else self.kind


def parse_duration(value: object) -> int:
    """Seconds of ``90``, ``"90s"``, ``"24h"``, ``"30d"`` or ``"rolling 24h"``. Raises ValueError."""
    match = _DURATION.match(str(value).strip()) if isinstance(value, int | str) and not isinstance(value, bool) else None
    if match is None:
        raise ValueError(f"{value!r} is not a duration; write seconds, or a number with s, m, h, d or w, such as '24h'")
    return int(match[1]) * _UNITS[match[2] or "s"]


def parse_window(value: object) -> BudgetWindow:
    """A calendar window by its name or a rolling one by its length. Raises ValueError."""
    if isinstance(value, str) and value in _CALENDAR:
        return BudgetWindow(value, _CALENDAR[value])
    seconds = parse_duration(value)
    if not 60 <= seconds <= 366 * _DAY or seconds % BUCKET:
        raise ValueError(f"a rolling window is a multiple of {BUCKET} s from 1 minute to 366 days, not {value!r}")
    return BudgetWindow("rolling", seconds)


def duration(seconds: int) -> str:
    """``86400`` -> ``24 h``, in the largest unit that loses nothing."""
    for unit, length in (("days", 2 * _DAY), ("h", 3_600), ("min", 60)):
        each = _DAY if unit == "days" else length
        if seconds >= length and seconds % each == 0:
            return f"{seconds // each} {unit}"
    return f"{seconds} s"


@lru_cache(maxsize=1_024)
def _month(day: int) -> tuple[int, int]:
    first = datetime.fromtimestamp(day * _DAY, UTC).replace(day=1)
    after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return int(first.timestamp()), int(after.timestamp())


class Resolution:
    """How finely a history tells when: the older, the coarser, in steps that divide each other.

    ``fine`` is 1/8640 of the window (5 minutes of 30 days), which is what the shortest burn window of the SRE workbook needs; the longer
    ones need 6 and 72 times that. A rolling window's oldest part is kept in sixtieths of it.
    """

    def __init__(self, window: BudgetWindow, keep: int) -> None:
        """``keep``: seconds that a history reaches back; 0 for a total alone."""
        fine = -(-window.seconds // (8_640 * BUCKET)) * BUCKET
        self.fine = fine
        self._keep = keep
        self._rolling = window.rolling
        sizes = [fine]
        self._ages: list[int] = []
        largest = max(BUCKET, window.seconds // 60) if window.rolling else 72 * fine
        for age, size in ((12 * fine, 6 * fine), (72 * fine, 72 * fine)):
            if size <= largest and age < keep:
                sizes.append(size)
                self._ages.append(age)
        if window.rolling and (last := largest // sizes[-1] * sizes[-1]) > sizes[-1]:
            sizes.append(last)
            self._ages.append(864 * fine if sizes[-2] == 72 * fine else 72 * fine)
        self._sizes = sizes

    def add(self, history: History, time: int, amount: int, now: int) -> History:
        """Count ``amount`` at ``time``, as seen from ``now`` (what comes late is as coarse as what it belongs to)."""
        if not self._keep:
            return (history[0] + amount,)
        start = self._start(time, self._boundaries(now))
        if start + self.fine <= now - self._keep:
            return history if self._rolling else (history[0] + amount, *history[1:])
        total = history[0] + amount
        if len(history) == 1 or start > history[-2]:
            return (total, *history[1:], start, amount)
        if start == history[-2]:
            return (total, *history[1:-1], history[-1] + amount)
        held = dict(entries(history))
        held[start] = held.get(start, 0) + amount
        return (total, *(number for entry in sorted(held.items()) for number in entry))

    def fold(self, history: History, now: int) -> History:
        """``history`` as it is told from ``now``. Folding at once is the same as folding in between."""
        if len(history) == 1:
            return history
        boundaries = self._boundaries(now)
        first = now - self._keep
        if history[1] >= (boundaries[0] if boundaries else first):
            return history
        held: dict[int, int] = {}
        total = history[0]
        for time, amount in entries(history):
            start = self._start(time, boundaries)
            if start + self.fine <= first:
                total -= amount if self._rolling else 0
                continue
            held[start] = held.get(start, 0) + amount
        return (total, *(number for entry in held.items() for number in entry))

    def _boundaries(self, now: int) -> list[int]:
        """Before the i-th of these, the step is at least the (i+1)-th size."""
        return [(now - age) // size * size for age, size in zip(self._ages, self._sizes[1:], strict=True)]

    def _start(self, time: int, boundaries: Sequence[int]) -> int:
        size = self._sizes[0]
        for boundary, coarser in zip(boundaries, self._sizes[1:], strict=True):
            if time >= boundary:
                break
            size = coarser
        return time // size * size


def entries(history: History) -> Iterator[tuple[int, int]]:
    """(start, amount), ascending."""
    return zip(history[1::2], history[2::2], strict=True)


def between(history: History, start: int, end: int) -> int:
    """What was used in steps that begin in [start, end)."""
    return sum(amount for time, amount in entries(history) if start <= time < end)


def peak(used: Sequence[tuple[int, int]], span: int) -> tuple[int, int]:
    """The most that was used within ``span`` seconds, and the start of the last step of that span. ``used``: ascending by start."""
    best, at, total, first = 0, 0, 0, 0
    for start, amount in used:
        total += amount
        while used[first][0] <= start - span:
            total -= used[first][1]
            first += 1
        if total > best:
            best, at = total, start
    return best, at


def falls_below(used: Sequence[tuple[int, int]], span: int, least: int) -> int | None:
    """The first step at which less than ``least`` was used in the last ``span`` seconds if nothing is added; None: it is so already."""
    total = sum(amount for _, amount in used)
    for start, amount in used:
        if total < least:
            return None
        total -= amount
        if total < least:
            return start + span + BUCKET
    return None


