"""Texts of users as numbers: hashed words, their beginnings and character n-grams, weighed by rarity and projected to a few dimensions.

Character n-grams forgive typos (Cavnar & Trenkle 1994), beginnings of words inflection (truncation as a stemmer, as in McNamee & Mayfield
2004), hashing bounds the vocabulary (Weinberger et al. 2009), and the projection is
learned so that questions with the same meaning lie close together, in English and Portuguese alike (``training/train.py``). Deterministic:
the hash is a polynomial over code points, computed for the whole text at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

from agents.inspection.folding import in_ascii

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Places = NDArray[np.intp]

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
        text = in_ascii(text)
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


class Block(NamedTuple):
    """The same of many texts, side by side. ``bounds``: where each part of each text begins, and the end."""

    buckets: Ints
    counts: Ints
    bounds: Ints
    lengths: list[int]
    numbers: list[frozenset[str]]
    leans: list[bool]


NOTHING = Counted(np.empty(0, np.int32), np.empty(0, np.int32), (0,) * PARTS, 0, frozenset(), False)


def count(text: str) -> Counted:
    """The hashed features of a text: words, pairs of neighbouring words, beginnings of words, character n-grams across word boundaries."""
    return count_all((text,))[0]


def count_all(texts: Sequence[str]) -> list[Counted]:
    """``count`` of each: one pass over all texts, side by side."""
    found: list[Counted] = []
    for at in range(0, len(texts), _AT_ONCE):
        cleaned = [normalise(text) for text in texts[at : at + _AT_ONCE]]
        counted = _counted([clean for clean in cleaned if clean])
        found += [next(counted) if clean else NOTHING for clean in cleaned]
    return found


def _counted(cleaned: list[str]) -> Iterator[Counted]:
    if not cleaned:
        return
    block = _count_clean(cleaned)
    bounds = block.bounds.tolist()
    for n, (length, numbers, leans) in enumerate(zip(block.lengths, block.numbers, block.leans, strict=True)):
        a, b, c, d = bounds[PARTS * n : PARTS * (n + 1) + 1]
        yield Counted(block.buckets[a:d], block.counts[a:d], (b - a, c - b, d - c), length, numbers, leans)


def _count_clean(cleaned: list[str]) -> Block:
    """Of texts that are not empty."""
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
    words = [clean.split() for clean in cleaned]
    return Block(
        distinct % BUCKETS,
        counts,
        np.searchsorted(distinct, np.arange(PARTS * len(cleaned) + 1, dtype=np.int32) * PART).astype(np.int32),
        list(map(len, words)),
        [frozenset(filter(str.isdigit, said)) if _HAS_DIGIT(clean) else _NO_NUMBERS for clean, said in zip(cleaned, words, strict=True)],
        [not _LEANING.isdisjoint(said) for said in words],
    )


def _bucket(hashed: NDArray[np.uint64]) -> Ints:
    """In the first part of the buckets."""
    return ((hashed ^ (hashed >> _FOLD)) * _MIX >> _SHIFT).astype(np.int32)


class Text(msgspec.Struct, frozen=True, eq=False, gc=False):
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


class Likeness(msgspec.Struct, frozen=True, gc=False):
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
        no_meaning: Floats = np.zeros(self._meaning.shape[1], np.float32)
        no_weights: Floats = np.empty(0, np.float32)
        self._nothing = Text(NOTHING.buckets, no_weights, 0, _NO_NUMBERS, False, 0.0, 0.0, no_meaning, self._tone_bias.tolist())

    def read(self, text: str) -> Text:
        """The text as numbers."""
        return self.read_all((text,))[0]

    def read_all(self, texts: Sequence[str]) -> list[Text]:
        """``read`` of each."""
        found: list[Text] = []
        for at in range(0, len(texts), _AT_ONCE):
            cleaned = [normalise(text) for text in texts[at : at + _AT_ONCE]]
            read = self._read([clean for clean in cleaned if clean])
            found += [next(read) if clean else self._nothing for clean in cleaned]
        return found

    def _read(self, cleaned: list[str]) -> Iterator[Text]:
        """Of texts that are not empty."""
        if not cleaned:
            return
        block = _count_clean(cleaned)
        starts = block.bounds[::PARTS]
        weights, mass = _weigh(block.buckets, block.counts, np.diff(block.bounds), self.rarity)
        meanings = self._meant(block.buckets, weights, starts)
        tones = (_rows(weights, block.buckets, starts) @ self._tone + self._tone_bias).tolist()
        ends, masses = starts.tolist(), mass.T.tolist()
        each = [slice(*bounds) for bounds in pairwise(ends)]
        buckets, weighed = map(block.buckets.__getitem__, each), map(weights.__getitem__, each)
        yield from map(Text, buckets, weighed, block.lengths, block.numbers, block.leans, *masses, meanings, tones)

    def _meant(self, buckets: Ints, weights: Floats, starts: Ints) -> Floats:
        """The meaning of each text, of length 1."""
        here = np.zeros(BUCKETS, bool)
        here[buckets] = True
        distinct = np.flatnonzero(here)
        place = np.empty(BUCKETS, np.int32)
        place[distinct] = np.arange(len(distinct), dtype=np.int32)
        rows = csr_matrix((weights, place[buckets], starts), shape=(len(starts) - 1, len(distinct)))
        meanings: Floats = (rows @ self._meaning[distinct].astype(np.float32)) * self._meaning_scale
        meanings /= np.sqrt((meanings * meanings).sum(axis=1, keepdims=True)).clip(min=1e-12)
        return meanings

    def pairs(self, earlier: Sequence[Text], later: Sequence[Text]) -> NDArray[np.float64]:
        """What earlier and later questions have in common, row by row: ``PAIR_FEATURES``."""
        return self._pairs(*_side_by_side(earlier, later))

    def _pairs(self, texts: Sequence[Text], earlier: Places, later: Places) -> NDArray[np.float64]:
        """``earlier``, ``later``: places in ``texts``, each of which is looked at once, however many pairs it belongs to."""
        rows = _sparse([text.buckets for text in texts], [text.weights for text in texts])
        met = _of(rows, earlier).multiply(_of(rows, later))
        pair_of = np.repeat(np.arange(len(earlier)), np.diff(met.indptr))
        place = met.indices // PART + PARTS * pair_of
        alike = np.bincount(place, met.data, PARTS * len(earlier)).reshape(-1, PARTS)
        shared = np.bincount(place, self.rarity[met.indices], PARTS * len(earlier)).reshape(-1, PARTS)
        mass, stem_mass = np.array([text.mass for text in texts]) + 1e-6, np.array([text.stem_mass for text in texts]) + 1e-6
        first, second = shared[:, 0] / mass[earlier], shared[:, 0] / mass[later]
        first_stems, second_stems = shared[:, 2] / stem_mass[earlier], shared[:, 2] / stem_mass[later]
        lengths = np.array([text.length for text in texts], np.float64)
        later_lengths = lengths[later]
        ratio = np.log((later_lengths + 1) / (lengths[earlier] + 1))
        meanings = np.concatenate([text.meaning for text in texts]).reshape(len(texts), -1)
        meaning = (meanings[earlier] * meanings[later]).sum(axis=1)
        numbers = [text.numbers for text in texts]
        differ = [
            bool(numbers[b] and numbers[a] and numbers[a].isdisjoint(numbers[b]))
            for a, b in zip(earlier.tolist(), later.tolist(), strict=True)
        ]
        tones = np.array([text.tone for text in texts])[later]
        leans = np.array([text.leans for text in texts], np.float64)
        return np.column_stack(
            (
                alike[:, 1], alike[:, 0], meaning, np.minimum(first, second), np.maximum(first, second), np.abs(ratio), differ,
                ratio.clip(min=0.0), tones, 1.0 / (1 + later_lengths),
                alike[:, 2], np.minimum(first_stems, second_stems), np.maximum(first_stems, second_stems),
                leans[earlier], leans[later], 1.0 / (1 + lengths[earlier]),
            )
        )  # fmt: skip

    def compare(self, earlier: Sequence[Text], later: Sequence[Text]) -> list[Likeness]:
        """How alike earlier and later questions are, pair by pair."""
        return self.compare_among(*_side_by_side(earlier, later))

    def compare_among(self, texts: Sequence[Text], earlier: Places, later: Places) -> list[Likeness]:
        """The same of pairs among some texts."""
        features = self._pairs(texts, earlier, later)
        # Not a product of matrices, whose last bit depends on their size.
        hidden = np.repeat(self._from_nothing[None, :], len(features), axis=0)
        for values, weights in zip(features.T, self._from_features, strict=True):
            hidden += values[:, None] * weights
        np.tanh(hidden, out=hidden)
        same = 1 / (1 + np.exp(-((hidden * self._out).sum(axis=1) + self._out_bias)))
        silent = np.array([not text.length for text in texts])
        same[silent[earlier] | silent[later]] = 0.0  # who says nothing asks nothing
        return list(map(Likeness, same.tolist(), features[:, _STEMS].tolist(), features[:, 2].tolist()))


def weigh(counted: Sequence[Counted], rarity: Floats) -> tuple[Any, NDArray[Any]]:
    """Texts as rows of a sparse matrix, TF-IDF with logarithmic frequency, where each part has length 1; and for each the rarity of its
    words, summed, and of their beginnings."""
    buckets = [item.buckets for item in counted]
    sizes = np.fromiter(chain.from_iterable([item.sizes for item in counted]), np.int64, PARTS * len(counted))
    weights, mass = _weigh(np.concatenate(buckets), np.concatenate([item.counts for item in counted]), sizes, rarity)
    return _sparse(buckets, weights), mass


def _weigh(buckets: Ints, counts: Ints, sizes: NDArray[Any], rarity: Floats) -> tuple[Floats, NDArray[Any]]:
    """Weights of the buckets, and of each text both sums. ``sizes``: of the parts of all texts."""
    rare = rarity[buckets]
    weights = _FREQUENCY[counts] * rare
    part_of = np.repeat(np.arange(len(sizes)), sizes)
    lengths = np.sqrt(np.bincount(part_of, weights * weights, len(sizes))).clip(min=1e-12).astype(np.float32)
    return weights / lengths[part_of], np.bincount(part_of, rare, len(sizes)).reshape(-1, PARTS)[:, ::2]


def _sparse(buckets: list[Ints], weights: list[Floats] | Floats) -> Any:
    """Rows of a matrix, each with its buckets in ascending order."""
    starts = np.zeros(len(buckets) + 1, np.int32)
    np.cumsum([len(row) for row in buckets], out=starts[1:])
    return _rows(np.concatenate(weights) if isinstance(weights, list) else weights, np.concatenate(buckets), starts)


def _side_by_side(earlier: Sequence[Text], later: Sequence[Text]) -> tuple[list[Text], Places, Places]:
    return [*earlier, *later], np.arange(len(earlier)), np.arange(len(earlier), len(earlier) + len(later))


def _of(rows: Any, places: Places) -> Any:
    """Some of them, which may be the same."""
    found = rows[places]
    found.has_canonical_format = True
    return found


def _rows(weights: Floats, buckets: Ints, starts: Ints) -> Any:
    found = csr_matrix((weights, buckets, starts), shape=(len(starts) - 1, BUCKETS))
    found.has_canonical_format = True
    return found


@cache
def text_model() -> TextModel:
    """The model that ships with Mirante, read once."""
    return TextModel()
