"""Texts of users as numbers: hashed words and character n-grams, weighed by rarity and projected to a few dimensions.

Character n-grams forgive typos (Cavnar & Trenkle 1994), hashing bounds the vocabulary (Weinberger et al. 2009), and the projection is
learned so that questions with the same meaning lie close together, in English and Portuguese alike (``training/train.py``). Deterministic:
the hash is a polynomial over code points, computed for the whole text at once.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from math import exp, log
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

BUCKETS = 1 << 15
"""Words take the lower half of the buckets, character n-grams the upper half."""
HALF = BUCKETS // 2
GRAMS = (3, 4)
MAX_CHARS = 400
"""What is read of a text: its first 300 characters and its last 100. Who asks again does so at the start or the end."""

MODEL = Path(__file__).parent / "model.npz"

_PRIME = np.uint64(1_099_511_628_211)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_POWERS = np.cumprod(np.full(MAX_CHARS + 2, _PRIME, dtype=np.uint64), dtype=np.uint64)
_HALF_MIX = np.uint64(29)
_SHIFT = np.uint64(64 - 14)
_FIRST = np.array([True])


def normalise(text: str) -> str:
    """Lower case without accents, punctuation as spaces; ``?`` and ``!`` remain as words of their own."""
    if len(text) > MAX_CHARS:
        text = text[:300] + " " + text[-(MAX_CHARS - 301) :]
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return " ".join(text.lower().translate(_TABLE).split())[:MAX_CHARS]


_TABLE = {
    code: (chr(code) if chr(code).isalnum() else f" {chr(code)} " if chr(code) in "?!" else "" if chr(code) == "'" else " ")
    for code in range(128)
}


class Counted(NamedTuple):
    """Distinct buckets of a text in ascending order, and how often each occurs. The first ``words`` are words and pairs of words."""

    buckets: Ints
    counts: Floats
    words: int
    length: int
    """Number of words."""
    numbers: frozenset[str]


def count(text: str) -> Counted:
    """The hashed features of a text: words, pairs of neighbouring words, character n-grams across word boundaries."""
    clean = normalise(text)
    codes = np.frombuffer(f" {clean} ".encode("latin-1"), dtype=np.uint8)
    prefix = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(codes * _POWERS[: len(codes)], dtype=np.uint64, out=prefix[1:])
    tokens = clean.split()
    if not tokens:
        return Counted(np.empty(0, np.int64), np.empty(0, np.float32), 0, 0, frozenset())
    # Spans of characters from a start up to an end; a word has the space after it, a pair of words the one between.
    spaces = np.flatnonzero(codes == 32) + 1
    places = np.arange(len(codes) + 1)
    begin = np.concatenate((spaces[:-1], spaces[:-2], *(places[:-size] for size in GRAMS)))
    end = np.concatenate((spaces[1:], spaces[2:], *(places[size:] for size in GRAMS)))
    # Multiplied by the power of the start's distance from the end of all texts: the same wherever the span stands.
    hashed = (prefix[end] - prefix[begin]) * _POWERS[MAX_CHARS + 1 - begin]
    every = ((hashed ^ (hashed >> _HALF_MIX)) * _MIX >> _SHIFT).astype(np.int64)
    words = 2 * len(tokens) - 1
    every[words:] += HALF
    every.sort()
    starts = np.flatnonzero(np.concatenate((_FIRST, every[1:] != every[:-1])))
    buckets, counts = every[starts], np.diff(starts, append=len(every))
    numbers = frozenset(token for token in tokens if token.isdigit()) if any(map(str.isdigit, clean)) else frozenset()
    return Counted(buckets, counts.astype(np.float32), int(np.searchsorted(buckets, HALF)), len(tokens), numbers)


class Text(NamedTuple):
    """A text as the detectors see it. Word and character weights have length 1 each, and so has ``meaning``."""

    buckets: Ints
    weights: Floats
    words: int
    length: int
    numbers: frozenset[str]
    mass: float
    """Rarity of its words, summed."""
    meaning: Floats
    tone: Floats
    """Log-odds of ``TONES``."""


TONES = ("complaint", "acceptance", "next")
"""What a user's message can be apart from a question of its own: a complaint, an acceptance, or the next step of the same task."""

PAIR_FEATURES = (
    "characters", "words", "meaning", "shared_least", "shared_most", "length_ratio", "numbers_differ",
    "longer", "complaint", "acceptance", "next", "short",
)  # fmt: skip


class TextModel:
    """The arrays of ``model.npz`` at work. Thread-safe, except that ``pair`` uses a scratch array: one thread at a time."""

    def __init__(self, source: Path | IO[bytes] = MODEL) -> None:
        with np.load(source, allow_pickle=False) as file:
            self.rarity: Floats = file["rarity"].astype(np.float32)
            meaning = file["meaning"].astype(np.float32) * file["meaning_scale"].astype(np.float32)
            # Side by side, so that a text's rows are gathered once.
            self._project: Floats = np.concatenate((meaning, file["tone"].astype(np.float32)), axis=1)
            self._tone_bias: Floats = file["tone_bias"].astype(np.float32)
            hidden, hidden_bias = file["hidden"].astype(np.float64), file["hidden_bias"].astype(np.float64)
            self._out, self._out_bias = file["out"].astype(np.float64), file["out_bias"].astype(np.float64)
            mean, scale = file["pair_mean"].astype(np.float64), file["pair_scale"].astype(np.float64)
            # The features' standardisation is part of the first layer.
            self._from_features = hidden / scale[:, None]
            self._from_nothing = hidden_bias - (mean / scale) @ hidden
        self._scratch = np.zeros(BUCKETS, np.float32)

    def read(self, text: str) -> Text:
        """The text as numbers."""
        counted = count(text)
        buckets, words = counted.buckets, counted.words
        weights = weigh(counted, self.rarity)
        projected = weights @ self._project[buckets]
        meaning, tone = projected[: -len(TONES)], projected[-len(TONES) :] + self._tone_bias
        mass = float(self.rarity[buckets[:words]].sum())
        return Text(buckets, weights, words, counted.length, counted.numbers, mass, unit(meaning), tone)

    def pair(self, earlier: Text, later: Text) -> NDArray[np.float64]:
        """What an earlier and a later question have in common: ``PAIR_FEATURES``."""
        scratch, rarity = self._scratch, self.rarity
        scratch[later.buckets] = later.weights
        met = scratch[earlier.buckets]
        scratch[later.buckets] = 0
        products = met * earlier.weights
        words = float(products[: earlier.words].sum())
        shared = float(rarity[earlier.buckets[: earlier.words]][met[: earlier.words] > 0].sum())
        parts = (shared / (earlier.mass + 1e-6), shared / (later.mass + 1e-6))
        ratio = log((later.length + 1) / (earlier.length + 1))
        complaint, acceptance, following = later.tone.tolist()
        differ = bool(earlier.numbers and later.numbers and earlier.numbers.isdisjoint(later.numbers))
        return np.array(
            [
                float(products[earlier.words :].sum()), words, float(earlier.meaning @ later.meaning), min(parts), max(parts),
                abs(ratio), float(differ), max(ratio, 0.0), complaint, acceptance, following,
                1.0 / (1 + later.length),
            ]
        )  # fmt: skip

    def repeats(self, features: NDArray[np.float64]) -> float:
        """The probability that the later question asks the same as the earlier one."""
        hidden = np.tanh(features @ self._from_features + self._from_nothing)
        return 1 / (1 + exp(-float(hidden @ self._out[:, 0] + self._out_bias[0])))


def weigh(counted: Counted, rarity: Floats) -> Floats:
    """TF-IDF with logarithmic frequency; the words' part and the characters' part have length 1 each."""
    weights = (1 + np.log(counted.counts)) * rarity[counted.buckets]
    for part in (weights[: counted.words], weights[counted.words :]):
        part /= np.sqrt(part @ part) or 1
    return weights


def unit(vector: Floats) -> Floats:
    """The vector at length 1; zero stays zero."""
    length = float(np.sqrt(vector @ vector))
    return vector / np.float32(length) if length else vector


@cache
def text_model() -> TextModel:
    """The model that ships with Mirante, read once."""
    return TextModel()
