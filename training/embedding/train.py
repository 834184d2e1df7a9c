"""Makes ``agents/common/embedding.npz``. Run: `python -m training.embedding.train VECTORS`, with
what ``teach.py`` wrote.

A sentence shall lie where the encoder puts it, if its words are summed by their rarity: least
squares on the sentences' vectors, from which the mean of their language is taken (the encoder puts
languages apart) and of which the main components remain. It begins at, and is held near, what the
encoder says of each word alone (distillation as in Tulkens & van Dongen 2024, "Model2Vec", and
Gupta & Jaggi 2021). Vectors of character n-grams are fitted to those of the words, for words that
are not listed. Deterministic.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

from agents.common.embedding import MODEL, grams_of, words_of
from training.embedding.teach import frequencies

DIMENSIONS = 128
COMMON = 3e-4
"""A word that is met so often counts half (the ``a`` of Arora et al. 2017)."""
RAREST = 1e-7
PENALTY = 1.0
STEPS = 25
"""Of conjugate gradients: to stop early regularises too."""
BUCKETS = 8_192
GRAM_PENALTY = 0.3
LEVELS = 127

Floats = NDArray[np.float32]


def unit(rows: Floats) -> Floats:
    """Rows of length 1."""
    found: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9)
    return found


def least_squares(x: Any, y: Floats, start: Floats, penalty: float, steps: int = STEPS) -> Floats:
    """What multiplied by ``x`` gives ``y`` and stays near ``start``: conjugate gradients (Hestenes
    & Stiefel 1952), preconditioned by the diagonal, all columns at once."""
    transposed = x.T.tocsr()
    diagonal = np.asarray(x.multiply(x).sum(axis=0)).reshape(-1, 1) + penalty
    found, residual = np.zeros_like(start), transposed @ (y - x @ start)
    direction = preconditioned = residual / diagonal
    fit = (residual * preconditioned).sum(axis=0)
    for _ in range(steps):
        image = transposed @ (x @ direction) + penalty * direction
        step = fit / (direction * image).sum(axis=0).clip(1e-12)
        found, residual = found + step * direction, residual - step * image
        preconditioned = residual / diagonal
        fit, before = (residual * preconditioned).sum(axis=0), fit
        direction = preconditioned + fit / before.clip(1e-12) * direction
    return start + found


def shares(listed: Sequence[str]) -> dict[str, float]:
    """How often each word is met, without accents: in the language that has it more often."""
    found: dict[str, float] = dict.fromkeys((f for word in listed for f in words_of(word)), RAREST)
    for of in frequencies().values():
        summed: dict[str, float] = {}
        for word, share in of.items():
            for folded in words_of(word):
                summed[folded] = summed.get(folded, 0.0) + share
        for word in found:
            found[word] = max(found[word], summed.get(word, 0.0))
    return found


def word_vectors(listed: Sequence[str], vectors: Floats, share: dict[str, float]) -> Floats:
    """A row for each word of ``share``: the mean of those that are the same without accents."""
    place = dict(zip(share, range(len(share)), strict=True))
    found = np.zeros((len(share), vectors.shape[1]), np.float32)
    for word, vector in zip(listed, vectors, strict=True):
        for folded in words_of(word)[:1]:
            found[place[folded]] += vector
    return unit(found)


def rows(texts: Sequence[str], share: dict[str, float]) -> Any:
    """Each text as the weights of its words, which together have length 1."""
    place = dict(zip(share, range(len(share)), strict=True))
    weights = {word: COMMON / (COMMON + often) for word, often in share.items()}
    indices: list[int] = []
    starts, data = [0], []
    for text in texts:
        known = [word for word in words_of(text) if word in place]
        values = np.array([weights[word] for word in known], np.float32)
        indices += [place[word] for word in known]
        data.append(values / max(float(np.sqrt(values @ values)), 1e-9))
        starts.append(len(indices))
    found = csr_matrix((np.concatenate(data), indices, starts), (len(texts), len(share)))
    found.sum_duplicates()
    return found


def gram_rows(words: Sequence[str]) -> Any:
    """Each word as the mean of its n-grams' buckets."""
    each = [grams_of(word, BUCKETS) for word in words]
    starts = np.cumsum([0, *map(len, each)])
    data = np.repeat(1 / np.diff(starts), np.diff(starts)).astype(np.float32)
    found = csr_matrix((data, np.concatenate(each), starts), (len(words), BUCKETS))
    found.sum_duplicates()
    return found


def quantised(values: Floats) -> tuple[NDArray[np.int8], Floats]:
    """As bytes, and what to multiply each column by; a few values may be cut off."""
    scale = (np.quantile(np.abs(values), 0.9995, axis=0) / LEVELS).astype(np.float32)
    return np.round(values / scale).clip(-LEVELS, LEVELS).astype(np.int8), scale


def main(vectors: str) -> None:
    """Write the arrays."""
    with np.load(vectors) as file:
        listed, sentences = file["words"].tolist(), file["sentences"].tolist()
        alone, said = (file[f"{n}_vectors"].astype(np.float32) for n in ("word", "sentence"))
        portuguese = file["portuguese"]
    for part in (portuguese, ~portuguese):
        said[part] -= said[part].mean(axis=0)
    components = np.linalg.eigh(said.T @ said)[1][:, ::-1][:, :DIMENSIONS]
    target = unit(said @ components)
    share = shares(listed)
    start = unit(word_vectors(listed, alone - alone.mean(axis=0), share) @ components)
    x = rows(sentences, share)
    first = x @ start
    start *= float((first * target).sum() / (first * first).sum())
    found = least_squares(x, target, start, PENALTY)
    nothing = np.zeros((BUCKETS, DIMENSIONS), np.float32)
    grams = least_squares(gram_rows(list(share)), found, nothing, GRAM_PENALTY)
    words_of_bytes = np.frombuffer("\n".join(share).encode(), np.uint8)
    of_words, scale = quantised(found)
    of_grams, gram_scale = quantised(grams)
    rarity = -np.log10(list(share.values())).astype(np.float16)
    np.savez_compressed(
        MODEL,
        words=words_of_bytes,
        vectors=of_words,
        scale=scale,
        grams=of_grams,
        gram_scale=gram_scale,
        rarity=rarity,
        common=np.float32(COMMON),
    )
    print(f"{len(share)} words, {MODEL.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
