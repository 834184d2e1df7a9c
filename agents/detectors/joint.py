"""What no metric shows alone: several that move a little together, or against each other."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isfinite, log, sqrt

import msgspec
import numpy as np

from agents.detectors.detector import Score, gap
from agents.detectors.pace import PER_HOUR, PER_MINUTE, keep

_KEEP = keep(5)
"""What is left of a residual, per bucket: half of it after five minutes."""
_KEEP_CENTER = keep(120)
"""The same of the slow mean: half of it after two hours."""
_KEEP_SPREAD = keep(1440)
"""The same of the covariance: half of it after a day."""
_WARM = 12 * PER_HOUR
"""Buckets before anything is said: the covariance rests on them."""
_LASTS = 3 * PER_MINUTE
"""Buckets in a row that must all be unusual: a burst passes sooner."""
_BOUND = 2.0
"""A bucket's squared distance counts as no more than so many times the usual one."""
_SHRINK = 0.1
"""Weight of the diagonal alone in the covariance."""
_NOISE = (1 - _KEEP) / (1 + _KEEP)
"""Variance of an exponentially weighted mean of independent residuals of variance 1. No metric is
taken to be steadier than that."""
_PRIOR = 5.0
"""The chi-square's own tail counts as much as so many excursions."""
_MEMORY = 1000.0
"""Excursions remembered, exponentially."""
_RECENT = 20_000
"""Buckets that the rate of excursions rests on, at most."""
_HUBER = 2.0
"""An excursion counts as no more than so many scales: an incident must not make the series deaf to
the next."""
_KEPT = 1 - exp(-_HUBER)
"""What that leaves of the mean of an exponential distribution."""


class JointTest(msgspec.Struct, array_like=True, gc=False):
    """Is the vector of a series' residuals further from its usual place than its usual scatter
    explains?

    Mahalanobis distance of exponentially weighted residuals (half-life 5 minutes). Its covariance
    is that of these averages themselves, so residuals that remember are allowed for. It is
    streaming, shrunken to its diagonal (Ledoit and Wolf, 2004), and robust: a bucket says only so
    much, and what lies far out is learned from less (Maronna, "Robust M-estimators of multivariate
    location and scatter", 1976). The first residual, that of the traffic, is a condition and no
    evidence: what load explains is no news.

    The threshold is a peak over threshold with the tail index of a chi-square, zero, its scale
    estimated from the series' own excursions (Siffer et al., SPOT, KDD 2017), so that one is
    expected in ``exp(h)`` buckets.

    Source: MEWMA, Lowry, Woodall, Champ and Rigdon, "A multivariate exponentially weighted moving
    average control chart", Technometrics 1992.
    """

    h: float
    center: list[float] = []
    """Slow mean of the residuals."""
    moved: list[float] = []
    """Exponentially weighted distance from it."""
    spread: list[list[float]] = []
    """Covariance of ``moved``."""
    seen: int = 0
    last: list[float] = []
    peaks: float = 0.0
    excess: float = 0.0
    """Excursions that are over, and by how much they were beyond ``_usual``."""
    peak: float = 0.0
    since: float | None = None
    """Start of the excursion, and whether it is an alarm."""
    active: bool = False

    def update(self, time: float, value: Sequence[float]) -> Score:
        """``value``: standardised residuals of a bucket, always as many and at least two. The
        score's value and expectation are squared distances."""
        if not isfinite(sum(value)):
            return gap(self.active)
        if len(self.center) != len(value):  # the first, or of a version that looks at other metrics
            self.seen, self.center, self.moved = 0, [0.0] * len(value), [0.0] * len(value)
            self.spread = (np.eye(len(value)) * _NOISE).tolist()
        free = len(value) - 1
        usual = _usual(free)
        center, spread = np.array(self.center), np.array(self.spread)
        shrunken = spread * (1 - _SHRINK)
        np.fill_diagonal(shrunken, np.maximum(spread.diagonal(), _NOISE))
        inverse = np.linalg.inv(shrunken)
        step = np.array(value) - center
        step *= min(1.0, sqrt(_BOUND * usual / max(_NOISE * float(step @ inverse @ step), 1e-9)))
        moved = np.array(self.moved) * _KEEP + step * (1 - _KEEP)
        distance = max(0.0, float(moved @ inverse @ moved - moved[0] ** 2 / shrunken[0, 0]))
        self.last = [*self.last, distance][-_LASTS:]
        self.seen += 1
        score = self._judge(time, min(self.last), usual, free) if self.seen > _WARM else 0.0
        weight = min(1.0, usual / max(distance, 1e-9))
        spread += (
            (np.outer(moved, moved) - spread)
            * max(1 - _KEEP_SPREAD, 1 / (self.seen + 100))
            * weight
        )
        center += step * max(1 - _KEEP_CENTER, 1 / (self.seen + 10)) * weight
        self.center, self.moved, self.spread = center.tolist(), moved.tolist(), spread.tolist()
        return Score(score, min(self.last), float(free))

    def limit(self) -> float:
        """The squared distance from which it is an alarm."""
        rate = (self.peaks + 1) / (min(self.seen, _RECENT) + 1)
        return _usual(len(self.center) - 1) + self._scale() * max(0.0, self.h + log(rate))

    def furthest(self) -> list[tuple[int, float]]:
        """Which residuals have moved, and by how many of their standard deviations: the furthest
        first, without the traffic's."""
        sizes = [
            (at, moved / sqrt(max(self.spread[at][at], _NOISE)))
            for at, moved in enumerate(self.moved)
            if at
        ]
        return sorted(sizes, key=lambda size: -abs(size[1]))

    def _scale(self) -> float:
        """Mean of what excursions exceed ``_usual`` by; never less than that of a chi-square."""
        free = len(self.center) - 1
        usual = _usual(free)
        least = 2 * usual / (usual - free + 2)
        return max(least, (least * _PRIOR + self.excess / _KEPT) / (_PRIOR + self.peaks))

    def _judge(self, time: float, distance: float, usual: float, free: int) -> float:
        limit = self.limit()
        if self.since is None:
            if distance <= usual:
                return 0.0
            self.since = time
        self.peak = max(self.peak, distance)
        if distance < (limit / 2 if self.active else free):
            kept = 1 - 1 / _MEMORY
            self.excess = self.excess * kept + max(
                0.0, min(self.peak - usual, _HUBER * self._scale())
            )
            self.peaks = self.peaks * kept + 1
            self.since, self.peak, self.active = None, 0.0, False
            return 0.0
        self.active = self.active or distance >= limit
        return 1.0 if self.active else distance / limit


def _usual(free: int) -> float:
    """What 95% of a chi-square variable with so many degrees of freedom stay below (Wilson and
    Hilferty, 1931)."""
    return free * (1 - 2 / (9 * free) + 1.645 * sqrt(2 / (9 * free))) ** 3
