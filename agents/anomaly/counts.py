"""How many requests come: too many, too few, none."""

from __future__ import annotations

from math import log, pi, sqrt

import msgspec

from agents.anomaly.evidence import Evidence
from agents.anomaly.pace import PER_HOUR, PER_MINUTE, keep
from agents.anomaly.score import Score, deviation
from agents.anomaly.season import Season

_KEEP = keep(30)
_KEEP_SPREAD = keep(1440)
_SLOWER = 0.1
_WARM = PER_HOUR
_UP, _DOWN = 2.0, 0.2
_MOST_UP, _MOST_DOWN = 0.7, 0.5
"""Of the threshold in one bucket: a burst of half a minute is no trend, a lull of less than a minute neither."""
_BURST = 5 * PER_MINUTE
"""Buckets that may all belong to one burst."""
_STEADIEST = 0.0025
"""Variance of a burst's height, relative to the mean, that is always allowed for."""


class Burst(msgspec.Struct, array_like=True, gc=False):
    """What came in some minutes, and what was expected. ``before``: the evidence when they began."""

    count: float = 0.0
    mean: float = 0.0
    buckets: int = 0
    before: float = 0.0


class CountTest(msgspec.Struct, array_like=True, gc=False):
    """Likelihood-ratio tests of counts against their expectation, upwards (twice as many) and downwards (to a fifth).

    The expectation is an exponentially weighted level (half-life 30 minutes) that follows the :class:`Season`; what is usual at
    this hour of the week is not held against the series either.

    Traffic comes in bursts and lulls of minutes: a lull is one observation, however many buckets it has. So the requests of up to five
    minutes are summed and their sum is negative binomial, a Poisson count whose mean is itself gamma distributed (Greenwood and Yule,
    J. R. Stat. Soc. 1920), as dispersed as the series' own buckets and sums of five minutes are. Evidence is summed as in evidence.py.
    """

    h: float
    level: float = 0.0
    seen: int = 0
    dispersion: float = 2.0
    """Variance of a bucket's count, as a multiple of its mean."""
    season: Season = msgspec.field(default_factory=Season)
    up: Evidence = msgspec.field(default_factory=Evidence)
    down: Evidence = msgspec.field(default_factory=Evidence)
    uneven: float = 0.1
    """Variance of sums of five minutes beyond a Poisson count's, relative to their squared mean."""
    bursts: int = 0
    last: Burst = msgspec.field(default_factory=Burst)
    rise: Burst = msgspec.field(default_factory=Burst)
    fall: Burst = msgspec.field(default_factory=Burst)

    def update(self, time: float, value: int, share: float = 1.0) -> Score:
        """``value``: requests of the bucket that starts at ``time``, or of its first ``share``. The score is the larger of both ways."""
        if not self.seen:
            self.level = float(value)
        self.level *= self.season.step(time)
        m = max(self.level, 0.02) * share
        score = 0.0
        if self.seen >= _WARM:
            least, most = (share * usual for usual in self.season.around(time))
            score = max(
                self._judge(time, value, max(m, most), _UP, self.up, self.rise, share),
                self._judge(time, value, min(m, least), _DOWN, self.down, self.fall, share),
            )
        residual = deviation(value, m) / sqrt(self.dispersion)
        self._learn(time, value, m)
        return Score(score, value, m, residual)

    def _judge(self, time: float, value: int, mean: float, factor: float, evidence: Evidence, burst: Burst, share: float) -> float:
        most = _MOST_UP if factor > 1 else _MOST_DOWN
        mean = max(mean, 1e-3)  # an hour in which nothing ever came
        if evidence.since is None or burst.buckets >= _BURST:
            burst.count, burst.mean, burst.buckets, burst.before = 0.0, 0.0, 0, evidence.total
        burst.count, burst.mean, burst.buckets = burst.count + value, burst.mean + mean, burst.buckets + 1
        gained = burst.before + self._ratio(burst.count, burst.mean, factor) - evidence.total
        return evidence.add(time, gained, value if factor > 1 else mean, self._threshold(burst.mean, factor), 10, share * most)

    def _size(self, mean: float) -> float:
        """The negative binomial distribution's parameter: how unevenly counts with this sum come."""
        return 1 / max(self.uneven, (self.dispersion - 1) / mean, _STEADIEST)

    def _ratio(self, count: float, mean: float, factor: float) -> float:
        """Log-likelihood ratio of ``factor`` times the mean, for negative binomial counts."""
        size = self._size(mean)
        return count * log(factor) + (count + size) * log((size + mean) / (size + factor * mean))

    def _threshold(self, mean: float, factor: float) -> float:
        """The ratio whose false alarms are ``exp(h)`` buckets apart.

        As far as counts vary with the bursts and not by chance, a burst is one occasion for a false alarm and not one in each bucket. And
        the chance of a ratio of c or more without a change is ``exp(-c)`` times the density at c with one, which is at most
        1 / (scatter sqrt(2 pi)).
        """
        size, then = self._size(mean), factor * mean
        slope = abs(log(factor) + log((size + mean) / (size + then)))
        scatter = slope * sqrt(then + then**2 / size)
        occasions = (1 + (_BURST - 1) / (1 + self.uneven * mean)) / _BURST
        return self.h + log(occasions) - log(max(1.0, scatter * sqrt(2 * pi)))

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
        self._learn_burst(value, m, learn)
        self.season.learn(time, bounded)

    def _learn_burst(self, value: int, m: float, learn: float) -> None:
        last = self.last
        last.count, last.mean, last.buckets = last.count + value, last.mean + m, last.buckets + 1
        if last.buckets < _BURST:
            return
        self.bursts += 1
        uneven = ((last.count - last.mean) ** 2 - last.mean) / max(last.mean, 0.5) ** 2
        gain = max((1 - _KEEP_SPREAD**_BURST) * learn, 1 / (self.bursts + 5))
        self.uneven = max(_STEADIEST, self.uneven + (min(uneven, 9 * self.uneven) - self.uneven) * gain)
        self.last = Burst()
