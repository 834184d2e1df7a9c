"""Whether the share of a binary (refusals, errors, invalid outputs) has changed: asked after every
answer, at no price for asking.

A Shiryaev-Roberts e-detector (Shin, Ramdas & Rinaldo, "E-detectors: a nonparametric framework for
sequential change detection", NEJSDS 2024): the sum, over every answer at which a change may have
begun, of an e-process against "the share is that of the reference". Its expectation grows by at
most 1 per answer while nothing changes, so an alarm at ``c`` comes after ``c`` answers on average,
or later.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, expit, logit  # type: ignore[import-untyped]

from agents.detectors.two_sample import Bools, inflation

SHIFTS: Mapping[float, float] = {-3.0: 0.1, -1.5: 0.2, 1.5: 0.45, 3.0: 0.25}
"""Log odds ratio a change is looked for with -> how much is staked on it: what breaks rises. One
between two of them loses little."""
LEAST = 8
"""Answers before and since a change that are enough to compare."""


def change_evidence(
    reference: Bools,
    present: Bools,
    starts: NDArray[np.int64],
    *,
    learning: bool,
    shifts: Mapping[float, float] = SHIFTS,
) -> float:
    """Sum of the e-values of "changed at present[k]" over ``starts``. While ``learning``, what came
    before ``k`` is reference as well.

    An e-value is the likelihood of what came since, with the reference's odds shifted, over its
    Beta-binomial prediction from the reference, which allows for how little that may know. Its root
    is taken if neighbours are alike on both sides of the likeliest change (see ``inflation``).
    """
    starts = starts[
        (len(present) - starts >= LEAST) & (len(reference) + learning * starts >= LEAST)
    ]
    if not len(starts) or len({*present.tolist(), *reference.tolist()}) < 2:
        return 0.0
    hits = np.concatenate([[0], np.cumsum(present)])
    since, hit = len(present) - starts, hits[-1] - hits[starts]
    known, known_hit = (
        len(reference) + learning * starts,
        int(reference.sum()) + learning * hits[starts],
    )
    usual = logit((known_hit + 0.5) / (known + 1.0))
    shares = expit(usual[:, None] + np.array(list(shifts)))
    stakes = np.log(list(shifts.values()))
    shifted = np.logaddexp.reduce(
        hit[:, None] * np.log(shares) + (since - hit)[:, None] * np.log1p(-shares) + stakes, axis=1
    )
    a, b = known_hit + 0.5, known - known_hit + 0.5
    predicted = betaln(a + hit, b + since - hit) - betaln(a, b)
    gain = shifted - predicted
    both = np.concatenate([reference, present]).astype(float)
    alike = inflation(both, np.arange(len(both)) >= len(reference) + starts[int(np.argmax(gain))])
    return float(np.exp(np.minimum(gain / alike, 600.0)).sum())
