"""Texts of users as numbers: hashed words, their beginnings and character n-grams, weighed by rarity and projected to a few dimensions.

Character n-grams forgive typos (Cavnar & Trenkle 1994), beginnings of words inflection (truncation as a stemmer, as in McNamee & Mayfield
2004), hashing bounds the vocabulary (Weinberger et al. 2009), and the projection is
learned so that questions with the same meaning lie close together, in English and Portuguese alike (``training/train.py``). Deterministic:
the hash is a polynomial over code points, computed for the whole text at once.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

PART = 1 << 15
PARTS = 3
"""Words and pairs of words take the first part of the buckets, character n-grams the second, beginnings of words the third."""
BUCKETS = PARTS * PART
GRAMS = (4,)
STEM = 5
"""Characters of a word's beginning: endings say less, in Portuguese above all."""
MAX_CHARS = 400
"""What is read of a text: its first 300 characters and its last 100. Who asks again does so at the start or the end."""

MODEL = Path(__file__).parent / "model.npz"

_PRIME = np.uint64(1_099_511_628_211)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_POWERS = np.cumprod(np.full(MAX_CHARS + 2, _PRIME, dtype=np.uint64), dtype=np.uint64)
_FOLD = np.uint64(29)
_SHIFT = np.uint64(64 - PART.bit_length() + 1)
_FIRST = np.array([True])
_AT_ONCE = 512
"""Texts in one pass: their arrays stay in the processor's cache."""
_FREQUENCY = (1 + np.log(np.arange(MAX_CHARS + 3).clip(min=1))).astype(np.float32)
_HAS_DIGIT = re.compile(r"[0-9]").search
_NO_NUMBERS: frozenset[str] = frozenset()
_LEANING = frozenset(
    (
        "it", "its", "this", "that", "these", "those", "they", "them", "their", "there", "he", "him", "his", "she", "her", "hers",
        "one", "ones", "such", "same", "isso", "isto", "esse", "essa", "esses", "essas", "este", "esta", "estes", "estas", "ele",
        "ela", "eles", "elas", "dele", "dela", "deles", "delas", "nele", "nela", "nisso", "disso", "la", "ali", "aquilo", "aquele",
        "aquela", "mesmo", "mesma",
    )
)  # fmt: skip
"""Words that stand for something said before, in English and Portuguese, as ``normalise`` leaves them."""


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
    """Distinct buckets of a text in ascending order, and how often each occurs. ``sizes``: how many are in each part."""

    buckets: Ints
    counts: Ints
    sizes: tuple[int, ...]
    length: int
    """Number of words."""
    numbers: frozenset[str]
    leans: bool
    """It has a word that stands for something said before."""


NOTHING = Counted(np.empty(0, np.int32), np.empty(0, np.int32), (0,) * PARTS, 0, frozenset(), False)


def count(text: str) -> Counted:
    """The hashed features of a text: words, pairs of neighbouring words, beginnings of words, character n-grams across word boundaries."""
    return count_all((text,))[0]


def count_all(texts: Sequence[str]) -> list[Counted]:
    """``count`` of each: one pass over all texts, side by side."""
    found: list[Counted] = []
    for at in range(0, len(texts), _AT_ONCE):
        cleaned = [normalise(text) for text in texts[at : at + _AT_ONCE]]
        counted = iter(_count_clean([clean for clean in cleaned if clean]))
        found += [next(counted) if clean else NOTHING for clean in cleaned]
    return found


def _count_clean(cleaned: list[str]) -> Iterator[Counted]:
    """Of texts that are not empty."""
    if not cleaned:
        return
    codes = np.frombuffer(f" {'  '.join(cleaned)} ".encode("latin-1"), dtype=np.uint8)
    sizes = np.fromiter(map(len, cleaned), np.int32, len(cleaned)) + 2
    ends = np.cumsum(sizes)
    first_bucket = np.repeat(np.arange(len(cleaned), dtype=np.int32) * BUCKETS, sizes)
    place = np.arange(len(codes)) - np.repeat(ends - sizes, sizes)
    left = np.repeat(ends, sizes) - np.arange(len(codes))
    prefix = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(codes * _POWERS[place], dtype=np.uint64, out=prefix[1:])
    # Multiplied by the power of the start's distance from the end of all texts, a span is the same wherever it stands.
    shift = _POWERS[MAX_CHARS + 1 - place]
    # Spans of characters from a start up to an end; a word has the space after it, a pair of words the one between.
    spaces = np.flatnonzero(codes == 32)
    keys = []
    for distance in (1, 2):
        within = first_bucket[spaces[:-distance]] == first_bucket[spaces[distance:]]
        begin, end = spaces[:-distance][within] + 1, spaces[distance:][within] + 1
        keys.append(_bucket((prefix[end] - prefix[begin]) * shift[begin]) + first_bucket[begin])
        if distance == 1:
            end = np.minimum(end, begin + STEM)
            keys.append(_bucket((prefix[end] - prefix[begin]) * shift[begin]) + (first_bucket[begin] + 2 * PART))
    for size in GRAMS:
        begin = np.flatnonzero(left >= size)
        hashed = (prefix[begin + size] - prefix[begin]) * shift[begin]
        keys.append(_bucket(hashed) + (first_bucket[begin] + PART))
    every = np.concatenate(keys)
    every.sort()
    starts = np.flatnonzero(np.concatenate((_FIRST, every[1:] != every[:-1])))
    counts = np.diff(starts, append=len(every)).astype(np.int32)
    distinct = every[starts]
    parts = np.searchsorted(distinct, np.arange(PARTS * len(cleaned) + 1, dtype=np.int32) * PART).tolist()
    buckets = distinct % BUCKETS
    for n, clean in enumerate(cleaned):
        a, b, c, d = parts[PARTS * n : PARTS * (n + 1) + 1]
        words = clean.split()
        numbers = frozenset(filter(str.isdigit, words)) if _HAS_DIGIT(clean) else _NO_NUMBERS
        yield Counted(buckets[a:d], counts[a:d], (b - a, c - b, d - c), len(words), numbers, not _LEANING.isdisjoint(words))


def _bucket(hashed: NDArray[np.uint64]) -> Ints:
    """In the first part of the buckets."""
    return ((hashed ^ (hashed >> _FOLD)) * _MIX >> _SHIFT).astype(np.int32)


class Text(NamedTuple):
    """A text as the detectors see it. The weights of each part have length 1, and so has ``meaning``."""

    buckets: Ints
    weights: Floats
    length: int
    numbers: frozenset[str]
    leans: bool
    mass: float
    """Rarity of its words, summed."""
    stem_mass: float
    """The same of their beginnings."""
    meaning: Floats
    tone: list[float]
    """Log-odds of ``TONES``."""


class Likeness(NamedTuple):
    """What two questions have in common."""

    same: float
    """The probability that the later asks the same as the earlier."""
    words: float
    meaning: float
    """Cosines, of the beginnings of words and of their meaning."""


TONES = ("complaint", "acceptance", "next")
"""What a user's message can be apart from a question of its own: a complaint, an acceptance, or the next step of the same task."""

PAIR_FEATURES = (
    "characters", "words", "meaning", "shared_least", "shared_most", "length_ratio", "numbers_differ",
    "longer", "complaint", "acceptance", "next", "short", "stems", "stems_least", "stems_most", "leans", "later_leans", "short_first",
)  # fmt: skip

_STEMS = PAIR_FEATURES.index("stems")


class TextModel:
    """The arrays of ``model.npz`` at work, on many texts at once. What it makes of one does not depend on the others, to the last bit: sums
    are taken in the order of a text's own buckets."""

    def __init__(self, source: Path | IO[bytes] = MODEL) -> None:
        with np.load(source, allow_pickle=False) as file:
            self.rarity: Floats = file["rarity"].astype(np.float32)
            # As bytes, a quarter of the size; what some texts need of it is made numbers when they are read.
            self._meaning: NDArray[np.int8] = file["meaning"]
            self._meaning_scale: Floats = file["meaning_scale"].astype(np.float32)
            self._tone: Floats = file["tone"].astype(np.float32)
            self._tone_bias: Floats = file["tone_bias"].astype(np.float32)
            hidden, hidden_bias = file["hidden"].astype(np.float64), file["hidden_bias"].astype(np.float64)
            self._out, self._out_bias = file["out"][:, 0].astype(np.float64), float(file["out_bias"][0])
            mean, scale = file["pair_mean"].astype(np.float64), file["pair_scale"].astype(np.float64)
            # The features' standardisation is part of the first layer.
            self._from_features = hidden / scale[:, None]
            self._from_nothing = hidden_bias - (mean / scale) @ hidden

    def read(self, text: str) -> Text:
        """The text as numbers."""
        return self.read_all((text,))[0]

    def read_all(self, texts: Sequence[str]) -> list[Text]:
        """``read`` of each."""
        return [read for at in range(0, len(texts), _AT_ONCE) for read in self._read(count_all(texts[at : at + _AT_ONCE]))]

    def _read(self, counted: list[Counted]) -> Iterator[Text]:
        rows, mass = weigh(counted, self.rarity)
        distinct, place = np.unique(rows.indices, return_inverse=True)
        placed = csr_matrix((rows.data, place, rows.indptr), shape=(len(counted), len(distinct)))
        meanings = (placed @ self._meaning[distinct].astype(np.float32)) * self._meaning_scale
        meanings /= np.sqrt((meanings * meanings).sum(axis=1, keepdims=True)).clip(min=1e-12)
        tones = (rows @ self._tone + self._tone_bias).tolist()
        starts = rows.indptr.tolist()
        for n, (item, (words, stems), tone) in enumerate(zip(counted, mass.tolist(), tones, strict=True)):
            weights = rows.data[starts[n] : starts[n + 1]]
            yield Text(item.buckets, weights, item.length, item.numbers, item.leans, words, stems, meanings[n], tone)

    def pairs(self, earlier: Sequence[Text], later: Sequence[Text]) -> NDArray[np.float64]:
        """What earlier and later questions have in common, row by row: ``PAIR_FEATURES``."""
        met = _sparse([text.buckets for text in earlier], [text.weights for text in earlier]).multiply(
            _sparse([text.buckets for text in later], [text.weights for text in later])
        )
        pair_of = np.repeat(np.arange(len(earlier)), np.diff(met.indptr))
        place = met.indices // PART + PARTS * pair_of
        alike = np.bincount(place, met.data, PARTS * len(earlier)).reshape(-1, PARTS)
        shared = np.bincount(place, self.rarity[met.indices], PARTS * len(earlier)).reshape(-1, PARTS)
        first, second = (shared[:, 0] / (np.array([text.mass for text in texts]) + 1e-6) for texts in (earlier, later))
        first_stems, second_stems = (shared[:, 2] / (np.array([text.stem_mass for text in texts]) + 1e-6) for texts in (earlier, later))
        lengths, later_lengths = (np.array([text.length for text in texts], np.float64) for texts in (earlier, later))
        ratio = np.log((later_lengths + 1) / (lengths + 1))
        meanings, later_meanings = (
            np.concatenate([text.meaning for text in texts]).reshape(len(texts), -1) for texts in (earlier, later)
        )  # fmt: skip
        meaning = (meanings * later_meanings).sum(axis=1)
        differ = [bool(b.numbers and a.numbers and a.numbers.isdisjoint(b.numbers)) for a, b in zip(earlier, later, strict=True)]
        tones = np.fromiter(chain.from_iterable([text.tone for text in later]), np.float64, len(TONES) * len(later)).reshape(-1, len(TONES))
        return np.column_stack(
            (
                alike[:, 1], alike[:, 0], meaning, np.minimum(first, second), np.maximum(first, second), np.abs(ratio), differ,
                ratio.clip(min=0.0), tones, 1.0 / (1 + later_lengths),
                alike[:, 2], np.minimum(first_stems, second_stems), np.maximum(first_stems, second_stems),
                [text.leans for text in earlier], [text.leans for text in later], 1.0 / (1 + lengths),
            )
        )  # fmt: skip

    def compare(self, earlier: Sequence[Text], later: Sequence[Text]) -> list[Likeness]:
        """How alike earlier and later questions are, pair by pair."""
        features = self.pairs(earlier, later)
        # Not a product of matrices, whose last bit depends on their size.
        hidden = np.repeat(self._from_nothing[None, :], len(features), axis=0)
        for values, weights in zip(features.T, self._from_features, strict=True):
            hidden += values[:, None] * weights
        np.tanh(hidden, out=hidden)
        same = 1 / (1 + np.exp(-((hidden * self._out).sum(axis=1) + self._out_bias)))
        same[[not (a.length and b.length) for a, b in zip(earlier, later, strict=True)]] = 0.0  # who says nothing asks nothing
        return list(map(Likeness, same.tolist(), features[:, _STEMS].tolist(), features[:, 2].tolist()))


def weigh(counted: Sequence[Counted], rarity: Floats) -> tuple[Any, NDArray[Any]]:
    """Texts as rows of a sparse matrix, TF-IDF with logarithmic frequency, where each part has length 1; and for each the rarity of its
    words, summed, and of their beginnings."""
    buckets = [item.buckets for item in counted]
    every = np.concatenate(buckets) if buckets else NOTHING.buckets
    rare = rarity[every]
    weights = _FREQUENCY[np.concatenate([item.counts for item in counted])] * rare
    sizes = np.fromiter(chain.from_iterable([item.sizes for item in counted]), np.int64, PARTS * len(counted))
    part_of = np.repeat(np.arange(len(sizes)), sizes)
    lengths = np.sqrt(np.bincount(part_of, weights * weights, len(sizes))).clip(min=1e-12).astype(np.float32)
    mass = np.bincount(part_of, rare, len(sizes)).reshape(-1, PARTS)[:, ::2]
    return _sparse(buckets, weights / lengths[part_of]), mass


def _sparse(buckets: list[Ints], weights: list[Floats] | Floats) -> Any:
    """Rows of a matrix, each with its buckets in ascending order."""
    starts = np.zeros(len(buckets) + 1, np.int32)
    np.cumsum([len(row) for row in buckets], out=starts[1:])
    data = np.concatenate(weights) if isinstance(weights, list) else weights
    found = csr_matrix((data, np.concatenate(buckets), starts), shape=(len(buckets), BUCKETS))
    found.has_canonical_format = True
    return found


@cache
def text_model() -> TextModel:
    """The model that ships with Mirante, read once."""
    return TextModel()
