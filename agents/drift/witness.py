"""A second opinion on the numbers and flags of a series: river's detectors, beside the sampled tests.

What they say decides nothing. They say the same after a restart, for they are made anew for each
block, of answers that are kept anyway: those of the window from a multiple of 100 answers on, so
that they have met 100 to 200.

With their word an alarm could ask for less evidence; measured, that finds nothing sooner
(tests/bench/drift_witness.py). KSWIN finds changes in 55 of 10,000 unchanged answers and costs more
than all else that drift does, so it is not among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from agents.detectors.named import spoken
from agents.drift.quality import BLOCK as SCORES
from agents.drift.quality import Quality
from agents.drift.rows import BINARIES, NUMBERS
from agents.drift.series import BLOCK, DriftSeries
from agents.drift.text import Floats

STRIDE = 100
OF_NUMBERS: Mapping[str, str] = {"adwin": "drift.ADWIN", "page_hinkley": "drift.PageHinkley"}
OF_FLAGS: Mapping[str, str] = {"hddm_a": "drift.binary.HDDMA"}
"""Names in the table ``drift`` -> classes of river, with their defaults, but to both sides."""
_BOTH_SIDES = {"drift.binary.HDDMA": {"two_sided_test": True}}
MOST = 20
"""Of a series that are remembered."""


class Heard(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A detector found a change in a metric. ``seq``, ``time``: of the answer with which it did;
    ``heard``: answers it had met."""

    detector: str
    metric: str
    seq: int
    time: float
    heard: int


def remembered(before: list[Heard], new: list[Heard]) -> list[Heard]:
    """The latest."""
    return [*before, *new][-MOST:]


def statements(series: DriftSeries) -> list[Heard]:
    """What is said of the newest block, which has just entered the window."""
    window = series.window
    last = int(window["seq"][-1])
    rows = window[window["seq"] >= last // STRIDE * STRIDE - STRIDE]
    newest = len(rows) - min(BLOCK, len(rows))
    flags = np.where(rows["binaries"] < 0, np.nan, rows["binaries"])
    found = []
    for name, metric, at in (
        *_spoken(OF_NUMBERS, NUMBERS, rows["numbers"]),
        *_spoken(OF_FLAGS, BINARIES, flags),
    ):
        if at >= newest:
            row = rows[at]
            found.append(Heard(name, metric, int(row["seq"]), float(row["time"]), at + 1))
    return found


def _spoken(
    detectors: Mapping[str, str], metrics: tuple[str, ...], values: Floats
) -> Iterator[tuple[str, str, int]]:
    """Detector, metric, and position of each alarm; what does not vary is nothing to listen to."""
    for column, metric in enumerate(metrics):
        series = values[:, column]
        known = series[np.isfinite(series)]
        if not len(known) or (known == known[0]).all():
            continue
        for name, of in detectors.items():
            yield from ((name, metric, at) for at in spoken(of, series.tolist(), **_BOTH_SIDES.get(of, {})))


def statements_on_scores(judge: str, quality: Quality) -> list[Heard]:
    """What is said of the newest block of a judge's scores, after each. ``seq`` counts them."""
    if not quality.count or quality.count % SCORES:
        return []
    first = quality.count - len(quality.window)
    since = max(0, quality.count // STRIDE * STRIDE - STRIDE - first)
    heard = quality.window[since:]
    values = np.array([[score for _, score, _ in heard]]).T
    detectors = OF_FLAGS if np.isin(values, (0.0, 1.0)).all() else OF_NUMBERS
    return [
        Heard(name, metric, first + since + at, heard[at][0], at + 1)
        for name, metric, at in _spoken(detectors, (f"score:{judge}",), values)
        if at >= len(heard) - SCORES
    ]
