"""A message as pairs are made of it: its words, what they ask, and what they mean together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.common.embedding import StaticEmbedding
from agents.inspection.folding import in_ascii
from agents.labels.lexicon import ASKING, LEANING, ONWARDS, ORDINALS, opposite

__all__ = ["HEAD", "LETTERS", "SLIPS", "TAIL", "UNITS", "Utterance", "misspelt", "read_all", "words_of"]

HEAD, TAIL = 300, 100
"""What is read of a message: its first characters and its last. Who asks again does so at the start
or the end."""
UNITS = 2048
"""The length of a meaning in whole numbers. What is made of them in floats of 32 bits is exact, so it
is the same in whatever order it is summed: UNITS**2 is below 2**24."""
ALIKE = 0.6
"""Share of pairs of letters in common from which a word is a misspelling of another (Dice)."""
LETTERS = 4
"""Of a word that can be misspelt at least."""
SLIPS = 2
"""Letters by which it may be longer or shorter."""
TOGETHER = 64
"""Messages read at once: their arrays stay in the processor's cache."""

_WORDS = re.compile("[a-z0-9]+").findall
_MASKED = re.compile(r"<[A-Z_]+:\w+>")
"""Personal data that was masked: it says who asks, and not what."""

Small = NDArray[np.int16]


class Utterance(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A message as pairs are made of it. Nobody says anything else by saying a word twice."""

    words: tuple[str, ...]
    """Each once, in order; lower case, without accents."""
    joined: tuple[str, ...]
    """What each word and the next are when written together ("log in")."""
    numbers: frozenset[str]
    asks: int
    """A bit for each kind of word that asks (``lexicon.ASKING``)."""
    leans: bool
    """A word stands for something said before."""
    onwards: bool
    """It begins as a next step does."""
    meaning: Small
    """Whole numbers, (dimensions,), about ``UNITS`` long; zeros without words."""


def words_of(text: str) -> list[str]:
    """The words of what is read of a message."""
    if len(text) > HEAD + TAIL:
        text = f"{text[:HEAD]} {text[-TAIL:]}"
    text = _MASKED.sub(" ", text) if "<" in text else text
    text = (text if text.isascii() else in_ascii(text)).lower()
    return [ORDINALS.get(word, word) for word in _WORDS(text.replace("'", ""))]


def read_all(texts: Sequence[str], embedding: StaticEmbedding) -> Iterator[Utterance]:
    """Each message as pairs are made of it. What is made of one does not depend on the others, to
    the last bit: its words are summed one after the other."""
    for at in range(0, len(texts), TOGETHER):
        said = [words_of(text) for text in texts[at : at + TOGETHER]]
        yield from map(_utterance, said, _meanings(said, embedding))


def _utterance(said: list[str], meaning: Small) -> Utterance:
    each = dict.fromkeys(said)
    words = tuple(each)
    asks = 0
    for word in each.keys() & ASKING.keys():
        asks |= ASKING[word]
    return Utterance(
        words=words,
        joined=tuple(map("".join, pairwise(words))),
        numbers=frozenset(filter(str.isdigit, each)),
        asks=asks,
        leans=not LEANING.isdisjoint(each),
        onwards=bool(said) and said[0] in ONWARDS,
        meaning=meaning,
    )


def _meanings(said: Sequence[list[str]], embedding: StaticEmbedding) -> NDArray[np.int16]:
    """A row for each message."""
    found = np.zeros((len(said), embedding.dimensions), np.float32)
    spoken = [n for n, words in enumerate(said) if words]
    if spoken:
        places = embedding.places(list(chain.from_iterable(said)))
        ends = np.cumsum([len(said[n]) for n in spoken])
        rows = embedding.vectors.take(places, 0)
        rows *= embedding.weights.take(places)[:, None]
        found[spoken] = np.add.reduceat(rows, np.concatenate(([0], ends[:-1])), axis=0)
    found *= UNITS / np.sqrt((found * found).sum(axis=1, keepdims=True)).clip(min=1e-12)
    return np.rint(found).astype(np.int16)


@lru_cache(1 << 14)
def misspelt(word: str, other: str) -> bool:
    """Whether one is likely the other with a slip of the fingers."""
    if word[0] != other[0] or abs(len(word) - len(other)) > SLIPS:
        return False
    if min(len(word), len(other)) < LETTERS or opposite(word, other):
        return False
    if not (word.isalpha() and other.isalpha()):  # invoice a1042 is not a1043
        return False
    if sorted(word) == sorted(other):  # letters exchanged
        return True
    one, two = (set(map("".join, pairwise(text))) for text in (word, other))
    return 2 * len(one & two) >= ALIKE * (len(one) + len(two))
