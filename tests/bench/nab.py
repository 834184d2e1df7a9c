"""The scoring of the Numenta Anomaly Benchmark, standard profile: https://arxiv.org/abs/1510.03336.

A file has *windows* around its labelled anomalies. The first detection in a window earns up to 1, the earlier the more; a window without
one costs 1; every detection outside costs 0.11 (less just after a window). The first 15% of a file (750 rows at most) are not judged. One
threshold serves all files: the best one. 100 is a perfect detector, 0 one that never says anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

FALSE_POSITIVE = 0.11
"""What one costs, as a share of a missed window."""
_PROBATION, _MOST_PROBATION = 0.15, 750


@dataclass(frozen=True)
class Labelled:
    """A series with windows of row numbers, both ends included. ``times`` are epoch seconds."""

    name: str
    times: Array
    values: Array
    windows: tuple[tuple[int, int], ...]

    @property
    def family(self) -> str:
        return self.name.split("/")[0]


class Result(NamedTuple):
    """``score``: 0 to 100 (negative if worse than saying nothing)."""

    score: float
    threshold: float
    found: int
    windows: int
    false_positives: int


def scaled_sigmoid(position: float) -> float:
    """Of a position relative to a window: -1 is its first row, 0 its end, more lies behind it."""
    return -1.0 if position > 3.0 else 2.0 / (1.0 + exp(5.0 * position)) - 1.0


def probation(rows: int) -> int:
    """How many rows at the start are not judged."""
    return min(int(_PROBATION * rows), _MOST_PROBATION)


def row_values(series: Labelled) -> tuple[Array, npt.NDArray[np.int64]]:
    """What a detection at each row is worth, and the window it lies in: its number, -1 outside, -2 while on probation."""
    n = len(series.values)
    worth, window = np.full(n, -FALSE_POSITIVE), np.full(n, -1)
    best = scaled_sigmoid(-1.0)
    for number, (first, last) in enumerate(series.windows):
        width = last - first + 1
        following = series.windows[number + 1][0] if number + 1 < len(series.windows) else n
        for row in range(first, last + 1):
            worth[row] = scaled_sigmoid(-(last - row + 1) / width) / best
            window[row] = number
        for row in range(last + 1, following):
            worth[row] = FALSE_POSITIVE * scaled_sigmoid((row - last) / max(width - 1, 1))
    window[: probation(n)] = -2
    return worth, window


def evaluate(scores: Mapping[str, Array], corpus: Sequence[Labelled], threshold: float | None = None) -> Result:
    """``scores``: by name of the series, one in [0, 1] per row. Without ``threshold`` the best one for all files is taken, as NAB does."""
    rows: list[tuple[float, float, int]] = []
    total = 0
    for series in corpus:
        worth, window = row_values(series)
        judged = window > -2
        ids = np.where(window >= 0, window + total, -1)
        total += len(series.windows)
        rows += zip(scores[series.name][judged].tolist(), worth[judged].tolist(), ids[judged].tolist(), strict=True)
    rows.sort(key=lambda row: -row[0])
    best: dict[int, float] = {}
    raw, false_positives = -float(total), 0
    chosen = Result(0.0, 1.1, 0, total, 0)
    for at, (score, worth, window) in enumerate(rows):
        if threshold is not None and score < threshold:
            break
        if window < 0:
            raw += worth
            false_positives += 1
        else:
            before = best.get(window, -1.0)
            best[window] = max(before, worth)
            raw += best[window] - before
        if at + 1 < len(rows) and rows[at + 1][0] == score:
            continue
        # Perfect is 1 for each window, saying nothing is -1.
        now = Result(100 * (raw + total) / (2 * max(total, 1)), score, len(best), total, false_positives)
        if threshold is not None or now.score > chosen.score:
            chosen = now
    return chosen
