"""How the model of refusals is fitted and calibrated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression

from agents.common.ngram_model import NgramModel, TextShape, View
from agents.inspection.text.refusal import looked_at
from training.refusals.sources import Example

__all__ = ["SHAPE", "Calibration", "calibrate", "fit", "logits", "matrix"]

SHAPE: Final = TextShape(
    views=(View(part="whole", words=(1, 2, 3)), View(part="first", words=(1, 2, 3))),
    bits=18,
    head=400,
    tail=200,
    least=120,
)
KEPT: Final = 60_000
"""Weights that ship, of those that are not zero."""
_STRENGTH: Final = 30.0
"""Inverse of the L2 penalty."""
_OWN: Final = 0.5
"""Weight of one of our own sentences, beside an answer that a model wrote."""
_PORTUGUESE: Final = 2.0
"""Weight of a refusal in Portuguese, of which there are fewer."""
_PRIOR: Final = 1 / 4
"""Share of refusals among the answers of which a half is said where the model is not sure."""

Numbers = NDArray[np.float64]
Calibration = tuple[float, float]
"""Slope and intercept of the logit (Platt 1999)."""


def matrix(examples: Sequence[Example]) -> csr_matrix:
    """A row of features for each of ``examples``."""
    rows = [SHAPE.features(looked_at(example.text)) for example in examples]
    starts = np.concatenate(([0], np.cumsum([len(slots) for slots, _ in rows])))
    slots = np.concatenate([slots for slots, _ in rows]).astype(np.int32)
    values = np.concatenate([values for _, values in rows])
    return csr_matrix((values, slots, starts), shape=(len(rows), 1 << SHAPE.bits))


def fit(features: csr_matrix, examples: Sequence[Example]) -> LogisticRegression:
    """Logistic regression (L2)."""
    weights = [
        (_OWN if example.source == "own sentences" else 1.0)
        * (_PORTUGUESE if example.refused and example.language == "pt" else 1.0)
        for example in examples
    ]
    return LogisticRegression(
        C=_STRENGTH, solver="liblinear", dual=True, tol=1e-3, max_iter=2_000, random_state=0
    ).fit(features, [example.refused for example in examples], sample_weight=weights)


def logits(
    classifier: LogisticRegression, features: csr_matrix, by: Calibration = (1.0, 0.0)
) -> Numbers:
    found: Numbers = classifier.decision_function(features)
    return by[0] * found + by[1]


def calibrate(scores: Numbers, refused: Sequence[bool]) -> Calibration:
    """What makes of logits of answers not trained on those of a mix in which one in four declines."""
    platt = LogisticRegression(C=1e6, class_weight="balanced").fit(scores.reshape(-1, 1), refused)
    return float(platt.coef_[0, 0]), float(platt.intercept_[0]) + math.log(_PRIOR / (1 - _PRIOR))


def exported(classifier: LogisticRegression, by: Calibration) -> NgramModel:
    """The arrays that ship, calibrated."""
    slope, intercept = by
    return NgramModel.fitted(
        SHAPE,
        slope * float(classifier.intercept_[0]) + intercept,
        slope * classifier.coef_[0],
        KEPT,
    )
