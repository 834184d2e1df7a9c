"""Texts of users as numbers: hashed words, their beginnings and character n-grams, weighed by rarity,
for their tone; and their words, for what two of them have in common (``pairs.py``).

Character n-grams forgive typos (Cavnar & Trenkle 1994), beginnings of words inflection (truncation
as a stemmer, as in McNamee & Mayfield 2004), hashing bounds the vocabulary (Weinberger et al. 2009).
Deterministic: the hash is a polynomial over code points, computed for the whole text at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

from agents.inspection.folding import in_ascii
from agents.labels.pairs import Likeness as Likeness
from agents.labels.pairs import PairModel, Utterance, pair_model

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


class Block(NamedTuple):
    """The same of many texts, side by side. ``bounds``: where each part of each text begins, and the end."""

    buckets: Ints
    counts: Ints
    bounds: Ints
    lengths: list[int]


NOTHING = Counted(np.empty(0, np.int32), np.empty(0, np.int32), (0,) * PARTS, 0)


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
    for n, length in enumerate(block.lengths):
        a, b, c, d = bounds[PARTS * n : PARTS * (n + 1) + 1]
        yield Counted(block.buckets[a:d], block.counts[a:d], (b - a, c - b, d - c), length)


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
    return Block(
        distinct % BUCKETS,
        counts,
        np.searchsorted(distinct, np.arange(PARTS * len(cleaned) + 1, dtype=np.int32) * PART).astype(np.int32),
        [clean.count(" ") + 1 for clean in cleaned],
    )


def _bucket(hashed: NDArray[np.uint64]) -> Ints:
    """In the first part of the buckets."""
    return ((hashed ^ (hashed >> _FOLD)) * _MIX >> _SHIFT).astype(np.int32)


class Text(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A text as the detectors see it."""

    length: int
    """Number of words."""
    tone: list[float]
    """Log-odds of ``TONES``."""
    message: Utterance


TONES = ("complaint", "acceptance", "next")
"""What a user's message can be apart from a question of its own: a complaint, an acceptance, or the next step of the same task."""


class TextModel:
    """The arrays of ``model.npz`` at work, on many texts at once. What it makes of one does not depend on the others, to the last bit: sums
    are taken in the order of a text's own buckets."""

    def __init__(self, source: Path | IO[bytes] = MODEL, pairs: PairModel | None = None) -> None:
        self._pairs = pairs or pair_model()
        with np.load(source, allow_pickle=False) as file:
            self.rarity: Floats = file["rarity"].astype(np.float32)
            self._tone: Floats = file["tone"].astype(np.float32)
            self._tone_bias: Floats = file["tone_bias"].astype(np.float32)

    def read(self, text: str) -> Text:
        """The text as numbers."""
        return self.read_all((text,))[0]

    def read_all(self, texts: Sequence[str]) -> list[Text]:
        """``read`` of each."""
        found: list[Text] = []
        for at in range(0, len(texts), _AT_ONCE):
            some = texts[at : at + _AT_ONCE]
            cleaned = [normalise(text) for text in some]
            tones = iter(self._tones([clean for clean in cleaned if clean]))
            nothing = self._tone_bias.tolist()
            found += [
                Text(clean.count(" ") + 1, next(tones), self._pairs.read(text)) if clean else Text(0, nothing, self._pairs.read(""))
                for text, clean in zip(some, cleaned, strict=True)
            ]
        return found

    def _tones(self, cleaned: list[str]) -> list[list[float]]:
        """Of texts that are not empty."""
        if not cleaned:
            return []
        block = _count_clean(cleaned)
        weights, _ = _weigh(block.buckets, block.counts, np.diff(block.bounds), self.rarity)
        found: list[list[float]] = (_rows(weights, block.buckets, block.bounds[::PARTS]) @ self._tone + self._tone_bias).tolist()
        return found

    def compare(self, earlier: Sequence[Text], later: Sequence[Text]) -> list[Likeness]:
        """How alike earlier and later questions are, pair by pair."""
        return [self._compared(one, two) for one, two in zip(earlier, later, strict=True)]

    def compare_among(self, texts: Sequence[Text], earlier: Places, later: Places) -> list[Likeness]:
        """The same of pairs among some texts."""
        return self.compare([texts[n] for n in earlier.tolist()], [texts[n] for n in later.tolist()])

    def _compared(self, earlier: Text, later: Text) -> Likeness:
        one, two = earlier.message, later.message
        if not one.words or not two.words:
            return Likeness(0.0, 0.0, 0.0)  # who says nothing asks nothing
        return self._pairs.compare(one, two)


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


def _rows(weights: Floats, buckets: Ints, starts: Ints) -> Any:
    found = csr_matrix((weights, buckets, starts), shape=(len(starts) - 1, BUCKETS))
    found.has_canonical_format = True
    return found


@cache
def text_model() -> TextModel:
    """The model that ships with Mirante, read once."""
    return TextModel()
