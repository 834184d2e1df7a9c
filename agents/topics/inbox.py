"""Sampled questions by period of event time, of each series and period those of the smallest ranks.

Stage 1 keeps the smallest of each part of a period, so the smallest of all parts are those of the
whole (bottom-k sampling). A session's rank is uniform, so where k were kept there were about
(k - 1) / (k-th rank / largest), and each stands for its share of these (Cohen and Kaplan,
"Summarizing data using bottom-k sketches", 2007). Where fewer than k came, they are all there were.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from typing import NamedTuple

from schemas.samples import Sample

PERIOD = 30.0
"""Seconds in which stage 1 chooses answers together."""
RANKS = float(2**63)

Series = tuple[str, str]
"""Feature, model."""
Place = tuple[int, str]
"""A period, and a feature in it."""


class Weighed(NamedTuple):
    """A sampled answer, and how many it stands for."""

    sample: Sample
    weight: float


class SampledQuestions:
    """Samples that wait for their period to end. ``most``: per series and period."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._periods: dict[int, dict[Series, list[Sample]]] = {}
        self._known: set[str] = set()
        self._new: list[Sample] = []

    def __len__(self) -> int:
        return len(self._known)

    def put(self, sample: Sample) -> bool:
        """Take a sample that has come; whether it is one of the smallest so far, and no repeat."""
        if not self._hold(sample):
            return False
        self._new.append(sample)
        return True

    def _hold(self, sample: Sample) -> bool:
        if sample.response_id in self._known:
            return False
        series = self._periods.setdefault(period_of(sample), {})
        held = series.setdefault((sample.feature, sample.model), [])
        if len(held) >= self._most:
            if _rank(sample) > _rank(held[-1]):
                return False
            self._known.discard(held.pop().response_id)
        insort(held, sample, key=_rank)
        self._known.add(sample.response_id)
        return True

    def first(self) -> Place | None:
        """The earliest period, and of its features the first; None if nothing waits."""
        if not self._periods:
            return None
        period = min(self._periods)
        return period, min(feature for feature, _ in self._periods[period])

    def take(self, place: Place) -> list[Weighed]:
        """Remove what waits at a place, in order of event time."""
        period, feature = place
        series = self._periods.get(period, {})
        found: list[Weighed] = []
        for key in [key for key in series if key[0] == feature]:
            held = series.pop(key)
            weight = _weight(held[-1].rank, len(held)) if len(held) >= self._most else 1.0
            found += [Weighed(sample, weight) for sample in held]
        if not series:
            self._periods.pop(period, None)
        self._known.difference_update(one.sample.response_id for one in found)
        return sorted(found, key=lambda one: (one.sample.time, one.sample.response_id))

    # Persistence

    def take_changes(self) -> list[Sample]:
        """Those that have come since the last call, and still wait."""
        new, self._new = self._new, []
        return [sample for sample in new if sample.response_id in self._known]

    def all(self) -> Iterator[Sample]:
        """All that wait."""
        for series in self._periods.values():
            for held in series.values():
                yield from held

    def load(self, samples: list[Sample]) -> None:
        """Restore what the above returned."""
        for sample in samples:
            self._hold(sample)

    def drop(self, until: Place) -> None:
        """Forget what was taken: all places up to this one."""
        for place in [
            (period, feature)
            for period, series in self._periods.items()
            for feature in {feature for feature, _ in series}
            if (period, feature) <= until
        ]:
            self.take(place)


def period_of(sample: Sample) -> int:
    """The number of the period that an answer came in."""
    return int(sample.time // PERIOD)


def _weight(rank: int, kept: int) -> float:
    """For how many each of the ``kept`` stands, the largest of whose ranks is ``rank``."""
    return max(1.0, (kept - 1) / kept * RANKS / max(rank, 1))


def _rank(sample: Sample) -> tuple[int, str]:
    return sample.rank, sample.response_id
