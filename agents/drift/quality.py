"""Scores of answers (of judges, people or code): whether they have fallen against the reference. Only the fall is looked for.

Right or wrong is followed with every score, as the shares of :mod:`agents.detectors.shares` are;
marks are compared every ``BLOCK`` scores.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from agents.detectors.e_values import e_value
from agents.detectors.shares import LEAST as LEAST_SINCE
from agents.detectors.shares import change_evidence
from agents.detectors.two_sample import Tested, binary_test, location_test

REFERENCE = 500
LEAST = 50
"""Scores of a reference before anything is compared with it."""
WINDOW = 200
BLOCK = 10
"""Scores after which they are looked at."""
CYCLE = 200
SCALES: Mapping[int, tuple[int, float]] = {25: (1, 0.25), 50: (1, 0.45), 100: (2, 0.15), 200: (4, 0.15)}
"""Scores of the present window -> looked at every so many blocks, with this share of a cycle's evidence."""
FALLS: Mapping[float, float] = {-1.5: 0.7, -3.0: 0.3}
"""As ``shares.SHIFTS``: small falls are harder to see."""
RETURNED = 3
"""Looks in a row at the latest ``RECENT`` scores that find nothing, after which a fall is over."""
RECENT = 50
EXAMPLES = 5


class Drop(msgspec.Struct, array_like=True, gc=False):
    """A fall that was reported. Moments are epoch seconds of event time."""

    since: float
    was: float
    now: float
    p: float
    evidence: float
    response_ids: list[str]
    """Answers with the lowest scores since then."""
    returned: int = 0


class Quality(msgspec.Struct, array_like=True, gc=False):
    """Scores of one judge for one series. ``window``: (time, score, response id)."""

    reference: list[float] = []
    window: list[tuple[float, float, str]] = []
    count: int = 0
    """Scores since the reference was complete enough."""
    evidence: float = 0.0
    drop: Drop | None = None

    def add(self, time: float, score: float, response_id: str, enough: float) -> list[tuple[int, Tested]]:
        """Take the next score; the looks that were due, as (window size, test). ``enough``: evidence that would be reported."""
        if len(self.reference) < LEAST:
            self.reference.append(score)
            return []
        self.window.append((time, score, response_id))
        if len(self.window) > WINDOW:
            _, left, _ = self.window.pop(0)
            if self.drop is None and len(self.reference) < REFERENCE:
                self.reference.append(left)
        self.count += 1
        known, present = np.array(self.reference), np.array([score for _, score, _ in self.window])
        binary = bool(np.isin(known, (0.0, 1.0)).all() and np.isin(present, (0.0, 1.0)).all())
        if binary and self.drop is None:
            starts = np.arange(max(0, len(present) - LEAST_SINCE + 1))
            found = change_evidence(known > 0.5, present > 0.5, starts, learning=len(known) < REFERENCE, shifts=FALLS)
            self.evidence = found / CYCLE
        if self.count % BLOCK:
            return []
        block = self.count // BLOCK
        if (block - 1) % (CYCLE // BLOCK) == 0 and self.drop is None and not binary:
            self.evidence = 0.0
        looks = []
        for size, (every, share) in SCALES.items():
            if block % every or len(self.window) < size:
                continue
            tested = self._compare(size)
            looks.append((size, tested))
            if self.drop is None and not binary:
                weight = share * every * BLOCK / CYCLE
                self.evidence += weight * e_value(tested.p, enough / weight)
            elif self.drop is not None and size == RECENT:
                self.drop.returned = self.drop.returned + 1 if tested.p > 0.05 else 0
                if self.drop.returned >= RETURNED:  # what had fallen is left behind, or it would be told of again
                    self.drop, self.evidence, self.window = None, 0.0, self.window[-RECENT:]
        return looks

    def declare(self) -> Drop:
        """The evidence is enough: say since when and by how much."""
        size = min((size for size in SCALES if len(self.window) >= size), key=lambda size: self._compare(size).p)
        was, low = float(np.mean(self.reference)), float(np.mean([score for _, score, _ in self.window[-size:]]))
        gain = np.array([(was + low) / 2 - score for _, score, _ in self.window])
        after = np.cumsum(gain[::-1])[::-1]
        at = int(np.argmax(after[: max(1, len(after) - BLOCK + 1)]))
        fallen = self.window[at:]
        worst = sorted(fallen, key=lambda item: (item[1], -item[0], item[2]))[:EXAMPLES]
        now = float(np.mean([score for _, score, _ in fallen]))
        self.drop = Drop(fallen[0][0], was, now, self._compare(size).p, self.evidence, [item[2] for item in worst])
        return self.drop

    def _compare(self, size: int) -> Tested:
        """One-sided: p is small if the last ``size`` scores are lower."""
        scores = [score for _, score, _ in self.window]
        learning = self.drop is None and len(self.reference) < REFERENCE
        before = [*self.reference, *scores[:-size]] if learning else self.reference
        values = np.array([*before, *scores[-size:]])
        new = np.arange(len(values)) >= len(before)
        if set(np.unique(values)) <= {0.0, 1.0}:
            found = binary_test(values > 0.5, new)
            return Tested(found.statistic, found.p / 2 if found.statistic < 0 else 1.0)
        return location_test(values, new)
