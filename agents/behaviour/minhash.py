"""MinHash signatures of small sets, and the bands by which like ones find each other (Broder 1997; Leskovec, Rajaraman and Ullman, "Mining
of Massive Datasets", ch. 3.4).

`datasketch` does the same with objects of its own for signature and index; here a signature is one numpy expression, and the index a
dictionary that is rebuilt from the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

import numpy as np

BANDS, ROWS = 10, 3
"""Hash functions in bands: sets with a Jaccard index of 0.8 share a band with probability 0.999, with 0.6 with 0.91, with 0.2 with 0.08."""

_random = np.random.default_rng(20260301)
_FACTORS = (_random.integers(1, 2**62, BANDS * ROWS, dtype=np.uint64) * 2 + 1)[:, None]
_ADDENDS = _random.integers(0, 2**62, BANDS * ROWS, dtype=np.uint64)[:, None]
_MIX = _random.integers(1, 2**62, ROWS, dtype=np.uint64) * 2 + 1
_SHIFT = np.uint64(32)

Band = tuple[int, int]
"""Which band, and its value."""


def bands(features: Iterable[str]) -> list[Band]:
    """The bands of a set; sets that share one are candidates."""
    hashes = np.array([crc32(feature.encode("utf-8", "replace")) for feature in features], dtype=np.uint64)
    if not hashes.size:
        return []
    signature = ((_FACTORS * (hashes + np.uint64(1)) + _ADDENDS) >> _SHIFT).min(axis=1)
    return list(enumerate((signature.reshape(BANDS, ROWS) * _MIX).sum(axis=1).tolist()))
