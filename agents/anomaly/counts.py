"""How many requests come: too many, too few, none."""

from __future__ import annotations

from math import log, sqrt

import msgspec

from agents.anomaly.evidence import Evidence
from agents.anomaly.pace import PER_HOUR, keep
from agents.anomaly.score import Score, deviation
from agents.anomaly.season import Season

_KEEP = keep(30)
_KEEP_SPREAD = keep(1440)
_SLOWER = 0.1
_WARM = PER_HOUR
_UP, _DOWN = 2.0, 0.2
_MOST = 0.7
"""Of the threshold in one bucket: a burst of half a minute is no trend."""


class CountTest(msgspec.Struct, array_like=True, gc=False):
    """Poisson likelihood-ratio tests of a count against its expectation, upwards (twice as many) and downwards (to less than a third).

    The expectation is an exponentially weighted level (half-life 30 minutes) that follows the :class:`Season`; what is usual at
    this hour of the week is not held against the series either. The likelihood is
    divided by the series' own dispersion (quasi-likelihood: Wedderburn, Biometrika 1974; near its mean it equals the negative
    binomial's). Evidence is summed as in evidence.py.
    """

    h: float
    level: float = 0.0
    seen: int = 0
    dispersion: float = 2.0
    season: Season = msgspec.field(default_factory=Season)
    up: Evidence = msgspec.field(default_factory=Evidence)
    down: Evidence = msgspec.field(default_factory=Evidence)

    def update(self, time: float, value: int) -> Score:
        """``value``: requests of the bucket that starts at ``time``. The score is the larger of both directions."""
        if not self.seen:
            self.level = float(value)
        self.level *= self.season.step(time)
        m = max(self.level, 0.02)
        score = 0.0
        if self.seen >= _WARM:
            least, most = self.season.around(time)
            over = self._ratio(value, max(m, most), _UP)
            under = self._ratio(value, min(m, least), _DOWN)
            score = max(
                self.up.add(time, over, value, self.h, 10, _MOST),
                self.down.add(time, under, m, self.h, 10, _MOST),
            )
        residual = deviation(value, m) / sqrt(self.dispersion)
        self._learn(time, value, m)
        return Score(score, value, m, residual)

    def _ratio(self, value: int, mean: float, factor: float) -> float:
        """Log-likelihood ratio of ``factor`` times the mean, for negative binomial counts."""
        size = mean / max(self.dispersion - 1.0, 1e-3)
        return value * log(factor) + (value + size) * log((size + mean) / (size + factor * mean)) if mean > 0 else value * log(factor)

    def _learn(self, time: float, value: int, m: float) -> None:
        self.seen += 1
        # Gradually: traffic that comes in bursts gives evidence slowly, and the level must not follow it down meanwhile.
        learn = 1.0 - (1.0 - _SLOWER) * max(self.up.doubt(self.h), self.down.doubt(self.h))
        gain = max((1 - _KEEP) * learn, 1 / self.seen if self.seen < _WARM else 0.0)
        bounded = min(value, 3 * m + 3)
        self.level += (bounded - self.level) * gain
        pearson = min((value - m) ** 2 / max(m, 0.5), 9 * self.dispersion)
        gain = max((1 - _KEEP_SPREAD) * learn, 1 / (self.seen + 1))
        self.dispersion = max(1.0, self.dispersion + (pearson - self.dispersion) * gain)
        self.season.learn(time, bounded)
