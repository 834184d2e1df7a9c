"""The models of refusals, each source measured by a model that has seen nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.pipeline import make_pipeline

from training.refusals.model import Calibration, calibrate, fit, logits
from training.refusals.sources import Example
from training.refusals.strings import by_strings

__all__ = ["Measured", "Scores", "figures", "held_out", "probabilities"]

Numbers = NDArray[np.float64]
Scores = dict[str, Numbers]
"""Probabilities by the name of what gave them."""


class Measured(NamedTuple):
    """The answers of one source and language, and what each model says of them."""

    source: str
    language: str
    refused: list[bool]
    scores: Scores


class Figures(NamedTuple):
    """At a threshold of a half; None where there is nothing to divide by."""

    f1: float | None
    auc: float | None
    flagged: float | None
    """Share of the answers that decline nothing."""


def figures(refused: Sequence[bool], scores: Numbers) -> Figures:
    truth, found = np.array(refused), scores >= 0.5
    some, all_ = bool(truth.any()), bool(truth.all())
    return Figures(
        float(f1_score(truth, found)) if some else None,
        float(roc_auc_score(truth, scores)) if some and not all_ else None,
        None if all_ else float(found[~truth].mean()),
    )


def probabilities(scores: Numbers) -> Numbers:
    """Of logits."""
    odds: Numbers = 1.0 / (1.0 + np.exp(-np.clip(scores, -500, 500)))
    return odds


def tfidf(examples: Sequence[Example]) -> Callable[[Sequence[str]], Numbers]:
    """TF-IDF of words and pairs with logistic regression, on what models and people wrote."""
    real = [example for example in examples if example.source != "own sentences"]
    pipeline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        LogisticRegression(C=10.0, class_weight="balanced", solver="liblinear"),
    )
    pipeline.fit([example.text[:1_000] for example in real], [example.refused for example in real])

    def score(texts: Sequence[str]) -> Numbers:
        found: Numbers = pipeline.predict_proba([text[:1_000] for text in texts])[:, 1]
        return found

    return score


def held_out(
    examples: Sequence[Example],
    features: csr_matrix,
    others: Sequence[Example],
    other_features: csr_matrix,
) -> tuple[list[Measured], Calibration, Numbers]:
    """Each source of ``examples`` but our own sentences, scored by models without it in either
    language; then ``others``, which nothing was trained on, by the model of all. With the
    calibration of the first, by which the probabilities are."""
    sources = np.array([example.source for example in examples])
    raw = np.zeros(len(examples))
    words = np.zeros(len(examples))
    names = list(dict.fromkeys(source for source in sources if source != "own sentences"))
    for source in names:
        rest = np.flatnonzero(sources != source).tolist()
        rows = np.flatnonzero(sources == source).tolist()
        kept = [examples[row] for row in rest]
        raw[rows] = logits(fit(features[rest], kept), features[rows])
        words[rows] = tfidf(kept)([examples[row].text for row in rows])
    real = np.flatnonzero(sources != "own sentences").tolist()
    by = calibrate(raw[real], [examples[row].refused for row in real])
    found = probabilities(by[0] * raw + by[1])
    measured = list(_by_source([examples[row] for row in real], found[real], words[real]))
    if others:
        scores = probabilities(logits(fit(features, examples), other_features, by))
        measured += _by_source(
            others, scores, tfidf(examples)([example.text for example in others])
        )
    return measured, by, raw


def _by_source(examples: Sequence[Example], ours: Numbers, words: Numbers) -> Iterator[Measured]:
    keys = [(example.source, example.language) for example in examples]
    for source, language in dict.fromkeys(keys):
        rows = [row for row, key in enumerate(keys) if key == (source, language)]
        texts = [examples[row].text for row in rows]
        scores = {
            "Mirante": ours[rows],
            "phrases": np.array([by_strings(text) for text in texts]),
            "TF-IDF": words[rows],
        }
        yield Measured(source, language, [examples[row].refused for row in rows], scores)
