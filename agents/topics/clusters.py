"""Vectors into clusters, batch by batch: k-means whose number of clusters follows the data.

A vector too far from every centre founds a cluster (DP-means: Kulis and Jordan, "Revisiting
k-means", 2012), centres move as in mini-batch k-means (Sculley, "Web-scale k-means clustering",
2010), which is scikit-learn's ``MiniBatchKMeans.partial_fit``, and two centres that have come close
are one. Nothing is random, and nothing is kept but centres and weights: an estimator is made of
them for each batch, so a state restored learns as one that went on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from threadpoolctl import ThreadpoolController

Floats = NDArray[np.float32]
Places = NDArray[np.intp]

MOST = 500.0
"""Vectors that a centre weighs at most: beyond it, it follows what comes."""


_POOLS = ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """For batches so small that threads would only wait for each other."""
    with _POOLS.limit(limits=1):
        yield


def nearest(centres: Floats, vectors: Floats) -> tuple[Places, Floats]:
    """For each vector (n, d), all of length 1: the nearest of the centres (k, d), k > 0, and its
    cosine to it."""
    squares: Floats = np.einsum("kd,kd->k", centres, centres)
    places: Places = (2 * vectors @ centres.T - squares).argmax(axis=1)
    products: Floats = np.einsum("nd,nd->n", vectors, centres[places])
    return places, products / np.sqrt(squares[places]).clip(min=1e-9)


def taught(centres: Floats, weights: NDArray[np.float64], vectors: Floats) -> Floats:
    """Centres (k, d) that weigh ``weights`` (k,) after ``vectors`` (n, d), each of which moves the
    nearest one. The centres themselves, with their weights, are the first batch."""
    learner = MiniBatchKMeans(
        len(centres), init=centres, n_init=1, reassignment_ratio=0.0, compute_labels=False
    )
    if weights.any():
        learner.partial_fit(centres, sample_weight=weights.clip(max=MOST))
    learner.partial_fit(vectors)
    found: Floats = learner.cluster_centers_
    return found


def closest(centres: Floats, moved: list[int], least: float) -> tuple[int, int] | None:
    """The two centres most alike, one of them of ``moved``, if their cosine is ``least`` or more;
    the first of equals."""
    lengths: Floats = np.linalg.norm(centres, axis=1, keepdims=True).clip(min=1e-9)
    units = centres / lengths
    cosines = units[moved] @ units.T
    cosines[range(len(moved)), moved] = -1.0
    row, other = divmod(int(cosines.argmax()), len(centres))
    return (moved[row], other) if cosines[row, other] >= least else None
