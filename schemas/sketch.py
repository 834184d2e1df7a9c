"""Mergeable quantile sketch with a relative error of 1%.

DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019)
reduced to what is needed: logarithmic bins and their counts. Bin ``i`` holds values in (GAMMA**(i-1), GAMMA**i]; its
representative 2*GAMMA**i/(GAMMA+1) is within 1% of each. Merging adds counts, so ClickHouse merges sketches with ``sumMap`` over any
range and dimension; the ``ddsketch`` package keeps the same bins in objects that ClickHouse could not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, log

RELATIVE_ERROR = 0.01
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
LOG_GAMMA = log(GAMMA)
_SCALE = 1 / LOG_GAMMA

ZERO_BIN = -32768
"""Holds values of at most ``SMALLEST``: for latencies in milliseconds these are zero."""
SMALLEST = 0.001
_LARGEST_BIN = 32767

Bins = dict[int, int]


def bin_of(value: float) -> int:
    """The bin of a value. Not-a-number is the caller's to reject."""
    if value <= SMALLEST:
        return ZERO_BIN
    index = ceil(log(value) * _SCALE)
    return index if index < _LARGEST_BIN else _LARGEST_BIN


def value_of(bin_index: int) -> float:
    """The representative of a bin: within 1% of every value in it."""
    if bin_index == ZERO_BIN:
        return 0.0
    return 2 * GAMMA**bin_index / (GAMMA + 1)


def quantile(bins: Mapping[int, int], q: float) -> float | None:
    """The ``q`` quantile (0..1) of all values added, within 1%; None of an empty sketch."""
    total = sum(bins.values())
    if not total:
        return None
    rank = q * (total - 1)
    seen = 0
    for index in sorted(bins):
        seen += bins[index]
        if seen > rank:
            return value_of(index)
    raise AssertionError("counts do not add up")
