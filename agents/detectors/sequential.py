"""Means that may be looked at after every observation: confidence sequences for bounded variables.

The predictable plug-in empirical-Bernstein confidence sequence (Waudby-Smith and Ramdas,
"Estimating means of bounded random variables by betting", JRSS-B 2024, theorem 2, eqs. 13-15): with
probability 1 - alpha the mean lies within the bounds at *all* times, so stopping when one likes the
answer does not spoil it. Exact for any distribution on [0, 1], narrow where the variance is small,
and six numbers of state.
"""

from __future__ import annotations

from math import isfinite, log, sqrt

import msgspec

from agents.detectors.detector import Score, gap

_MOST = 0.5
"""Largest bet."""


class Mean(msgspec.Struct, array_like=True, gc=False):
    """The mean of observations in [-1, 1], with bounds that hold at all times. An alarm: it is not
    zero.

    Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting",
    JRSS-B 2024, theorem 2.
    """

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    bets: float = 0.0
    bet: float = 0.0
    costs: float = 0.0
    low: float = -1.0
    high: float = 1.0

    def update(self, time: float, value: float, *, alpha: float = 0.05) -> Score:
        """One more observation; beyond [-1, 1] they are all alike. ``alpha``: chance that the
        bounds ever exclude the mean, the same at every call. ``time`` is of no consequence. The
        score says how far zero lies from the middle of the bounds: 0 there, 1 outside.
        """
        if not isfinite(value):
            return gap(self._share >= 1.0)
        x = (min(1.0, max(-1.0, value)) + 1) / 2
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
        return Score(self._share, value)

    @property
    def _share(self) -> float:
        if self.low >= 0.0 or self.high <= 0.0:
            return 1.0
        return abs(self.low + self.high) / (self.high - self.low)

    @property
    def mean(self) -> float:
        """Of the observations so far; 0 without any."""
        return 2 * self.total / self.n - 1 if self.n else 0.0
