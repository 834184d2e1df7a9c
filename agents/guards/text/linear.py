"""A linear classifier over word n-grams whose weights are a readable JSON table.

No hashing: an n-gram that training did not see weighs nothing, and what makes a text score can be shown. Weights are whole
thousandths, so that a sum does not depend on the order of its terms and every process gets the same score.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from importlib.resources import files
from itertools import pairwise
from typing import Final

import msgspec

__all__ = ["SCALE", "LinearModel", "cue_words", "load_model", "ngrams"]

SCALE: Final = 1000
"""Units of a weight in one logit."""

_TOKEN: Final = re.compile(r"[a-z]+(?:'[a-z]+)?|[0-9]+|[.?!:\"`{<|\[#]")
_APOSTROPHES: Final = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"', "´": "'"})
# For `cue_words`: marks become blanks, capitals small letters, bytes beyond ASCII stay.
_WORDS: Final = bytes(ord(chr(b).lower()) if chr(b).isalnum() or b >= 128 else 32 for b in range(128)) + bytes(range(128, 256))


def _plain(text: str) -> str:
    """Lower-case ASCII: accents, zero-width characters and letters in disguise (full width, mathematical) are resolved."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES)).encode("ascii", "ignore").decode()
    return text.lower()


def ngrams(text: str, *, singles: bool) -> set[str]:
    """Pairs and triples of the words and marks of `text`, and pairs around one word (`cannot_help`).

    `singles` adds the words themselves: they tell the topic, which helps with attacks and misleads with answers.
    """
    words = _TOKEN.findall(_plain(text))
    words.insert(0, "^")
    pairs = [f"{a} {b}" for a, b in pairwise(words)]
    grams = set(pairs)
    if singles:
        grams.update(words)
    grams.update([f"{pair} {c}" for pair, c in zip(pairs, words[2:], strict=False)])
    grams.update([f"{a}_{c}" for a, c in zip(words, words[2:], strict=False)])
    return grams


class _Stored(msgspec.Struct):
    bias: int
    singles: bool
    cues: list[str]
    weights: dict[str, int]


def cue_words(text: str) -> list[bytes]:
    """Words of `text` in lower case without apostrophes: cheap, to see whether scoring is worth while."""
    return text.replace("’", "'").encode("utf-8", "replace").translate(_WORDS, b"'").split()


class LinearModel:
    """Weights in 1/`SCALE` logits by n-gram. A text without any of the cue words has nothing to score."""

    def __init__(self, bias: int, weights: dict[str, int], cues: Iterable[str], *, singles: bool) -> None:
        self.bias = bias
        self.singles = singles
        self.weights = weights
        self.cues = frozenset(cue.encode() for cue in cues)

    def has_cue(self, text: str) -> bool:
        """Whether `text` has one of the words without which no text of the positive class was seen."""
        return not self.cues.isdisjoint(cue_words(text))

    def probability(self, text: str) -> float:
        """Of the positive class, 0 to 1, for the whole of `text`. Costs time with its length: pass what matters."""
        weights = self.weights
        logit = self.bias + sum([weights[gram] for gram in ngrams(text, singles=self.singles) if gram in weights])
        return 1.0 / (1.0 + math.exp(-logit / SCALE))

    def to_json(self) -> bytes:
        """The file `load_model` reads, a weight a line."""
        stored = _Stored(bias=self.bias, singles=self.singles, cues=sorted(cue.decode() for cue in self.cues), weights=self.weights)
        return msgspec.json.format(msgspec.json.encode(stored), indent=0) + b"\n"


def load_model(name: str) -> LinearModel:
    """The model shipped as `agents/guards/models/<name>.json`. Raises FileNotFoundError, or msgspec.DecodeError if it is damaged."""
    stored = msgspec.json.decode(files("agents.guards.models").joinpath(f"{name}.json").read_bytes(), type=_Stored)
    return LinearModel(stored.bias, stored.weights, stored.cues, singles=stored.singles)
