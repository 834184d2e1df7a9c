"""What a request costs: jumps within minutes, and what creeps over days."""

from __future__ import annotations

from math import exp, isfinite, log
from typing import NamedTuple

import msgspec

from agents.detectors.detector import Score, gap
from agents.detectors.evidence import Evidence, threshold
from agents.detectors.pace import keep

_KEEP = keep(360)
"""What is left of the level's past, per bucket: half of it after six hours."""
_KEEP_SPREAD = keep(1440)
"""The same of how costs scatter: half of it after a day."""
_SLOWER = 0.1
"""How fast an unusual value is learned, relative to a usual one."""
_WARM = 60
"""Looks before a change to the double is told."""
_EARLY = 8
"""Looks before a far larger one is."""
_SAMPLES = 10.0
"""Requests that are looked at together, at least."""
_WINDOWS = 3
"""Windows of ten seconds before the dearest can be left out."""
_FLOOR = 0.02
"""Variance of the log of a price per request that more requests do not remove."""
_SHIFT = log(2)
"""Of the logarithm that is looked for: costs have doubled."""
_EARLY_SHIFT = log(6)
"""The same while hardly anything is known: costs are six times as high."""
_UNSURE = 1.0
"""Variance of the log that is added for that, divided by the looks so far."""


def _looked_for(seen: int) -> tuple[float, float] | None:
    """The shift that can be told after so many looks, and what to add to the variance; None: not
    any yet."""
    if seen >= _WARM:
        return _SHIFT, 0.0
    return (_EARLY_SHIFT, _UNSURE / seen) if seen >= _EARLY else None


class Spend(NamedTuple):
    """What so many priced requests used: USD, or tokens.

    ``top`` and ``top_requests`` are those of the dearest of the ``windows`` (10 s each) they came
    in.
    """

    used: float
    requests: int
    windows: int = 0
    top: float = 0.0
    top_requests: int = 0


class PriceTest(msgspec.Struct, array_like=True, gc=False):
    """Has the cost per request doubled? Likelihood-ratio test of a shift of its logarithm.

    Its error is taken as normal, with a variance that falls with the number of requests. Level and
    variance are exponentially weighted and learn from clipped residuals (Huber, "Robust estimation
    of a location parameter", 1964). The dearest ten seconds are left out, always: one dear request
    is no trend. Evidence is summed as in evidence.py. Scores do not depend on the unit of the
    values.

    Source: Page, "Continuous inspection schemes", Biometrika 1954.
    """

    h: float
    level: float = 0.0
    spread: float = 1.0
    """Variance of the log, of one request."""
    seen: int = 0
    pending: Spend = Spend(0.0, 0)
    evidence: Evidence = msgspec.field(default_factory=Evidence)
    recent: Score = Score()

    def update(self, time: float, value: Spend) -> Score:
        """The score's value and expectation are USD (or tokens) per request."""
        if not isfinite(sum(value)):
            return gap(self.evidence.active)
        self.pending = together = _merged(self.pending, value)
        used, n = together.used, together.requests
        if together.windows >= _WINDOWS:
            used, n = used - together.top, n - together.top_requests
        if n < _SAMPLES or used <= 0:
            self.evidence.wait(time, self.h)
            return self.recent._replace(
                score=self.recent.score if self.evidence.active else 0.0, residual=0.0
            )
        self.pending = Spend(0.0, 0)
        x = log(used / n)
        if not self.seen:
            self.level = x
        residual = x - self.level
        score, expected = 0.0, exp(self.level)
        variance = self.spread / n + _FLOOR
        if (known := _looked_for(self.seen)) is not None:
            shift, unsure = known
            clipped = min(residual, 2 * shift)
            ratio = (shift * clipped - shift**2 / 2) / (variance + unsure)
            score = self.evidence.add(time, ratio, n, self.h, 2 * _SAMPLES)
        self.seen += 1
        learn = _SLOWER if self.evidence.suspicious(self.h) else 1.0
        bound = 3 * variance**0.5
        gain = max(1 - _KEEP, 1 / self.seen if self.seen < _WARM else 0.0) * learn
        self.level += min(bound, max(-bound, residual)) * gain
        gain = max(1 - _KEEP_SPREAD, 1 / (self.seen + 5)) * learn
        self.spread += (min(n * residual**2, 9 * self.spread) - self.spread) * gain
        self.recent = Score(score, exp(x), expected, residual / variance**0.5)
        return self.recent


def _merged(a: Spend, b: Spend) -> Spend:
    top, top_requests = max((a.top, a.top_requests), (b.top, b.top_requests))
    return Spend(a.used + b.used, a.requests + b.requests, a.windows + b.windows, top, top_requests)


class Logs(NamedTuple):
    """Logarithms of what answers cost: how many, their sum, the sum of their squares."""

    answers: int
    total: float
    squares: float

    def plus(self, other: Logs) -> Logs:
        """The sums over the answers of both."""
        return Logs(
            self.answers + other.answers, self.total + other.total, self.squares + other.squares
        )


class TypicalTest(msgspec.Struct, array_like=True, gc=False):
    """Has the cost of a typical request doubled? Likelihood-ratio test of a shift of the mean of
    logarithms, as :class:`PriceTest` is of the logarithm of the mean.

    One dear request hardly moves it, so nothing has to be left out, and it is nearly normal from a
    handful of requests on, however heavy the tail of what they cost: changes of all requests are
    told sooner. It does not see those of few requests. Its variance has two components (Henderson,
    "Estimation of variance and covariance components", Biometrics 1953): that of requests, which
    more of them remove, and that of buckets, because neighbours are alike. Scores do not depend on
    the unit of the values.

    Source: Page, "Continuous inspection schemes", Biometrika 1954.
    """

    h: float
    level: float = 0.0
    within: float = 1.0
    """Variance of one request's logarithm within its bucket."""
    between: float = _FLOOR
    """Variance of buckets beyond what their requests explain."""
    seen: int = 0
    pending: Logs = Logs(0, 0.0, 0.0)
    evidence: Evidence = msgspec.field(default_factory=Evidence)

    def update(self, time: float, value: Logs) -> Score:
        """The score's value and expectation are logarithms."""
        if not isfinite(sum(value)):
            return gap(self.evidence.active)
        self.pending = together = self.pending.plus(value)
        n, total, squares = together
        if n < _SAMPLES:
            self.evidence.wait(time, self.h)
            return Score(float(self.evidence.active), self.level, self.level)
        self.pending = Logs(0, 0.0, 0.0)
        x = total / n
        if not self.seen:
            self.level = x
        expected, residual = self.level, x - self.level
        variance = self.within / n + max(self.between, _FLOOR)
        score = 0.0
        if (known := _looked_for(self.seen)) is not None:
            shift, unsure = known
            spread = variance + unsure
            needed = threshold(self.h, shift**2 / 2 / spread, shift / spread**0.5)
            ratio = (shift * min(residual, 2 * shift) - shift**2 / 2) / spread
            score = self.evidence.add(time, ratio, n, needed, 2 * _SAMPLES)
        self._learn(residual, variance, n, max(0.0, squares - total * x) / (n - 1))
        return Score(score, x, expected)

    def _learn(self, residual: float, variance: float, n: int, within: float) -> None:
        self.seen += 1
        learn = _SLOWER if self.evidence.suspicious(self.h) else 1.0
        bound = 3 * variance**0.5
        gain = max(1 - _KEEP, 1 / self.seen if self.seen < _WARM else 0.0) * learn
        self.level += min(bound, max(-bound, residual)) * gain
        gain = max(1 - _KEEP_SPREAD, 1 / (self.seen + 5)) * learn
        self.between += (min(residual**2, 9 * variance) - self.within / n - self.between) * gain
        self.within += (min(within, 9 * max(self.within, _FLOOR)) - self.within) * gain


_HOUR = 3600.0
"""Seconds."""
_HOUR_SAMPLES = 30
"""Requests of an hour that is looked at, at least."""
_FORGOTTEN = 86_400.0
"""Seconds without such an hour after which a creep is nobody's any more."""
_WEEK_HOURS = 120
"""Hours before creep is looked for: five days."""
_CREEP = 0.013
"""Shift of the logarithm that is looked for, against the mean of past days."""
_LEARN = 1 / 168
"""Weight of a new hour in what is known of how hours vary."""
_FADE = 0.85
"""Weight of an hour relative to the next one's, in sums of neighbours."""
_PAST = 0.07
"""Weight of a new day in an hour's mean."""


class Spent(NamedTuple):
    """What requests used: USD; or, for a typical request, logarithms, and the sum of their
    squares."""

    requests: int
    used: float
    squares: float = 0.0


class CreepTest(msgspec.Struct, array_like=True, gc=False):
    """Does the cost of requests creep up by some per cent a day, too slowly for any test of
    minutes?

    Page's sum over hours of the logarithm of the mean cost, or with ``typical`` of the mean of the
    logarithms, each against the mean of its own hour of the day over past days (which removes the
    daily season), for a shift of 1.3% (the best constant for a ramp of 2% a day, within its first
    day). The newest days enter that mean slowly, so a creep stays visible. Of logarithms it is
    known how much of an hour's variance its requests explain, so that busy hours count more; they
    also tell twice as much where costs have a heavy tail. The mean sees what grows in few dear
    requests. Where neighbouring hours are alike, all count less: by the variance of their sums
    (Newey and West, "A simple, positive semi-definite, heteroskedasticity and autocorrelation
    consistent covariance matrix", Econometrica 1987). Scores do not depend on the unit of the
    values.

    Source: Page, "Continuous inspection schemes", Biometrika 1954.
    """

    h: float
    means: list[float | None] = msgspec.field(default_factory=lambda: [None] * 24)
    days: list[int] = msgspec.field(default_factory=lambda: [0] * 24)
    spread: float = 0.0004
    """Variance of an hour's residual beyond what is explained."""
    seen: int = 0
    hour: int = -1
    used: float = 0.0
    requests: int = 0
    evidence: Evidence = msgspec.field(default_factory=Evidence)
    recent: Score = Score()
    typical: bool = False
    """Whether logarithms are summed in ``used``, and their squares here."""
    squares: float = 0.0
    moved: float = 0.0
    """Sum of residuals in standard deviations, each hour's counting less than the next one's."""
    alike: float = 1.0
    """Its variance, relative to what it would be if neighbouring hours were not alike."""

    def update(self, time: float, value: Spent) -> Score:
        """``value``: of a bucket. The score's value and expectation are USD per request; with
        ``typical`` in the unit whose logarithm was given."""
        if not isfinite(sum(value)):
            return gap(self.evidence.active)
        hour = int(time // _HOUR)
        if hour != self.hour:
            if self.requests >= _HOUR_SAMPLES and (self.typical or self.used > 0):
                self._close(time)
            elif self.evidence.active and time - self.evidence.heard > _FORGOTTEN:
                self.evidence.stop(self.h)
                self.recent = Score()
            self.hour, self.requests, self.used, self.squares = hour, 0, 0.0, 0.0
        self.requests += value.requests
        self.used += value.used
        self.squares += value.squares
        return self.recent

    def _close(self, time: float) -> None:
        slot, n, x, explained = self.hour % 24, self.requests, self.used / self.requests, 0.0
        if self.typical:
            explained = max(0.0, self.squares - self.used * x) / (n - 1) / n
        else:
            x = log(x)
        mean = self.means[slot]
        if mean is None:
            self.means[slot], self.days[slot] = x, 1
            return
        residual, variance = x - mean, self.spread + explained
        uncertain = 1 + 1 / self.days[slot]  # a mean of few days is
        known = variance * uncertain
        score, clipped = 0.0, min(3.0, max(-3.0, residual / known**0.5))
        if self.seen >= _WEEK_HOURS:
            alike = max(1.0, self.alike)
            shift = _CREEP / (known * alike) ** 0.5
            # Where quiet hours vary more than it is known, the sums go further than normal ones.
            needed = threshold(self.h, shift**2 / 2, shift) if self.typical else self.h
            score = self.evidence.add(
                time, shift * (clipped / alike**0.5 - shift / 2), 1, needed, 6
            )
        self.moved = _FADE * self.moved + clipped
        together = min(self.moved**2 * (1 - _FADE**2), 9 * self.alike)
        self.alike += (together - self.alike) * max(_LEARN, 1 / (self.seen + 10))
        self.seen += 1
        self.days[slot] += 1
        gain = max(_PAST, 1 / self.days[slot])
        bound = 3 * variance**0.5 if self.seen > 24 else 1.0
        self.means[slot] = mean + min(bound, max(-bound, residual)) * gain
        beyond = min(residual**2 / uncertain, 9 * variance) - explained
        self.spread += (beyond - self.spread) * max(_LEARN, 1 / (self.seen + 10))
        self.spread = max(self.spread, 1e-6)
        self.recent = Score(score, exp(x), exp(mean))
