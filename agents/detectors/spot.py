"""How improbable a large value is, by the tail of what has been seen."""

from __future__ import annotations

from math import log

_FIRST = 100
"""Values from which the first threshold is taken."""
_SHARE = 0.05
_MOST = 128
"""Excesses remembered."""
_HEAVIEST = 0.5


class Tail:
    """Streaming peaks over threshold: Siffer et al., "Anomaly detection in streams with extreme value theory" (SPOT), KDD 2017.

    The excesses over a high threshold follow a generalised Pareto distribution, fitted by moments (Hosking and Wallis, "Parameter and
    quantile estimation for the generalized Pareto distribution", Technometrics 1987) with a shape from 0 to 0.5. The threshold rises when
    more than twice the share aimed at exceeds it.
    """

    __slots__ = ("_excess", "_first", "_over", "_seen", "_shape", "_size", "threshold")

    def __init__(self) -> None:
        self._first: list[float] = []
        self._excess: list[float] = []
        self._seen = 0
        self._over = 0
        self._shape, self._size = 0.0, 1.0
        self.threshold: float | None = None

    def surprise(self, value: float) -> float:
        """-ln of the probability of at least ``value``, by what was learned so far; 0 while too little is known."""
        if self.threshold is None or value <= self.threshold:
            return 0.0
        rank = log(self._seen / max(self._over, 1))
        excess = (value - self.threshold) / self._size
        return rank + (log(1 + self._shape * excess) / self._shape if self._shape > 1e-6 else excess)

    def learn(self, value: float) -> None:
        """Remember ``value``."""
        self._seen += 1
        if self.threshold is None:
            self._first.append(value)
            if len(self._first) == _FIRST:
                self._begin()
            return
        if value > self.threshold:
            self._over += 1
            self._excess.append(value - self.threshold)
            if len(self._excess) > _MOST:
                del self._excess[0]
            if self._over > 2 * _SHARE * self._seen:
                self._raise()
            self._fit()

    def _begin(self) -> None:
        ordered = sorted(self._first)
        self.threshold = ordered[int(_FIRST * (1 - _SHARE)) - 1]
        self._excess = [value - self.threshold for value in ordered if value > self.threshold]
        self._over = len(self._excess)
        spread = ordered[-1] - ordered[0]
        self._size = spread or abs(self.threshold) * 0.01 or 1e-9
        self._first = []
        self._fit()

    def _raise(self) -> None:
        assert self.threshold is not None
        ordered = sorted(self._excess)
        up = ordered[len(ordered) // 2]
        self.threshold += up
        left = [excess - up for excess in self._excess if excess > up]
        self._over = int(self._over * len(left) / len(self._excess))
        self._excess = left

    def _fit(self) -> None:
        n = len(self._excess)
        if n < 5:
            return
        mean = sum(self._excess) / n
        variance = sum((excess - mean) ** 2 for excess in self._excess) / n
        if mean <= 0 or variance <= 0:
            return
        ratio = mean * mean / variance
        self._shape = min(_HEAVIEST, max(0.0, 0.5 * (1 - ratio)))
        self._size = mean * (1 - self._shape)
