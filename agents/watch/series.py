"""One series of a watch: its intervals, one after the other, before its detector."""

from __future__ import annotations

from collections.abc import Collection
from math import ceil, fsum, nan

import msgspec

from agents.detectors.detector import Score
from agents.detectors.named import RiverDetector
from agents.detectors.points import PointDetector
from agents.watch.settings import Watch


class FollowedSeries(msgspec.Struct, array_like=True, gc=False):
    """``kind``: of its watch. ``last``: end of the latest interval that was judged; ``heard``: of
    the latest that had values. The detector is one of the two."""

    kind: str
    last: int = 0
    heard: int = 0
    points: PointDetector | None = None
    river: RiverDetector | None = None

    @classmethod
    def of(cls, watch: Watch) -> FollowedSeries:
        """A new one."""
        detector = watch.new_detector()
        if isinstance(detector, PointDetector):
            return cls(watch.kind, points=detector)
        return cls(watch.kind, river=detector)

    def judge(self, end: int, value: float, heard: bool) -> Score:
        """The number of the interval before ``end`` (epoch seconds); ``heard``: it had values."""
        self.last = end
        self.heard = end if heard or not self.heard else self.heard
        detector = self.points or self.river
        assert detector is not None
        return detector.update(float(end), value)


def together(watch: Watch, values: Collection[float]) -> float:
    """The number of an interval, whatever the order of its values; NaN where it has none."""
    if watch.aggregate == "count":
        return float(len(values))
    if watch.aggregate == "sum":
        return fsum(values)
    if len(values) < watch.least:
        return nan
    if watch.aggregate == "mean":
        return fsum(values) / len(values)
    return sorted(values)[ceil(0.99 * len(values)) - 1]
