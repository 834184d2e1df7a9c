"""How improbable a large value is, by the tail of what has been seen."""

from __future__ import annotations

from math import log

import msgspec

_FIRST = 100
"""Values from which the first threshold is taken."""
_SHARE = 0.05
"""Of the values, that exceed the threshold aimed at."""
_MOST = 128
"""Excesses remembered."""
_HEAVIEST = 0.5
"""Largest shape of the tail."""


class Tail(msgspec.Struct, array_like=True, gc=False):
    """Streaming peaks over threshold: Siffer et al., "Anomaly detection in streams with extreme
    value theory" (SPOT), KDD 2017.

    The excesses over a high threshold follow a generalised Pareto distribution, fitted by moments
    (Hosking and Wallis, "Parameter and quantile estimation for the generalized Pareto
    distribution", Technometrics 1987) with a shape from 0 to 0.5. The threshold rises when more
    than twice the share aimed at exceeds it.
    """

    first: list[float] = []
    """Until there is a threshold."""
    excess: list[float] = []
    """Of the latest values above the threshold."""
    seen: int = 0
    over: int = 0
    shape: float = 0.0
    size: float = 1.0
    threshold: float | None = None

    def surprise(self, value: float) -> float:
        """-ln of the probability of at least ``value``, by what was learned so far; 0 while too
        little is known."""
        if self.threshold is None or value <= self.threshold:
            return 0.0
        rank = log(self.seen / max(self.over, 1))
        excess = (value - self.threshold) / self.size
        return rank + (log(1 + self.shape * excess) / self.shape if self.shape > 1e-6 else excess)

    def learn(self, value: float) -> None:
        """Remember ``value``."""
        self.seen += 1
        if self.threshold is None:
            self.first.append(value)
            if len(self.first) == _FIRST:
                self._begin()
            return
        if value > self.threshold:
            self.over += 1
            self.excess.append(value - self.threshold)
            if len(self.excess) > _MOST:
                del self.excess[0]
            if self.over > 2 * _SHARE * self.seen:
                self._raise()
            self._fit()

    def _begin(self) -> None:
        ordered = sorted(self.first)
        self.threshold = ordered[int(_FIRST * (1 - _SHARE)) - 1]
        self.excess = [value - self.threshold for value in ordered if value > self.threshold]
        self.over = len(self.excess)
        spread = ordered[-1] - ordered[0]
        self.size = spread or abs(self.threshold) * 0.01 or 1e-9
        self.first = []
        self._fit()

    def _raise(self) -> None:
        assert self.threshold is not None
        ordered = sorted(self.excess)
        up = ordered[len(ordered) // 2]
        self.threshold += up
        left = [excess - up for excess in self.excess if excess > up]
        self.over = int(self.over * len(left) / len(self.excess))
        self.excess = left

    def _fit(self) -> None:
        n = len(self.excess)
        if n < 5:
            return
        mean = sum(self.excess) / n
        variance = sum((excess - mean) ** 2 for excess in self.excess) / n
        if mean <= 0 or variance <= 0:
            return
        ratio = mean * mean / variance
        self.shape = min(_HEAVIEST, max(0.0, 0.5 * (1 - ratio)))
        self.size = mean * (1 - self.shape)
