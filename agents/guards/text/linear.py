"""A linear classifier over word n-grams whose weights are a readable JSON table.

No hashing: an n-gram that training did not see weighs nothing, and what makes a text score can be shown. Weights are whole
thousandths, so that a sum does not depend on the order of its terms and every process gets the same score.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from importlib.resources import files
from itertools import pairwise
from typing import Final

import msgspec

from agents.guards.scan import Scanner
from agents.guards.text.concepts import concept_grams

__all__ = ["SCALE", "LinearModel", "cue_words", "load_model", "ngrams"]

SCALE: Final = 1000
"""Units of a weight in one logit."""

_MARKS: Final = tuple(b'.?!:"`{<|[#'[at : at + 1] for at in range(11))
_QUOTES: Final = {"’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"', "´": "'"}
# For `tokens`: all but letters, digits and marks become blanks. For `cue_words`: marks too, capitals small letters, others stay.
_KEPT: Final = bytes(b if chr(b).isalnum() or bytes((b,)) in _MARKS else 32 for b in range(128)) + bytes([32] * 128)
_WORDS: Final = bytes(ord(chr(b).lower()) if chr(b).isalnum() or b >= 128 else 32 for b in range(128)) + bytes(range(128, 256))


def _plain(text: str) -> str:
    """Lower-case ASCII: accents, zero-width characters and letters in disguise (full width, mathematical) are resolved."""
    if not text.isascii():
        for mark, plain in _QUOTES.items():
            if mark in text:
                text = text.replace(mark, plain)
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return text.lower()


def tokens(text: str) -> list[str]:
    """The words and marks of `text` in plain letters, without apostrophes (`can't` is `cant`). Twice as fast as a regular expression."""
    data = _plain(text).encode().translate(_KEPT, b"'")
    for mark in _MARKS:
        if mark in data:
            data = data.replace(mark, b" " + mark + b" ")
    return data.decode().split()


def ngrams(text: str, *, singles: bool) -> set[str]:
    """Pairs and triples of the words and marks of `text`, and pairs around one word (`cannot_help`).

    `singles` adds the words themselves and their meanings: they tell the topic, which helps with attacks and misleads with answers.
    """
    words = tokens(text)
    words.insert(0, "^")
    pairs = [f"{a} {b}" for a, b in pairwise(words)]
    grams = set(pairs)
    if singles:
        grams.update(words)
        grams |= concept_grams(words)
    grams.update([f"{pair} {c}" for pair, c in zip(pairs, words[2:], strict=False)])
    grams.update([f"{a}_{c}" for a, c in zip(words, words[2:], strict=False)])
    return grams


_Ends = tuple[dict[str, tuple[int | None, dict[str, int]]], dict[str, int]]
"""What may follow a word: by the second word the weight of the pair and those of triples by the third; weights of pairs around one word."""


def _ends(weights: Mapping[str, int]) -> tuple[dict[str, int], dict[str, _Ends]]:
    """The weights of single words, and those of n-grams by their first word: most words of a text begin none, which costs one look-up."""
    singles: dict[str, int] = {}
    ends: dict[str, _Ends] = {}
    for gram, weight in weights.items():
        words = gram.split(" ")
        if len(words) > 1:
            seconds, _ = ends.setdefault(words[0], ({}, {}))
            pair, thirds = seconds.get(words[1], (None, {}))
            if len(words) == 2:
                pair = weight
            else:
                thirds[words[2]] = weight
            seconds[words[1]] = pair, thirds
        elif len(around := gram.split("_")) == 2:
            ends.setdefault(around[0], ({}, {}))[1][around[1]] = weight
        else:
            singles[gram] = weight
    return singles, ends


class _Stored(msgspec.Struct):
    bias: int
    singles: bool
    least: int
    cues: list[str]
    weights: dict[str, int]


_NO_WORD: Final = rb"[^0-9A-Za-z\x80-\xff]"
_BEFORE: Final = rb"(?:^|" + _NO_WORD + rb")"
_AFTER: Final = rb"(?:" + _NO_WORD + rb"|$)"


def cue_words(text: str) -> list[bytes]:
    """Words of `text` in lower case without apostrophes: some of them are the cues by which one sees whether scoring is worth while."""
    return text.replace("’", "'").encode("utf-8", "replace").translate(_WORDS, b"'").split()


class LinearModel:
    """Weights in 1/`SCALE` logits by n-gram. A text with fewer than `least` different cue words has nothing to score."""

    def __init__(self, bias: int, weights: dict[str, int], cues: Iterable[str], *, singles: bool, least: int = 1) -> None:
        self.least = least
        self.bias = bias
        self.singles = singles
        self.weights = weights
        self.cues = frozenset(cue.encode() for cue in cues)
        self._cues = Scanner([_BEFORE + b"(?i:" + re.escape(cue) + b")" + _AFTER for cue in sorted(self.cues)], once=True)
        self._single_weights, self._ends = _ends(weights)

    def has_cue(self, text: str) -> bool:
        """Whether `text` has enough of the words without which hardly a text of the positive class was seen."""
        if "'" in text or "’" in text:
            text = text.replace("’", "").replace("'", "")
        return self._cues.finds(text.encode("utf-8", "replace"), self._on_cue, [])

    def _on_cue(self, cue: int, start: int, end: int, flags: int, found: list[int]) -> bool:
        found.append(cue)
        return len(found) >= self.least

    def probability(self, text: str) -> float:
        """Of the positive class, 0 to 1, for the whole of `text`. Costs time with its length: pass what matters."""
        return 1.0 / (1.0 + math.exp(-self.logit(text) / SCALE))

    def logit(self, text: str) -> int:
        """The bias and the weight of each n-gram of `text`, each once however often it occurs: as over `ngrams`, four times as fast."""
        words = tokens(text)
        found: dict[str, int] = {}
        if self.singles:
            singles = self._single_weights
            found.update([(gram, singles[gram]) for gram in singles.keys() & {*words, *concept_grams(words)}])
        words.insert(0, "^")
        words += ("", "")
        ends = self._ends
        for a, b, c in zip(words, words[1:], words[2:], strict=False):
            if (end := ends.get(a)) is None:
                continue
            seconds, around = end
            if (weight := around.get(c)) is not None:
                found[f"{a}_{c}"] = weight
            if (second := seconds.get(b)) is not None:
                pair, thirds = second
                if pair is not None:
                    found[f"{a} {b}"] = pair
                if (weight := thirds.get(c)) is not None:
                    found[f"{a} {b} {c}"] = weight
        return self.bias + sum(found.values())

    def to_json(self) -> bytes:
        """The file `load_model` reads, a weight a line."""
        cues = sorted(cue.decode() for cue in self.cues)
        stored = _Stored(bias=self.bias, singles=self.singles, least=self.least, cues=cues, weights=self.weights)
        return msgspec.json.format(msgspec.json.encode(stored), indent=0) + b"\n"


def load_model(name: str) -> LinearModel:
    """The model shipped as `agents/guards/models/<name>.json`. Raises FileNotFoundError, or msgspec.DecodeError if it is damaged."""
    stored = msgspec.json.decode(files("agents.guards.models").joinpath(f"{name}.json").read_bytes(), type=_Stored)
    return LinearModel(stored.bias, stored.weights, stored.cues, singles=stored.singles, least=stored.least)
