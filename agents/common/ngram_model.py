"""A linear classifier of texts over hashed n-grams of words and characters, on numpy alone.

``load(path).score(text)`` is the probability that a text is of the class the model was trained
for. What is seen of a text is bounded (``TextShape``), so is the time it takes; the weights are whole
numbers, so every process and machine gets the same score. The file is an npz of plain arrays.

Hashing (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009) needs
no vocabulary, and n-grams of all lengths come from a few passes over arrays. N-grams count once
however often they occur, and the length of a text is divided out as in TF-IDF: by the square root
of how many there are, or of ``TextShape.least`` if they are fewer, so that three words say little.
``TextShape.features`` is what training reads, so the two cannot differ.

>>> shape = TextShape(views=(View(part="whole", words=(1, 2)),))
>>> slots, values = shape.features("I can't help. I can't.")
>>> len(slots) == len(set(slots.tolist())) == len(values)
True
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final, Literal
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.inspection.folding import Folding, in_ascii

__all__ = ["NgramModel", "TextShape", "View", "load"]

Slots = NDArray[np.uint64]
Numbers = NDArray[np.float64]
Hashes = NDArray[np.uint64]

VERSION: Final = 1
"""Of the file: one of another version is refused."""

_PRIME: Final = np.uint64(1_099_511_628_211)
"""Of FNV-1a, 64 bits."""
_SALT: Final = 0x9E3779B97F4A7C15
_MIX: Final = np.uint64(_SALT)
"""2**64 divided by the golden ratio: multiplicative hashing (Knuth, TAOCP 6.4)."""
_QUOTES: Final = {"’": "'", "‘": "'", "´": "'", "“": '"', "”": '"', "«": '"', "»": '"'}
_folds: Final = Folding(lambda character: in_ascii(_QUOTES.get(character, character))[:1])
_WESTERN: Final = bytes(range(256)).decode("cp1252", "replace")
_PLAIN: Final = bytes(ord(_folds[ord(c)] or " ") for c in _WESTERN)
_GONE: Final = bytes(b for b in range(256) if not _folds[ord(_WESTERN[b])])
_LETTERS: Final = bytes(
    ord(chr(b).lower()) if b < 128 and chr(b).isalpha() else 48 if 48 <= b < 58 else 32
    for b in range(256)
)
"""For words: lower case, each digit a zero, all else a blank."""
_SENTENCE: Final = re.compile(rb"[.!?:](?=\s)|\n")
_ALL: Final = (1 << 64) - 1
SCALE: Final = 1 << 12
"""Units of a weight in one logit."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Which n-grams of which part of a text are looked at. Each view has slots of its own."""

    part: Literal["whole", "first", "last"]
    """The first or the last sentence that has at least ``least`` characters (with those before or
    behind it), or all that the shape lets through."""
    words: tuple[int, ...] = ()
    """Lengths of its n-grams of words."""
    characters: tuple[int, ...] = ()
    """Lengths of its n-grams of characters, 8 at most, blanks and punctuation included."""
    most: int = 300
    """Characters of a first or last part at most."""
    least: int = 25


class TextShape(msgspec.Struct, frozen=True, kw_only=True):
    """How a text becomes numbers."""

    views: tuple[View, ...]
    bits: int = 18
    """There are 2**bits slots for n-grams."""
    head: int = 1_500
    tail: int = 500
    """Characters of a longer text that are looked at: its first and its last."""
    least: int = 1
    """A view with fewer n-grams counts each as if there were so many: evidence grows with length."""

    def bounded(self, text: str) -> str:
        """What is looked at of ``text``."""
        if len(text) <= self.head + self.tail:
            return text
        return f"{text[: self.head]}\n{text[len(text) - self.tail :]}"

    def slots(self, text: str) -> Iterator[Slots]:
        """For each view the slots of its n-grams, as often as they occur."""
        data = plain(self.bounded(text))
        found: list[Hashes] = []
        ends: list[int] = []
        for number, view in enumerate(self.views):
            grams = _hashes(part_of(data, view), view, salt_of(number))
            found += grams
            ends.append(sum(map(len, grams)))
        if not found:
            return
        slots = mixed(np.concatenate(found), self.bits)
        start = 0
        for end in accumulate(ends):
            yield slots[start:end]
            start = end

    def features(self, text: str) -> tuple[Slots, Numbers]:
        """(slots, ascending; their values): of each view the distinct n-grams, each with one
        divided by the square root of how many n-grams the view has (``least``, if fewer). Views that meet in a slot by
        chance are added."""
        slots: list[Slots] = [np.empty(0, dtype=np.uint64)]
        values: list[Numbers] = [np.empty(0)]
        for found in self.slots(text):
            distinct = np.unique(found)
            slots.append(distinct)
            values.append(np.full(len(distinct), share(max(len(found), self.least))))
        every, back = np.unique(np.concatenate(slots), return_inverse=True)
        return every, np.bincount(back, np.concatenate(values), len(every)).astype(np.float64)


def share(ngrams: int) -> float:
    """The value of one n-gram of so many."""
    return 1.0 / math.sqrt(ngrams) if ngrams else 0.0


def plain(text: str) -> bytes:
    """``text`` in ASCII: without accents, curly quotes and letters in disguise. Nearly all English
    and Portuguese text is in Windows-1252, whose bytes are translated at once."""
    if text.isascii():
        return text.encode()
    try:
        return text.encode("cp1252").translate(_PLAIN, _GONE)
    except UnicodeEncodeError:
        return text.translate(_folds).encode()


def _hashes(data: bytes, view: View, salt: np.uint64) -> list[Hashes]:
    """Of the n-grams of each length, salted by it too: 64 bits that are yet to be mixed."""
    found: list[Hashes] = []
    if view.words:
        found += word_hashes(words_of(data), view.words, salt)
    if view.characters:
        found += character_hashes(line_of(data), view.characters, salt)
    return found


def words_of(data: bytes) -> list[bytes]:
    """The words of a text in ASCII."""
    return data.translate(_LETTERS, b"'").split()


def word_hashes(
    words: Sequence[bytes], lengths: tuple[int, ...], salt: np.uint64
) -> Iterator[Hashes]:
    """Of the n-grams of words, one array a length in ascending order."""
    runs = ids = np.fromiter(map(crc32, words), np.uint64, len(words))
    for length in range(1, max(lengths) + 1):
        if length > 1:
            runs = runs[:-1] * _PRIME + ids[length - 1 :]
        if length in lengths:
            yield runs * _PRIME + salt


def line_of(data: bytes) -> bytes:
    """A text in ASCII whose n-grams of characters are taken."""
    return b" %b " % b" ".join(data.lower().split())


def character_hashes(line: bytes, lengths: tuple[int, ...], salt: np.uint64) -> Iterator[Hashes]:
    """Of the n-grams of characters, one array a length in their order."""
    padded = line + bytes(8)
    for length in lengths:
        # eight bytes from every place on, of which those behind the n-gram are masked away
        windows = np.ndarray(max(0, len(line) - length + 1), "<u8", padded, 0, (1,))
        yield (windows & np.uint64(_ALL >> (64 - 8 * length))) * _PRIME + salt


def salt_of(view: int) -> np.uint64:
    """It keeps the n-grams of a view, by its number, apart from those of another."""
    return np.uint64(view * _SALT & _ALL)


def mixed(hashes: Hashes, bits: int) -> Slots:
    """The slots of hashes, which are overwritten."""
    hashes *= _MIX
    hashes >>= np.uint64(64 - bits)
    return hashes


def part_of(data: bytes, view: View) -> bytes:
    """What a view looks at of a text in ASCII."""
    if view.part == "whole":
        return data
    if view.part == "first":
        data = data[: view.most].lstrip()
        end = _SENTENCE.search(data, view.least)
        return data[: end.end()] if end else data
    data = data[-view.most :].rstrip()
    begins = [mark.end() for mark in _SENTENCE.finditer(data, 0, max(0, len(data) - view.least))]
    return data[begins[-1] :] if begins else data


class _Header(msgspec.Struct):
    version: int
    shape: TextShape
    bias: int


class NgramModel:
    """A bias and a weight for each slot, in 1/4096 logits. Not changed by use: one serves all
    threads."""

    def __init__(self, shape: TextShape, bias: int, weights: NDArray[np.int32]) -> None:
        """``weights``: one for each of the 2**bits slots."""
        if weights.shape != (1 << shape.bits,):
            raise ValueError(f"{weights.shape} weights, not {1 << shape.bits}")
        self.shape = shape
        self.bias = bias
        self.weights = weights

    @classmethod
    def fitted(
        cls, shape: TextShape, intercept: float, coefficients: NDArray[np.float64], kept: int
    ) -> NgramModel:
        """Of a fitted classifier over ``TextShape.features``; the ``kept`` largest coefficients."""
        weights = np.rint(coefficients * SCALE).astype(np.int32)
        if np.count_nonzero(weights) > kept:
            weights[np.argsort(-np.abs(coefficients), kind="stable")[kept:]] = 0
        return cls(shape, round(intercept * SCALE), weights)

    def logit(self, text: str) -> float:
        """The logarithm of the odds; any finite number."""
        total = float(self.bias)
        for found in self.shape.slots(text):
            slots = found[self.weights.take(found) != 0]
            if len(slots):
                # each n-gram once: of equal neighbours in order the first
                slots.sort()
                weighed = self.weights.take(slots)
                weighed[1:][slots[1:] == slots[:-1]] = 0
                total += int(weighed.sum()) * share(max(len(found), self.shape.least))
        return total / SCALE

    def score(self, text: str) -> float:
        """Probability (0 to 1) that ``text`` is of the class. A text of 500 characters takes some
        tens of microseconds, one of any length not more than one of ``head + tail``."""
        return 1.0 / (1.0 + math.exp(-max(-700.0, min(700.0, self.logit(text)))))

    def save(self, path: Path) -> None:
        """The file that ``load`` reads: the weights that are not zero, and where they stand. The
        same model gives the same bytes but for the archive's own dates."""
        slots = np.flatnonzero(self.weights)
        header = msgspec.json.encode(_Header(VERSION, self.shape, self.bias))
        np.savez_compressed(
            path,
            header=np.frombuffer(header, dtype=np.uint8),
            steps=np.diff(slots, prepend=0).astype(np.uint16 if self.shape.bits <= 16 else np.uint32),
            weights=self.weights[slots].astype(np.int32),
        )


def load(path: Path) -> NgramModel:
    """The model in a file. Raises FileNotFoundError; ValueError if the file is damaged or of
    another version. Nothing in it is executed (no pickles)."""
    with np.load(path, allow_pickle=False) as file:
        try:
            header = msgspec.json.decode(file["header"].tobytes(), type=_Header)
            steps, kept = file["steps"], file["weights"]
        except (KeyError, msgspec.DecodeError) as error:
            raise ValueError(f"{path}: not a model of n-grams: {error}") from error
    if header.version != VERSION:
        raise ValueError(f"{path}: version {header.version}, not {VERSION}")
    weights = np.zeros(1 << header.shape.bits, dtype=np.int32)
    try:
        weights[np.cumsum(steps, dtype=np.int64)] = kept
    except (IndexError, ValueError) as error:
        raise ValueError(f"{path}: damaged: {error}") from error
    return NgramModel(header.shape, header.bias, weights)
