"""How many requests come: too many, too few, none."""

from __future__ import annotations

from math import erfc, inf, isfinite, log, pi, sinh, sqrt

import msgspec

from agents.detectors.detector import Score, deviation, gap
from agents.detectors.evidence import Evidence
from agents.detectors.pace import PER_HOUR, PER_MINUTE, keep
from agents.detectors.season import Season
from agents.detectors.spells import Spells

_KEEP = keep(30)
"""What is left of the level's past, per bucket: half of it after 30 minutes."""
_KEEP_SPREAD = keep(1440)
"""The same of how counts scatter: half of it after a day."""
_SLOWER = 0.1
"""How fast an unusual value is learned, relative to a usual one."""
_WARM = PER_HOUR
"""Buckets before anything is said."""
_KNOWN = PER_HOUR // 4
"""Buckets with requests before it is said that they have become few: a handful of calls is no
traffic."""
_UP, _DOWN = 2.0, 0.2
"""Multiples of the expectation that are looked for."""
_BRIEF = 1.0
"""What less than a minute may add: a burst of half a minute is no trend, a lull neither."""
_WARY = 0.3
"""How fast the level is learned while there is more."""
_LEAST = 0.01
"""Evidence of a sum that speaks for a change, however little: its excursion goes on."""
_NEAR = 0.1
"""Standard deviations within which a count is not far from its mean, and no correction is
needed."""
_OUT = 5.0
"""From here on the complementary error function is its asymptotic value."""
_LEAST_THRESHOLD = 5.0
"""Where a sum whose ratio is above zero is by itself rare enough, this much is needed still."""
_DEEP = 3.0
"""Added to the threshold: so far out excursions are twenty times as frequent as their model says
(tests/bench/anomaly.py, quiet series). A drop is told without it, and is sure with it."""
_BURST = 5 * PER_MINUTE
"""Buckets that may all belong to one burst."""
_LEVEL = 1e-3
"""Requests of a bucket that are expected at least."""
_NOTHING, _FEW, _MANY = 0.1, 0.4, 7.0
"""Multiples of the expectation below (above) which a series is in a spell of silence, of little
traffic, of much."""
_SILENCES, _DROPS, _SURGES = 0.1, 0.4, 0.1
"""Spells a week that may be called too long by chance."""
_HELD_HIGH, _HELD_LOW = 2 * PER_HOUR, 12 * PER_HOUR
"""Buckets for which the values of an alarm are not learned. What goes on for longer may be the new
usual."""
_SHOWN = 4.0
"""Requests that are expected of two buckets, at least, if they show that traffic is back."""
_BACK_HIGH, _BACK_LOW = 1.5, 0.6
"""Multiples of the expectation from which on a surge, and a drop, is over."""
_PLAIN = 1.0
"""Of too few requests: variance beyond a Poisson count's, relative to the mean. What is bursty is
known to the spells."""
_OFTEN = 2.5
"""Surges in some weeks that may be incidents: more of them are what the series does."""
_STEADIEST = 0.0025
"""Variance of a burst's height, relative to the mean, that is always allowed for."""


class Burst(msgspec.Struct, array_like=True, gc=False):
    """What came in some minutes, and what was expected. ``before``: the evidence when they began;
    ``base``: how surprising the first sum of the excursion would be if its ratio were zero."""

    count: float = 0.0
    mean: float = 0.0
    buckets: float = 0
    before: float = 0.0
    base: float = 0.0


class CountTest(msgspec.Struct, array_like=True, gc=False):
    """Likelihood-ratio tests of counts against their expectation, upwards (twice as many) and
    downwards (to a fifth).

    The expectation is an exponentially weighted level (half-life 30 minutes) that follows the
    :class:`Season`; what is usual at this hour of the week is not held against the series either.

    Traffic comes in bursts and lulls of minutes: each is one observation, however many buckets it
    has. So the requests of up to five minutes are summed and their sum is negative binomial, a
    Poisson count whose mean is itself gamma distributed (Greenwood and Yule, J. R. Stat. Soc.
    1920), as dispersed as the series' own buckets and sums of five minutes are.

    The first such sum of an excursion counts by the logarithm of its probability, from where the
    likelihood ratio is zero on, and by no more than that ratio. It tells as much (Neyman and
    Pearson, 1933), and on this scale alone are a series' own excursions exponential, as evidence.py
    takes them to be: ratios of means so far apart are not. The ratios of further sums are added,
    which keeps the probability valid: a p-value divided by an independent e-value is one (Vovk and
    Wang, "E-values: calibration, combination and applications", Ann. Stat. 2021).

    That holds of too many. Of too few the sums only say that it is no chance, and :class:`Spells`
    whether the lull is longer than the series' own: how long it may last without an alarm is what
    bursty series differ in most. A spell of ``silence`` makes an alarm ``silent``, a ``surge``
    makes it ``surging``: enough to act on at once.

    Values of an alarm are not learned, and what was usual before it holds again once it is over.

    Source: Page, "Continuous inspection schemes", Biometrika 1954 (see evidence.py), of negative
    binomial counts.
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
    square: float = 0.0
    """Mean square of the sums of five minutes that ``uneven`` rests on; 0 in a state written before
    it was kept."""
    busy: int = _KNOWN
    """Buckets with requests, as far as they are counted. A state written before it was kept is
    taken to have had them."""
    silence: Spells = msgspec.field(default_factory=lambda: Spells(_NOTHING, _SILENCES))
    drop: Spells = msgspec.field(default_factory=lambda: Spells(_FEW, _DROPS))
    surge: Spells = msgspec.field(default_factory=lambda: Spells(_MANY, _SURGES, _OFTEN))
    held: int = 0
    """Buckets of the present alarm."""
    usual: float = 0.0
    """The level when it began."""
    before: tuple[float, float] = (0.0, 0.0)
    """Requests of the last bucket, and what was expected."""

    def update(self, time: float, value: int, share: float = 1.0) -> Score:
        """``value``: requests of the bucket that starts at ``time``, or of its first ``share``. The
        score is the larger of both ways."""
        if not isfinite(value):
            return gap(self.up.active or self.down.active)
        if not self.seen:
            self.level, self.busy = float(value), 0
        step = self.season.step(time)
        self.level, self.usual = self.level * step, (self.usual or self.level) * step
        m = max(self.level, _LEVEL) * share
        score = 0.0
        high_before, low_before = self.up.active, self.down.active
        if self.seen >= _WARM:
            least, most = (share * usual for usual in self.season.around(time))
            low, high = min(m, least), max(m, most)
            self.surge.update(time, (value, high), share)
            score = self._judge(time, value, high, _UP, self.up, self.rise, share, 10)
            if self.busy >= _KNOWN:
                for spell in (self.silence, self.drop):
                    spell.update(time, (value, low), share)
                h = self.h - _DEEP
                told = self._unusual(self.silence, h) or self._unusual(self.drop, h)
                needed = 10 if told else inf
                fall = self._judge(time, value, low, _DOWN, self.down, self.fall, share, needed)
                score = max(score, fall)
            self._end_if_over(value, m, share)
            if high_before and not self.up.active:
                self.surge.close(time)
            if low_before and not self.down.active:
                self.silence.close(time)
                self.drop.close(time)
            self.silence.ignored = self.drop.ignored = not self.down.active
            self.surge.ignored = not self.up.active
            score = score if score < 1.0 or self.up.active or self.down.active else 0.0
        residual = deviation(value, m) / sqrt(self.dispersion)
        self._learn(time, value, m)
        return Score(score, value, m, residual)

    @property
    def silent(self) -> bool:
        """Whether hardly anything comes, for longer than it ever does: enough to wake somebody."""
        return self.down.active and self.down.sure and self._unusual(self.silence, self.h)

    @property
    def surging(self) -> bool:
        """Whether many times as much comes as does, for longer than it ever does."""
        return self.up.active and self.surge.told > 0.0

    def _unusual(self, spell: Spells, h: float) -> bool:
        """Whether a lull is longer than the series' own, and not what its bursts and chance
        explain: its requests are a sum over so many bursts. A far longer one needs no explanation."""
        if not spell.told:
            return False
        uneven = self.uneven * _BURST / max(_BURST, spell.now)
        size = 1 / max(uneven, (self.dispersion - 1) / spell.mean, _STEADIEST)
        return _surprise(spell.count + 0.5, spell.mean, size) >= h or spell.rare

    def _end_if_over(self, value: int, m: float, share: float) -> None:
        """An alarm ends once two buckets together are nearly what is usual, whatever the
        evidence."""
        count, mean = self.before[0] + value, self.before[1] + m
        if share == 1.0:
            self.before = (value, m)
        usual = mean * self.usual / self.level if self.level > 0 else mean
        if self.up.active and count <= _BACK_HIGH * max(usual, 1.0):
            self.up.stop(self.h)
        elif self.down.active and usual >= _SHOWN and count >= _BACK_LOW * usual:
            self.down.stop(self.h)
        else:
            return
        self.level = self.usual

    def _judge(
        self,
        time: float,
        value: int,
        mean: float,
        factor: float,
        evidence: Evidence,
        burst: Burst,
        share: float,
        least: float,
    ) -> float:
        mean = max(mean, 1e-3)  # an hour in which nothing ever came
        if evidence.since is None:
            burst.base = burst.before = burst.count = burst.mean = burst.buckets = 0.0
        elif burst.buckets >= _BURST:
            burst.count, burst.mean, burst.buckets, burst.before = 0.0, 0.0, 0.0, evidence.total
        burst.count, burst.mean, burst.buckets = (
            burst.count + value,
            burst.mean + mean,
            burst.buckets + share,
        )
        size = self._size(burst.mean) if factor > 1 else burst.mean / _PLAIN
        total = burst.before + _ratio(burst.count, burst.mean, size, factor)
        if not burst.before and total > 0.0:
            burst.base = _surprise(_even(burst.mean, size, factor), burst.mean, size)
            beyond = (
                _surprise(burst.count + (0.5 if factor < 1 else -0.5), burst.mean, size)
                - burst.base
            )
            total = min(total, max(beyond, _LEAST))
            if burst.buckets < PER_MINUTE:
                total = min(total, _BRIEF)
        events, early = (value, 0.0) if factor > 1 else (mean, _DEEP)
        needed = self._threshold(burst)
        own = factor > 1
        return evidence.add(time, total - evidence.total, events, needed, least, early, own=own)

    def _size(self, mean: float) -> float:
        """The negative binomial distribution's parameter: how unevenly counts with this sum
        come."""
        return 1 / max(self.uneven, (self.dispersion - 1) / mean, _STEADIEST)

    def _threshold(self, burst: Burst) -> float:
        """The evidence whose false alarms are ``exp(h)`` buckets apart.

        As far as counts vary with the bursts and not by chance, a burst is one occasion for a false
        alarm and not one in each bucket.
        """
        occasions = (1 + (_BURST - 1) / (1 + self.uneven * burst.mean)) / _BURST
        return max(_LEAST_THRESHOLD, self.h + log(occasions) - burst.base) + _DEEP

    def _learn(self, time: float, value: int, m: float) -> None:
        self.seen += 1
        self.busy = min(self.busy + (value > 0), _KNOWN)
        # Gradually: traffic that comes in bursts gives evidence slowly, and the level must not
        # follow it down meanwhile.
        alarm = self.up.active or self.down.active
        if not alarm:
            self.usual, self.held = self.level, 0
        self.held += alarm
        learn = 1.0 - (1.0 - _SLOWER) * self.up.doubt(self.h)
        if self.up.total > _BRIEF:
            learn = min(learn, _WARY)
        if alarm and self.held <= (_HELD_LOW if self.down.active else _HELD_HIGH):
            learn = 0.0
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
        gain = max((1 - _KEEP_SPREAD**_BURST) * learn, 1 / (self.bursts + 5))
        square = max(last.mean, 0.5) ** 2
        before = (self.square or square) * (1 - gain)
        beyond = min((last.count - last.mean) ** 2 - last.mean, 9 * self.uneven * square)
        self.square = before + square * gain
        self.uneven = max(_STEADIEST, (self.uneven * before + beyond * gain) / self.square)
        self.last = Burst()


def _ratio(count: float, mean: float, size: float, factor: float) -> float:
    """Log-likelihood ratio of ``factor`` times the mean, for negative binomial counts."""
    return count * log(factor) + (count + size) * log((size + mean) / (size + factor * mean))


def _even(mean: float, size: float, factor: float) -> float:
    """The count whose ratio is zero."""
    slope = log((size + mean) / (size + factor * mean))
    return -size * slope / (log(factor) + slope)


def _surprise(count: float, mean: float, size: float) -> float:
    """-ln of the probability of a negative binomial count that lies as far from its mean, on its
    side.

    By the modified signed root of its likelihood ratio, which is nearly normal far out too
    (Barndorff-Nielsen, "Inference on full or partial parameters based on the standardized signed
    log likelihood ratio", Biometrika 1986).
    """
    moved = log(count / mean) - log((count + size) / (mean + size))
    root = sqrt(2 * max(count * moved - size * log((count + size) / (mean + size)), 0.0))
    if root > _NEAR:
        wald = 2 * sinh(abs(moved) / 2) * sqrt(count + count**2 / size)
        root += log(wald / root) / root
    z = root / sqrt(2)
    return z * z + log(2 * sqrt(pi) * z) if z > _OUT else -log(erfc(z) / 2)
