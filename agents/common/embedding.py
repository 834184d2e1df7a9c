"""Texts as vectors, in English and Portuguese: what each word means, weighted by how rare it is.

A *static* embedding: every word has one vector, and a text is their weighted mean (Arora et al.
2017, "A simple but tough-to-beat baseline for sentence embeddings"). The vectors are distilled from
a sentence encoder (``training/embedding/``, card: ``EMBEDDING.md``) and of a sentence's main
components only. A word that is not listed is the mean of its character n-grams (Bojanowski et al.
2017). Tens of microseconds a text, no dependency but numpy, and the same text always has the same
vector, whatever is read beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import IO
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from agents.inspection.folding import in_ascii

Floats = NDArray[np.float32]
Places = NDArray[np.intp]

MODEL = Path(__file__).with_name("embedding.npz")

MAX_CHARS = 4_000
"""What is read of a text."""
GRAMS = (3, 4, 5)
"""Lengths of a word's n-grams; ``<`` and ``>`` mark its beginning and end."""
LONGEST = 24
"""Characters of a word that are looked at when it is not listed."""

_WORDS = re.compile("[a-z0-9]+").findall


def words_of(text: str) -> list[str]:
    """The words of the first ``MAX_CHARS`` characters: lower case, without accents."""
    text = text[:MAX_CHARS]
    return _WORDS((text if text.isascii() else in_ascii(text)).lower())


def grams_of(word: str, buckets: int) -> list[int]:
    """The buckets of a word's character n-grams."""
    marked = f"<{word[:LONGEST]}>".encode()
    grams = [marked[at : at + size] for size in GRAMS for at in range(len(marked) - size + 1)]
    return [crc32(gram) % buckets for gram in dict.fromkeys(grams)]


class StaticEmbedding:
    """The arrays of ``embedding.npz`` at work.

    ``vectors``: a row for each word met, float32 (n, dimensions), not of length 1: how much a word
    matters is in its length. ``weights``: what a row counts in a text, 0 to 1, less for common
    words; ``rarity``: the same as -log10 of how often the word is met; ``lengths``: of the vectors.
    Words that are not listed get rows of their own, ``KEPT`` at most; then these are forgotten and
    made anew.
    """

    KEPT = 20_000

    def __init__(self, source: Path | IO[bytes] = MODEL) -> None:
        with np.load(source, allow_pickle=False) as file:
            listed = file["words"].tobytes().decode().split("\n")
            scale = file["scale"].astype(np.float32)
            vectors = file["vectors"].astype(np.float32) * scale
            self._grams = file["grams"].astype(np.float32) * file["gram_scale"].astype(np.float32)
            rarity = file["rarity"].astype(np.float32)
            common = float(file["common"])
        self.dimensions: int = vectors.shape[1]
        self.listed = len(listed)
        """Rows from here on are of words that are not listed."""
        self._listed = dict(zip(listed, range(len(listed)), strict=True))
        self._places = dict(self._listed)
        size = len(listed) + self.KEPT
        self.vectors: Floats = np.zeros((size, self.dimensions), np.float32)
        self.vectors[: len(listed)] = vectors
        self.lengths: Floats = np.ones(size, np.float32)
        self.lengths[: len(listed)] = np.linalg.norm(vectors, axis=1).clip(min=1e-9)
        # A word that is not listed is rarer than any that is.
        self.rarity: Floats = np.full(size, rarity.max(), np.float32)
        self.rarity[: len(listed)] = rarity
        self.weights: Floats = (common / (common + 10.0**-self.rarity)).astype(np.float32)

    def places(self, words: Sequence[str]) -> Places:
        """The row of each word. They hold until the next call."""
        if len(self._places) + len(words) > len(self.vectors):
            self._places = dict(self._listed)
            words = words[: self.KEPT]
        found = self._places
        try:
            return np.fromiter(map(found.__getitem__, words), np.intp, len(words))
        except KeyError:
            self._meet(word for word in words if word not in found)
        return np.fromiter(map(found.__getitem__, words), np.intp, len(words))

    def _meet(self, words: Iterable[str]) -> None:
        """Give rows to words that have none."""
        new = list(dict.fromkeys(words))
        grams = [grams_of(word, len(self._grams)) for word in new]
        sizes = np.fromiter(map(len, grams), np.intp, len(new))
        every = self._grams.take(list(chain.from_iterable(grams)), 0)
        vectors = np.add.reduceat(every, np.cumsum(sizes) - sizes, axis=0)
        vectors /= sizes[:, None].astype(np.float32)
        rows = slice(len(self._places), len(self._places) + len(new))
        self.vectors[rows] = vectors
        self.lengths[rows] = np.linalg.norm(vectors, axis=1).clip(min=1e-9)
        self._places.update(zip(new, range(rows.start, rows.stop), strict=True))

    def vector(self, words: Sequence[str]) -> Floats:
        """What words mean together: (dimensions,), of length 1; zeros if there are none."""
        places = self.places(words)
        total: Floats = self.weights[places] @ self.vectors[places]
        return total / max(float(np.sqrt(total @ total)), 1e-12)

    def __call__(self, texts: Sequence[str]) -> Floats:
        """A row for each text, (n, dimensions), of length 1; zeros for a text without words. The
        product of two rows is the cosine of what they mean."""
        found: Floats = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(found, texts, strict=True):
            row[:] = self.vector(words_of(text))
        return found


@cache
def embedding() -> StaticEmbedding:
    """The embedding that ships with Mirante, read once."""
    return StaticEmbedding()


def embed(texts: Sequence[str]) -> Floats:
    """A row for each text, as ``StaticEmbedding`` gives it: ``[drift] embedding = "mirante:static"``."""
    return embedding()(texts)
