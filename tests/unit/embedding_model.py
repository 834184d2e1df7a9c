"""A small real embedding model to plug in: latent semantic analysis of word counts. And some that are none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.pipeline import make_pipeline

from tests.unit.drift_data import _FACTS

_model = make_pipeline(HashingVectorizer(n_features=4_096), TruncatedSVD(8, random_state=0))
_model.fit([fact.format(subject) for facts in _FACTS.values() for fact in facts.split("|") for subject in ("order", "pedido", "invoice")])

NUMBER = 3


def embed(texts: list[str]) -> NDArray[np.float32]:
    return np.asarray(_model.transform(texts), np.float32)


def wide(texts: list[str]) -> NDArray[np.float32]:
    return np.hstack([embed(texts)] * 50)


def flat(texts: list[str]) -> NDArray[np.float32]:
    return np.zeros(len(texts), np.float32)


def without_numbers(texts: list[str]) -> NDArray[np.float32]:
    return np.full((len(texts), 4), np.nan, np.float32)


def only_short(texts: list[str]) -> NDArray[np.float32]:
    if max(map(len, texts)) > 40:
        raise RuntimeError("too long")
    return np.ones((len(texts), 4), np.float32)
