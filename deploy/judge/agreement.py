"""Do judges and users agree? Scores of judges beside what users said explicitly of the same responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sklearn.metrics import accuracy_score, cohen_kappa_score, roc_auc_score

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
    None if both always say the same one thing; ``auc``: chance that a liked response has the higher score, None without both kinds."""

    responses: int
    same: float
    kappa: float | None
    auc: float | None


def agreement(rated: Sequence[Rated]) -> Agreement:
    """Of at least one response, by ``sklearn.metrics``."""
    scores, liked = [r.score for r in rated], [r.liked for r in rated]
    judged = [score >= 0.5 for score in scores]
    both = len(set(liked)) == 2
    return Agreement(
        len(rated),
        float(accuracy_score(liked, judged)),
        float(cohen_kappa_score(judged, liked)) if len({*judged, *liked}) == 2 else None,
        float(roc_auc_score(liked, scores)) if both else None,
    )
