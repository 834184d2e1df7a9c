"""One step of learning, taken by river: a logistic regression whose weights grow by AdaGrad (Duchi
et al. 2011).

A label's log-odds are a sum over scopes (all of a partition, the tenant, the series), as in Daumé's
"Frustratingly easy domain adaptation" (ACL 2007): the same features once for each scope. What is
common to many series gathers in the wider scope, because all of them move it; what is peculiar to
one cancels there and stays in its own. Nothing of river outlives a step: weights and sums of
squared gradients are plain numbers that the caller keeps, so state goes to the changelog as it is
and a replay takes the same steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

RATE = 0.15
"""Step of AdaGrad where nothing was learned yet; chosen on the conversations and simulated users of
tests/bench/labels_online.py: .1 follows a change of habits too slowly, .3 forgets what was known."""

Key = tuple[int, str]
"""Of a weight: number of the scope, and the feature."""


class WeightStep(NamedTuple):
    """By how much each weight grows, and its sum of squared gradients then."""

    growth: Mapping[Key, float]
    squares: Mapping[Key, float]


def step(
    log_odds: float,
    features: Mapping[Key, float],
    squares: Mapping[Key, float],
    *,
    satisfied: bool,
    sure: float,
) -> WeightStep:
    """What an answer teaches of which it was thought that it satisfied with ``log_odds``.

    ``features``: of each scope; ``squares``: sums of squared gradients before; ``sure``: how sure
    it is (0 to 1) that the user was ``satisfied``. The same numbers give the same step, to the bit.
    """
    # A worker without labels need not load it.
    from river.linear_model import LogisticRegression
    from river.optim import AdaGrad

    optimizer = AdaGrad(RATE)
    optimizer.g2.update(squares)
    model = LogisticRegression(optimizer, intercept_init=log_odds, intercept_lr=0.0)
    model.learn_one(dict(features), satisfied, w=sure)
    grown = model.weights
    return WeightStep(
        {key: grown[key] for key in features}, {key: optimizer.g2[key] for key in features}
    )
