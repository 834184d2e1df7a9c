"""Shares of requests: refusals, errors, unanswered, slow ones."""

from __future__ import annotations

from math import isfinite, log, sqrt
from typing import NamedTuple

import msgspec

from agents.detectors.detector import Score, deviation, gap
from agents.detectors.evidence import Evidence, threshold
from agents.detectors.pace import keep

_KEEP = keep(360)
"""What is left of the baseline, per bucket: half of it after six hours."""
_SLOWER = 0.1
"""How fast an unusual value is learned, relative to a usual one."""
_WARM = 300.0
"""Requests before a baseline says anything."""


class Share(NamedTuple):
    """``events`` among ``requests`` of a bucket."""

    events: int
    requests: int


class RateTest(msgspec.Struct, array_like=True, gc=False):
    """Binomial likelihood-ratio test of a share against the series' own past: is it ``ratio`` times
    as large, and by ``floor`` at least?

    The baseline is the exponentially weighted share, raised by one standard error while it rests on
    few requests.

    Source: Wald's sequential test of a proportion ("Sequential Analysis", 1947) inside Page's sum
    (see evidence.py).
    """

    h: float
    ratio: float = 2.5
    floor: float = 0.02
    least: float = 6.0
    """Events an alarm needs: single ones never suffice."""
    events: float = 0.0
    requests: float = 0.0
    evidence: Evidence = msgspec.field(default_factory=Evidence)
    recent: Score = Score()

    @property
    def share(self) -> float:
        """The usual one."""
        return (self.events + 0.5) / (self.requests + 50.0)

    def update(self, time: float, value: Share) -> Score:
        """The score's value and expectation are shares."""
        k, n = value
        if not isfinite(k + n):
            return gap(self.evidence.active)
        expected = self.share
        if not n:
            self.evidence.wait(time, self.h)
            return (
                self.recent._replace(residual=0.0)
                if self.evidence.active
                else Score(0.0, 0.0, expected)
            )
        score = 0.0
        if self.requests >= _WARM and (
            k or self.evidence.total > 0.0
        ):  # else there is no evidence, and none to lose
            p = min(0.9, expected + sqrt(expected * (1 - expected) / self.requests))
            q = min(0.98, max(self.ratio * p, p + self.floor))
            up, down = log(q / p), log((1 - q) / (1 - p))
            drift, scatter = -n * (p * up + (1 - p) * down), sqrt(n * p * (1 - p)) * (up - down)
            score = self.evidence.add(
                time, k * up + (n - k) * down, k, threshold(self.h, drift, scatter), self.least
            )
        learn = _SLOWER if self.evidence.suspicious(self.h) else 1.0
        kept = 1.0 - (1.0 - _KEEP) * learn
        self.events = self.events * kept + k * learn
        self.requests = self.requests * kept + n * learn
        self.recent = Score(score, k / n, expected, deviation(k, n * expected))
        return self.recent
