"""Means that may be looked at after every observation: confidence sequences for bounded variables.

The predictable plug-in empirical-Bernstein confidence sequence (Waudby-Smith and Ramdas, "Estimating means of bounded random variables by
betting", JRSS-B 2024, theorem 2, eqs. 13-15): with probability 1 - alpha the mean lies within the bounds at *all* times, so stopping when
one likes the answer does not spoil it. Exact for any distribution on [0, 1], narrow where the variance is small, and six numbers of state.
"""

from __future__ import annotations

from math import log, sqrt

import msgspec

_MOST = 0.5
"""Largest bet."""


class Mean(msgspec.Struct, array_like=True, gc=False):
    """The mean of observations in [-1, 1], with bounds that hold at all times."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    bets: float = 0.0
    bet: float = 0.0
    costs: float = 0.0
    low: float = -1.0
    high: float = 1.0

    def add(self, difference: float, alpha: float) -> None:
        """One more observation; ``alpha``: chance that the bounds ever exclude the mean, the same at every call."""
        x = (min(1.0, max(-1.0, difference)) + 1) / 2
        mean = (0.5 + self.total) / (self.n + 1)
        variance = (0.25 + self.squares) / (self.n + 1)
        self.n += 1
        spread = log(2 / alpha)
        bet = min(_MOST, sqrt(2 * spread / (variance * self.n * log(self.n + 1))))
        self.bets += bet
        self.bet += bet * x
        self.costs += (x - mean) ** 2 * (-log(1 - bet) - bet)
        self.total += x
        self.squares += (x - (0.5 + self.total) / (self.n + 1)) ** 2
        centre, radius = self.bet / self.bets, (spread + self.costs) / self.bets
        self.low = max(self.low, 2 * (centre - radius) - 1)
        self.high = min(self.high, 2 * (centre + radius) - 1)

    @property
    def mean(self) -> float:
        return 2 * self.total / self.n - 1 if self.n else 0.0
