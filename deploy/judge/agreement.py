"""Do judges and users agree? Scores of judges beside what users said explicitly of the same responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata  # type: ignore[import-untyped]

SQL = """
SELECT e.name AS name, i.feature AS feature, e.score AS score, f.liked AS liked
FROM
(
    SELECT response_id, name, avg(score) AS score FROM mirante.evaluations WHERE source = 'judge' GROUP BY response_id, name
) AS e
INNER JOIN
(
    SELECT response_id, avg(multiIf(kind = 'thumbs_up', 1, kind = 'thumbs_down', 0, value)) > 0.5 AS liked
    FROM mirante.feedback
    WHERE kind IN ('thumbs_up', 'thumbs_down', 'rating') AND response_id != ''
    GROUP BY response_id
) AS f ON e.response_id = f.response_id
INNER JOIN (SELECT response_id, feature FROM mirante.interactions WHERE response_id != '') AS i ON i.response_id = e.response_id
ORDER BY name, feature, score, liked
"""
"""One row per judged and rated response and criterion."""


class Rated(NamedTuple):
    score: float
    liked: bool


class Agreement(NamedTuple):
    """``same``: share of responses on which judge (score of 0.5 and more) and user agree; ``kappa``: the same beyond chance (Cohen 1960),
    None if one of them always says the same; ``auc``: chance that a liked response has the higher score, None without both kinds."""

    responses: int
    same: float
    kappa: float | None
    auc: float | None


def agreement(rated: Sequence[Rated]) -> Agreement:
    """Of at least one response."""
    n = len(rated)
    same = sum((r.score >= 0.5) == r.liked for r in rated) / n
    judge, users = sum(r.score >= 0.5 for r in rated) / n, sum(r.liked for r in rated) / n
    chance = judge * users + (1 - judge) * (1 - users)
    return Agreement(n, same, None if chance == 1 else (same - chance) / (1 - chance), _auc(rated))


def _auc(rated: Sequence[Rated]) -> float | None:
    """Mann-Whitney's U as a share, ties half."""
    liked = np.array([r.liked for r in rated])
    number, others = int(liked.sum()), int((~liked).sum())
    if not number or not others:
        return None
    ranks = rankdata([r.score for r in rated])[liked]
    return float((ranks.sum() - number * (number + 1) / 2) / (number * others))
