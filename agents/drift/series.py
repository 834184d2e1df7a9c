"""What is kept of a series: a reference of at most ``REFERENCE`` answers, the last ``WINDOW``, and what does not fill a block yet.

The reference is learned from the beginning: answers that leave the window without an alarm enter it, until it spans a working day and
a day of a weekend (UTC). Then it is frozen, each kind of day by itself. It is spread over the hours of both, and a present window is
compared with the reference answers of the same kind of day that are nearest to it in time of day, so that what returns every day or every
Saturday is no drift. Whole sessions are given up when it is full, those with the largest hash, of the fullest hour.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.detectors.two_sample import Bools, Floats
from agents.drift.rows import CATEGORIES, ROW, Rows, empty_rows, recoded, row_of
from agents.drift.text import Small
from schemas.samples import Sample

BLOCK = 25
"""Answers after which a series is looked at."""
WINDOW = 200
REFERENCE = 288
COMPARED = (90, 200)
"""Reference answers that are compared: at least, and at most."""
LEAST = 75
"""Answers of a reference before anything is compared with it."""
FAR = 2.5 * 3_600.0
"""Seconds from the usual time of day beyond which nothing is compared before a reference spans a day."""
UNLIKE = 0.15
"""Difference between the shares of weekend answers on both sides beyond which nothing is compared: such days are not known yet."""
LEARNING = 86_400.0
"""Seconds of event time of a kind of day after whose passing its reference is frozen."""
EXAMPLES = 12
EXCERPT = 240
"""Characters of an answer that are kept of the latest and of a few reference answers, to show what moved."""

_WEEK, _DAY, _HOUR = 604_800.0, 86_400.0, 3_600.0


class Example(msgspec.Struct, array_like=True, gc=False):
    seq: int
    response_id: str
    excerpt: str


class KeptSeries(msgspec.Struct, gc=False, array_like=True):
    """What is kept besides the rows. ``version``: of the reference, from 1; ``inherited``: of which model it was taken over, whole."""

    next: int = 0
    version: int = 1
    begun: float = 0.0
    """Time of the first answer of the reference."""
    inherited: str = ""
    names: list[list[str]] = msgspec.field(default_factory=lambda: [[] for _ in CATEGORIES])
    before: list[Example] = []
    after: list[Example] = []
    features: str = ""
    """How the rows were made (see ``rows.FEATURES``); such of another make cannot be compared."""


class DriftSeries:
    """The rows of one series."""

    def __init__(self, kept: KeptSeries | None = None) -> None:
        self.kept = kept or KeptSeries()
        self.reference = empty_rows()
        self.window = empty_rows()
        self.block = empty_rows()
        self.fresh: list[Rows] = []
        """Rows that no checkpoint holds yet."""

    @property
    def last(self) -> float:
        """Time of the latest answer."""
        rows = self.block if len(self.block) else self.window
        return float(rows["time"][-1]) if len(rows) else 0.0

    @property
    def frozen(self) -> bool:
        """Whether it is known what is usual on days such as that of the latest answer."""
        return bool(self._known(self.window["time"][-1:]).any())

    def _known(self, times: Floats) -> Bools:
        """Which of these moments are of a kind of day of which a whole day had been learned."""
        weekend = _weekend_before(times) - _weekend_before(self.kept.begun)
        since = np.where(_weekend(times), weekend, times - self.kept.begun - weekend)
        found: Bools = (since >= LEARNING) | bool(self.kept.inherited)
        return found

    def inherit(self, other: DriftSeries, model: str) -> None:
        """Begin with another model's reference: this series is to take its place."""
        old = other.reference if other.frozen else np.concatenate([other.reference, other.window])
        self.reference = recoded(old[-REFERENCE:], other.kept.names, self.kept.names)
        self.reference["seq"] = np.arange(len(self.reference))
        self.fresh = [self.reference]
        kept = self.kept
        kept.next, kept.inherited, kept.begun = len(self.reference), model, other.kept.begun
        kept.before = [*other.kept.before, *other.kept.after][-EXAMPLES:]

    def add(self, sample: Sample, embedded: Small | None = None) -> bool:
        """Take the next answer; whether a block is full, which ``roll`` then moves on."""
        kept = self.kept
        if not kept.next:
            kept.begun = sample.time
        row = row_of(sample, kept.next, kept.names, embedded)
        self.fresh.append(row)
        self.block = np.concatenate([self.block, row])
        kept.after.append(Example(kept.next, sample.response_id, sample.answer[:EXCERPT]))
        del kept.after[: -2 * EXAMPLES]
        kept.next += 1
        return len(self.block) >= BLOCK

    def roll(self, learn: bool) -> None:
        """The block enters the window; what leaves that enters the reference if there is something to ``learn``."""
        rows = np.concatenate([self.window, self.block])
        self.block = empty_rows()
        kept = self.kept
        if not len(self.reference) and len(rows) >= LEAST:
            self.reference, rows = rows[:LEAST], rows[LEAST:]
            kept.before = kept.after[:EXAMPLES]
        left, self.window = rows[: max(0, len(rows) - WINDOW)], rows[-WINDOW:]
        if learn:
            self.reference = _thinned(np.concatenate([self.reference, left[~self._known(left["time"])]]))

    def compared(self, size: int, *, anyway: bool = False) -> tuple[Rows, Rows] | None:
        """Reference answers and the last ``size``; None if there are too few of either or, unless ``anyway``, it is not known yet what is
        usual at this time of day or on such a day."""
        if len(self.window) < size:
            return None
        new, before = self.window[-size:], self.window[:-size]
        pool = np.concatenate([self.reference, before[~self._known(before["time"])]])
        if len(pool) < LEAST:
            return None
        old, away = nearest(pool, new)
        unlike = abs(float(_weekend(old["time"]).mean() - _weekend(new["time"]).mean()))
        if not anyway and (unlike > UNLIKE or (away > FAR and not self.frozen)):
            return None
        return old, new

    def renew(self, since: int) -> None:
        """What has come since then (a ``seq``) is the new reference; learn it."""
        kept = self.kept
        rows = np.concatenate([self.window, self.block])
        rows = rows[rows["seq"] >= since]
        kept.version += 1
        kept.inherited = ""
        kept.begun = float(rows["time"][0]) if len(rows) else self.last
        self.reference, self.window, self.block = empty_rows(), empty_rows(), rows[len(rows) // BLOCK * BLOCK :]
        kept.before = []
        full = rows[: len(rows) // BLOCK * BLOCK]
        if len(full) >= LEAST:
            self.reference, self.window = full[:LEAST], full[LEAST:]
            kept.before = kept.after[:EXAMPLES]
        else:
            self.window = full

    # Persistence

    def rows(self) -> Rows:
        """All rows that are kept: reference, window, and the block that is not full yet."""
        return np.concatenate([self.reference, self.window, self.block])

    def load(self, rows: Rows, reference: NDArray[np.int32], window: NDArray[np.int32], block: NDArray[np.int32]) -> None:
        """Rows that are new, and the ``seq`` of those in each place."""
        known = {int(row["seq"]): row for row in np.concatenate([self.rows(), rows])}
        self.reference, self.window, self.block = (
            np.array([known[seq] for seq in place.tolist()], ROW) for place in (reference, window, block)
        )
        self.fresh = []


def nearest(pool: Rows, new: Rows) -> tuple[Rows, float]:
    """The rows of a pool nearest in time of day, on the same kind of day, to any of the new ones, and how far the median of them is from
    the new ones' middle."""
    least, most = COMPARED
    times, some = pool["time"], new["time"][::5]
    away = np.abs((times[:, None] - some + _DAY / 2) % _DAY - _DAY / 2)
    away = np.where(_weekend(times)[:, None] == _weekend(some), away, away + _DAY).min(axis=1)
    number = int(np.clip(np.count_nonzero(away <= 2 * _HOUR), least, most))
    # of equally near ones a random choice of sessions
    order = np.sort(np.lexsort((pool["session"], away // (_HOUR / 2)))[:number])
    found: Rows = pool[order]
    middle = float(np.median(new["time"]))
    return found, float(np.median(np.abs((found["time"] - middle + _DAY / 2) % _DAY - _DAY / 2)))


def _weekend(times: Floats) -> Bools:
    """Whether these are on a Saturday or Sunday, UTC; the epoch began on a Thursday."""
    found: Bools = (times + 3 * _DAY) % _WEEK >= 5 * _DAY
    return found


def _weekend_before(times: Floats | float) -> Floats:
    """Seconds of weekends before these moments."""
    weeks, rest = np.divmod(np.asarray(times) + 3 * _DAY, _WEEK)
    found: Floats = weeks * 2 * _DAY + np.maximum(rest - 5 * _DAY, 0.0)
    return found


def _thinned(rows: Rows) -> Rows:
    excess = len(rows) - REFERENCE
    if excess <= 0:
        return rows
    hours = (rows["time"] % _DAY // _HOUR).astype(np.int64) + 24 * _weekend(rows["time"])
    counts = np.bincount(hours, minlength=48)
    gone = np.zeros(len(rows), bool)
    order: dict[int, list[int]] = {}
    for at in np.lexsort((rows["seq"], rows["session"])).tolist():
        order.setdefault(int(hours[at]), []).append(at)
    for _ in range(excess):
        hour = int(np.argmax(counts))
        gone[order[hour].pop()] = True
        counts[hour] -= 1
    kept: Rows = rows[~gone]
    return kept
