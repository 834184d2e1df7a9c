"""A linear classifier over word n-grams whose weights are a readable JSON table.

No hashing: an n-gram that training did not see weighs nothing, and what makes a text score can be shown. Weights are whole
thousandths, so that a sum does not depend on the order of its terms and every process gets the same score.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from importlib.resources import files
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import msgspec

from agents.inspection.folding import Folding, in_ascii
from agents.inspection.scan import Scanner
from agents.inspection.text.concepts import concept_grams

__all__ = ["SCALE", "LinearModel", "cues_of", "load_model", "ngrams", "plain", "share", "tokens"]

SCALE: Final = 1000
"""Units of a weight in one logit."""

_MARKS: Final = tuple(b'.?!:"`{<|[#'[at : at + 1] for at in range(11))
_QUOTES: Final = {"’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"', "´": "'"}


def _table(kept: bytes) -> bytes:
    """For `bytes.translate`: letters in lower case, digits and `kept` stay, all else becomes a blank."""
    return bytes(b if b in kept else ord(chr(b).lower()) if b < 128 and chr(b).isalnum() else 32 for b in range(256))


_TOKENS: Final = _table(b"".join(_MARKS))
_WORDS: Final = _table(b"")


_folds: Final = Folding(lambda character: in_ascii(_QUOTES.get(character, character)))


def _folded(text: str) -> bytes:
    """ASCII for `text`: accents, zero-width characters and letters in disguise (full width, mathematical) are resolved."""
    return text.translate(_folds).encode()


class _Codec(NamedTuple):
    """An encoding of one byte a character, and what `_folded` makes of each: nearly all text that is not ASCII has one."""

    name: str
    table: bytes
    dropped: bytes
    longer: tuple[tuple[bytes, bytes], ...]
    """Characters that stand for several: `½`, `…`."""


def _codec(name: str) -> _Codec:
    folded = {b: _folded(bytes((b,)).decode(name, "ignore")) for b in range(256)}
    return _Codec(
        name,
        bytes(to[0] if to else b for b, to in folded.items()),
        bytes(b for b, to in folded.items() if not to),
        tuple((bytes((b,)), to) for b, to in folded.items() if len(to) > 1),
    )


_CODECS: Final = (_codec("latin-1"), _codec("cp1252"))


def plain(text: str) -> bytes:
    """`text` in ASCII without apostrophes (`can't` is `cant`); character by character what Unicode's compatibility decomposition (NFKD,
    UAX 15) leaves of it."""
    data = text.encode() if text.isascii() else _plain(text)
    return data.replace(b"'", b"") if b"'" in data else data


def _plain(text: str, codecs: Sequence[_Codec] = _CODECS) -> bytes:
    for codec in codecs:
        try:
            data = text.encode(codec.name)
        except UnicodeEncodeError:
            continue
        for written, read in codec.longer:
            if written in data:
                data = data.replace(written, read)
        return data.translate(codec.table, codec.dropped)
    return _folded(text)


_NONE, _SEVERAL = b"\0", b"\1"


def _word_byte(character: str) -> int:
    """Its letter, digit or blank in plain words, or one of the signs that it has none or several there."""
    folded = _folded(character).replace(b"'", b"")
    return _WORDS[folded[0]] if len(folded) == 1 else (_SEVERAL if folded else _NONE)[0]


_AT_ONCE: Final = bytes(_word_byte(chr(b)) for b in range(256))


def spaced(text: str) -> bytes:
    """`text` in plain ASCII as words in lower case between blanks. One translation does for Latin-1, which nearly all text is."""
    try:
        data = text.encode("latin-1").translate(_AT_ONCE)
    except UnicodeEncodeError:
        return _spaced(_plain(text, _CODECS[1:]))
    if _SEVERAL in data:
        return _spaced(_plain(text))
    return b" %b " % (data.replace(_NONE, b"") if _NONE in data else data)


def _spaced(data: bytes) -> bytes:
    return b" %b " % data.replace(b"'", b"").translate(_WORDS)


def tokens(data: bytes) -> list[str]:
    """The words and marks of plain text. Twice as fast as a regular expression."""
    data = data.translate(_TOKENS)
    for mark in _MARKS:
        if mark in data:
            data = data.replace(mark, b" " + mark + b" ")
    return data.decode().split()


def share(words: int) -> float:
    """What an n-gram of a text of so many words counts for in a model that divides length out: about one divided by
    the square root of how many n-grams there are, four a word, as in TF-IDF."""
    return 1.0 / math.sqrt(4 * words + 1)


def ngrams(text: str, *, singles: bool) -> set[str]:
    """Pairs and triples of the words and marks of `text`, and pairs around one word (`cannot_help`).

    `singles` adds the words themselves and their meanings: they tell the topic, which helps with attacks and misleads with answers.
    """
    words = tokens(plain(text))
    words.insert(0, "^")
    pairs = [f"{a} {b}" for a, b in pairwise(words)]
    grams = set(pairs)
    if singles:
        grams.update(words)
        grams |= concept_grams(words)
    grams.update([f"{pair} {c}" for pair, c in zip(pairs, words[2:], strict=False)])
    grams.update([f"{a}_{c}" for a, c in zip(words, words[2:], strict=False)])
    return grams


_Ends = tuple[dict[str, tuple[int, dict[str, int]]], dict[str, int]]
"""What may follow a word: by the second word the pair (0: none) and by the third the triples; pairs around one word. All by number."""


def _ends(grams: Iterable[str]) -> tuple[dict[str, int], dict[str, _Ends]]:
    """Numbers from 1 of the single words, and of n-grams by their first word: most words of a text begin none, which costs one look-up."""
    singles: dict[str, int] = {}
    ends: dict[str, _Ends] = {}
    for number, gram in enumerate(grams, 1):
        words = gram.split(" ")
        if len(words) > 1:
            seconds, _ = ends.setdefault(words[0], ({}, {}))
            pair, thirds = seconds.get(words[1], (0, {}))
            if len(words) == 2:
                pair = number
            else:
                thirds[words[2]] = number
            seconds[words[1]] = pair, thirds
        elif len(around := gram.split("_")) == 2:
            ends.setdefault(around[0], ({}, {}))[1][around[1]] = number
        else:
            singles[gram] = number
    return singles, ends


Divided = Literal["", "words", "ngrams"]
"""By the square root of what a sum of weights is divided, so that a long text does not weigh more: by nothing; by four
times the words of the text and one (:func:`share`), about as many n-grams as it has; by the n-grams that the model knows."""


class _Stored(msgspec.Struct):
    bias: int
    singles: bool
    least: int
    cues: list[str]
    weights: dict[str, int]
    divided: Divided = ""


def cues_of(text: str) -> set[str]:
    """The words of `text`, and its pairs of words with no more than one mark between: some of them are the cues by which one sees
    whether scoring is worth while."""
    found = spaced(text).decode().replace("  ", " ").split(" ")
    return {*found, *(f"{a} {b}" for a, b in pairwise(found) if a and b)} - {""}


def _at_once(cue: int, start: int, end: int, flags: int, context: object) -> bool:
    return True


class LinearModel:
    """Weights in 1/`SCALE` logits by n-gram. A text with fewer than `least` different cues has nothing to score.

    Without ``cues`` every text is scored.
    """

    def __init__(
        self,
        bias: int,
        weights: dict[str, int],
        cues: Iterable[str],
        *,
        singles: bool,
        least: int = 1,
        divided: Divided = "",
    ) -> None:
        self.least = least
        self.divided = divided
        self.bias = bias
        self.singles = singles
        self.weights = weights
        self.cues = frozenset(cues)
        # a pattern for each number of blanks: ten times as fast as to make one of two in every text
        written = sorted({(f" {cue.replace(' ', blank)} ".encode(), cue) for cue in self.cues for blank in (" ", "  ")})
        self._written = [cue for _, cue in written]
        self._cues = Scanner([pattern for pattern, _ in written], once=True) if written else None
        self._singles, self._ends = _ends(weights)
        self._weight = (0, *weights.values()).__getitem__

    def has_cue(self, text: str) -> bool:
        """Whether `text` has enough of the cues without which hardly a text of the positive class was seen."""
        return self._has_cues(text, self.least)

    def _has_cues(self, text: str, least: int) -> bool:
        if self._cues is None:
            return True
        if least == 1:
            return self._cues.finds(spaced(text), _at_once, None)
        found: set[str] = set()

        def enough(number: int, start: int, end: int, flags: int, context: object) -> bool:
            found.add(self._written[number])
            return len(found) >= least

        return self._cues.finds(spaced(text), enough, None)

    def score(self, text: str, more: int = 0) -> float:
        """`probability`, or 0 if `text` has not at least `least + more` cues, which costs a tenth of scoring."""
        return self.probability(text) if self._has_cues(text, self.least + more) else 0.0

    def probability(self, text: str) -> float:
        """Of the positive class, 0 to 1, for the whole of `text`. Costs time with its length: pass what matters."""
        return 1.0 / (1.0 + math.exp(-self.logit(text) / SCALE))

    def logit(self, text: str) -> int:
        """The bias and the weight of each n-gram of `text`, each once however often it occurs: as over `ngrams`, four times as fast."""
        words = tokens(plain(text))
        counted = len(words)
        found: set[int] = set()
        words.insert(0, "^")
        if self.singles:
            found.update(map(self._singles.__getitem__, self._singles.keys() & {*words, *concept_grams(words)}))
        words += ("", "")
        ends = self._ends
        for a, b, c in zip(words, words[1:], words[2:], strict=False):
            if a in ends:
                seconds, around = ends[a]
                if c in around:
                    found.add(around[c])
                if b in seconds:
                    pair, thirds = seconds[b]
                    found.add(pair)
                    if c in thirds:
                        found.add(thirds[c])
        found.discard(0)
        total = sum(map(self._weight, found))
        if self.divided == "words":
            return self.bias + round(total * share(counted))
        if self.divided == "ngrams":
            return self.bias + round(total / math.sqrt(len(found) or 1))
        return self.bias + total

    def to_json(self) -> bytes:
        """The file `load_model` reads, a weight a line."""
        stored = _Stored(
            bias=self.bias,
            singles=self.singles,
            least=self.least,
            cues=sorted(self.cues),
            weights=self.weights,
            divided=self.divided,
        )
        return msgspec.json.format(msgspec.json.encode(stored), indent=0) + b"\n"


def load_model(name: str) -> LinearModel:
    """The model shipped as `agents/inspection/models/<name>.json`. Raises FileNotFoundError, or msgspec.DecodeError if it is damaged."""
    stored = msgspec.json.decode(files("agents.inspection.models").joinpath(f"{name}.json").read_bytes(), type=_Stored)
    return LinearModel(
        stored.bias,
        stored.weights,
        stored.cues,
        singles=stored.singles,
        least=stored.least,
        divided=stored.divided,
    )
