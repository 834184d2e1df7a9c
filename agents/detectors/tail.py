"""The slow tail of a latency."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

import msgspec

from agents.detectors.detector import Score, deviation, gap
from agents.detectors.pace import PER_MINUTE, keep
from agents.detectors.rates import RateTest, Share
from schemas.sketch import GAMMA, quantile, value_of

_COARSE = 2
"""Bins of the latency sketch per bin here: 4% wide."""
_EVERY = 10 * PER_MINUTE
"""Buckets until the baseline takes in what came."""
_KEEP = keep(1440) ** _EVERY
"""What is left of the baseline each time: half of it after a day."""
_TAIL = 0.01
"""Share of requests that are slower than P99."""
_UPPER = 0.1
"""Share whose number the residual is of."""
_WARM = 500.0
"""Requests before a baseline says anything."""
_FORGOTTEN = 0.01
"""Requests of a bin that are too few to keep it."""
_MARGIN = 4
"""Coarse bins beyond P99: what is slower than that counts. Load moves a tail by less, many times a
day."""
SLOWER = GAMMA ** (_COARSE * _MARGIN)
"""The same as a factor: 1.17."""


class TailTest(msgspec.Struct, array_like=True, gc=False):
    """Do more requests than usual take a sixth longer than the series' own P99?

    The baseline is a decaying histogram on a logarithmic scale (DDSketch bins, schemas/sketch.py).
    What exceeds its P99 clearly is counted and goes through a :class:`RateTest`, so the test has
    the power of counts, needs no distribution of latencies, and a mean never enters.

    Source: Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
    relative-error guarantees", VLDB 2019; Wald's test of a proportion (1947) of what exceeds the
    quantile.
    """

    rate: RateTest
    bins: dict[int, float] = {}
    weight: float = 0.0
    edge: int | None = None
    """The coarse bin above which at most 1% of the past lies."""
    fresh: dict[int, float] = {}
    buckets: int = 0
    recent: Score = Score()
    odd: dict[int, int] = {}
    """What came since the evidence began; a key is the bin in the middle of a coarse one."""
    upper: tuple[int, float] = (0, 0.0)
    """The coarse bin above which at most a tenth of the past lies, and what share does."""
    width: int = 4
    """Bins of the sketch in one of ``bins``; that of states written before it was written down."""

    @classmethod
    def of(cls, h: float) -> TailTest:
        """``h``: logarithm of buckets per false alarm."""
        return cls(RateTest(h, ratio=2.5, floor=0.03), width=_COARSE)

    def __post_init__(self) -> None:
        if self.width != _COARSE:  # learned anew
            self.bins, self.fresh, self.odd, self.weight, self.width = {}, {}, {}, 0.0, _COARSE
            self.edge, self.upper = None, (0, 0.0)

    def update(self, time: float, value: Mapping[int, int]) -> Score:
        """``value``: the sketch of one bucket (bins of 1%). The score's value and expectation are
        P99 in ms."""
        n = sum(value.values())
        if not isfinite(n):
            return gap(self.rate.evidence.active)
        if not value:
            score = self.rate.update(time, Share(0, 0)).score
            return self.recent._replace(score=score, residual=0.0)
        edge, score = self.edge, 0.0
        if edge is not None:
            slow = sum(count for index, count in value.items() if index // _COARSE > edge + _MARGIN)
            score = self.rate.update(time, Share(slow, n)).score
        self._gather(value)
        at = quantile(self.odd, 1 - _TAIL) if self.odd else None
        self._learn(value, 0.1 if self.rate.evidence.suspicious(self.rate.h) else 1.0)
        expected = 0.0 if edge is None else value_of(edge * _COARSE + _COARSE - 1)
        self.recent = Score(score, 0.0 if at is None else at, expected, self._residual(value, n))
        return self.recent

    def _residual(self, value: Mapping[int, int], n: int) -> float:
        """Of how many are in the slowest tenth: a single bucket says too little of P99."""
        above, share = self.upper
        if not share:
            return 0.0
        slow = sum(count for index, count in value.items() if index // _COARSE > above)
        return deviation(slow, n * share)

    def _gather(self, value: Mapping[int, int]) -> None:
        if self.rate.evidence.since is None:
            self.odd = {}
            return
        for index, count in value.items():
            middle = index // _COARSE * _COARSE + _COARSE // 2
            self.odd[middle] = self.odd.get(middle, 0) + count

    def _learn(self, value: Mapping[int, int], learn: float) -> None:
        fresh = self.fresh
        for index, count in value.items():
            fresh[index // _COARSE] = fresh.get(index // _COARSE, 0.0) + count * learn
        self.buckets += 1
        if self.buckets % _EVERY:
            return
        kept = 1.0 - (1.0 - _KEEP) * learn
        bins = {index: weight * kept for index, weight in self.bins.items() if weight > _FORGOTTEN}
        for index, weight in fresh.items():
            bins[index] = bins.get(index, 0.0) + weight
        self.bins, self.weight, self.fresh = bins, sum(bins.values()), {}
        if self.weight >= _WARM:
            self.edge, _ = self._edge(_TAIL)
            self.upper = self._edge(_UPPER)
        else:
            self.edge, self.upper = None, (0, 0.0)

    def _edge(self, most: float) -> tuple[int, float]:
        """The coarse bin above which at most this share of the past lies, and the share that
        does."""
        above = 0.0
        index = 0
        for index in sorted(self.bins, reverse=True):
            if above + self.bins[index] > most * self.weight:
                break
            above += self.bins[index]
        return index, above / self.weight
