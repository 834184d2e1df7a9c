"""The week of a series: how much comes at which hour."""

from __future__ import annotations

from math import inf

import msgspec

from agents.detectors.pace import PER_HOUR

_DAY, _WEEK = 24, 168
"""Hours."""
_HOUR = 3600.0
"""Seconds."""
_NEW = 0.3
"""Weight of the newest week in an hour's mean."""
_PRIOR = 0.1
"""Added to every hour's mean, so that the ratio of two quiet hours is not noise."""


class Season(msgspec.Struct, array_like=True, gc=False):
    """Mean per bucket for each hour of the week, and of the day until a week has been seen; an hour
    never seen says nothing.

    The level comes from the recent past, and the season says where it goes (:meth:`step`) and what
    is no surprise (:meth:`around`).
    """

    week: list[float | None] = msgspec.field(default_factory=lambda: [None] * _WEEK)
    day: list[float | None] = msgspec.field(default_factory=lambda: [None] * _DAY)
    hour: int = -1
    total: float = 0.0
    buckets: int = 0
    last: float | None = None

    def step(self, time: float) -> float:
        """By which factor the expectation moves from the last moment asked for to this one."""
        now, before = self._at(time), self.last
        self.last = now
        if now is None or before is None:
            return 1.0
        return min(1.25, max(0.8, now / before))

    def around(self, time: float) -> tuple[float, float]:
        """The least and the most that is usual about now: the two hours nearest; (inf, 0) while
        they are not known."""
        hour = int(time / _HOUR - 0.5)
        a, b = self._mean(hour), self._mean(hour + 1)
        return (inf, 0.0) if a is None or b is None else (min(a, b), max(a, b))

    def learn(self, time: float, value: float) -> None:
        """A bucket's value."""
        hour = int(time // _HOUR)
        if hour != self.hour:
            self._close()
            self.hour = hour
        self.total += value
        self.buckets += 1

    def _close(self) -> None:
        if self.buckets >= PER_HOUR // 2:
            mean = self.total / self.buckets
            for means, index in ((self.week, self.hour % _WEEK), (self.day, self.hour % _DAY)):
                old = means[index]
                means[index] = mean if old is None else old + _NEW * (mean - old)
        self.total, self.buckets = 0.0, 0

    def _mean(self, hour: int) -> float | None:
        mean = self.week[hour % _WEEK]
        return self.day[hour % _DAY] if mean is None else mean

    def _at(self, time: float) -> float | None:
        """Interpolated between the middles of hours."""
        position = time / _HOUR - 0.5
        hour = int(position)
        a, b = self._mean(hour), self._mean(hour + 1)
        if a is None or b is None:
            return None
        return a + (b - a) * (position - hour) + _PRIOR
