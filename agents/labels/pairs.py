"""Does a later message ask the same as an earlier one? What of the earlier is still there, what was
added, and how far apart are the words that changed.

A word of one message is *met* in the other if it is there, or one that begins alike or is misspelt;
else by as much as it means the same as the nearest (soft alignment, as in Sultan et al. 2014, with
the word vectors of ``agents/common/embedding.py``). Words count by their rarity. Who asks again
keeps what they asked, or asks for the same in other words; who goes on drops some of it and adds
something. Nothing here but the word vectors is learned: nets and linear models of these and other
features did worse on sources that they were not trained on (card: ``MODEL.md``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from math import exp, log1p
from typing import NamedTuple

import msgspec

from agents.common.embedding import Floats, Places, StaticEmbedding, embedding
from agents.inspection.folding import in_ascii
from agents.labels.lexicon import ASKING, LEANING, ONWARDS, OPPOSED, UNDOING, opposite

HEAD, TAIL = 300, 100
"""What is read of a message: its first characters and its last. Who asks again does so at the start
or the end."""
RAREST = 12
"""Words without a counterpart that are compared by what they mean, the rarest of each message."""
CONTENT = 2.6
"""-log10 of how often a word is met, from which it says what a question is about."""
STEM = 5
"""Letters by which inflected words are taken for one."""
MOST = 20
"""Words that a word is compared with letter by letter."""
NEAR = 0.5
"""The cosine from which a word stands for another."""
ALIKE = 0.6
"""Share of pairs of letters in common from which a word is a misspelling of another (Dice)."""

_WORDS = re.compile("[a-z0-9]+").findall
_MASKED = re.compile(r"<[A-Z_]+:\w+>")
"""Personal data that was masked: it says who asks, and not what."""


class PairEvidence(NamedTuple):
    """What speaks for and against a repetition. Shares are by rarity, 0 to 1."""

    kept: float
    """The share of the earlier message that the later has too, in the same or in near words."""
    meaning: float
    """How alike they are in meaning, 0 to 1 (a little below, if they are opposed)."""
    shared: float
    """The share of their words that both have."""
    added: float
    """Logarithm of how much the later says that the earlier did not."""
    opposites: bool
    """A word was changed for its opposite."""
    numbers_differ: bool
    asks_else: bool
    """Both ask with a word such as who or when, and no such word is in both."""
    onwards: bool
    """The later begins as a next step does."""
    leans: bool
    """A word of the later stands for something said before."""


AGAINST = {
    "opposites": 0.2,
    "numbers_differ": 0.4,
    "asks_else": 0.6,
    "onwards": 0.7,
    "leans": 0.8,
}
"""What is left of the evidence that words are kept, if this speaks against it."""
POWER = 3
MEANT = 0.3
"""What meaning alone weighs, where no word is kept."""
MIDDLE, STEEPNESS = 0.5, 12.0
"""The evidence that makes a repetition as likely as not, and how fast it becomes likely."""

NOTHING_NEW = 2.0
"""``added`` up to which nothing new was asked."""
UNSURE = 0.84
"""A message that asks something new is no sure repetition, whatever else it has in common."""


class Utterance(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A message as pairs are made of it."""

    words: tuple[str, ...]
    """All, in order; lower case, without accents."""
    meaning: Floats
    """Of length 1."""


class Likeness(msgspec.Struct, frozen=True, gc=False):
    """What two messages have in common."""

    same: float
    """The probability that the later asks the same as the earlier."""
    words: float
    """The share of their words, 0 to 1."""
    meaning: float
    """How alike they are in meaning, 0 to 1 (a little below, if they are opposed)."""


def words_of(text: str) -> list[str]:
    """The words of what is read of a message."""
    if len(text) > HEAD + TAIL:
        text = f"{text[:HEAD]} {text[-TAIL:]}"
    text = _MASKED.sub(" ", text) if "<" in text else text
    text = (text if text.isascii() else in_ascii(text)).lower()
    return _WORDS(text.replace("'", ""))


def misspelt(word: str, other: str) -> bool:
    """Whether one is likely the other with a slip of the fingers."""
    if word[0] != other[0] or abs(len(word) - len(other)) > 2 or min(len(word), len(other)) < 4:
        return False
    if opposite(word, other) or word.isdigit() or other.isdigit():
        return False
    if sorted(word) == sorted(other):  # letters exchanged
        return True
    one, two = (set(map("".join, pairwise(text))) for text in (word, other))
    return 2 * len(one & two) >= ALIKE * (len(one) + len(two))


class PairModel:
    """Reads messages and compares them. What it makes of a pair depends on nothing else."""

    def __init__(self, words: StaticEmbedding | None = None) -> None:
        self.embedding = words or embedding()

    def read(self, text: str) -> Utterance:
        """The text as pairs are made of it."""
        words = words_of(text)
        return Utterance(tuple(words), self.embedding.vector(words))

    def compare(self, earlier: Utterance, later: Utterance) -> Likeness:
        """What two messages that have words have in common."""
        evidence = self.evidence(earlier, later)
        return Likeness(probability(evidence), evidence.shared, evidence.meaning)

    def evidence(self, earlier: Utterance, later: Utterance) -> PairEvidence:
        """The evidence of two messages that have words."""
        first, second = earlier.words, later.words
        places = self.embedding.places((*first, *second))  # at once: they hold until the next call
        rarity = self.embedding.rarity[places].tolist()
        one = _Side(first, places[: len(first)], rarity)
        two = _Side(second, places[len(first) :], rarity[len(first) :])
        one.look_in(two, self.embedding.listed)
        two.look_in(one, self.embedding.listed)
        if one.rarest:
            one.near = self._nearest(one.rarest, two.content)
        if two.rarest:
            two.near = self._nearest(two.rarest, one.content)
        aligned = (one.met + two.met) / 2
        return PairEvidence(
            kept=one.kept,
            meaning=(float(earlier.meaning @ later.meaning) + aligned) / 2,
            shared=len(one.all & two.all) / len(one.all | two.all),
            added=log1p(sum(two.unmet)),
            opposites=_opposed(one.missing, two.missing),
            numbers_differ=bool(one.numbers and two.numbers and one.numbers != two.numbers),
            asks_else=bool(one.asks and two.asks and one.asks.isdisjoint(two.asks)),
            onwards=second[0] in ONWARDS and first[0] != second[0],
            leans=not LEANING.isdisjoint(two.all),
        )

    def _nearest(self, words: Sequence[_Word], others: Sequence[_Word]) -> list[float]:
        """The cosine of each word and the nearest of the others."""
        found: list[float] = (self._unit(words) @ self._unit(others).T).max(axis=1).tolist()
        return found

    def _unit(self, words: Sequence[_Word]) -> Floats:
        at = [place for _, place, _ in words]
        lengths = self.embedding.lengths.take(at)[:, None]
        found: Floats = self.embedding.vectors.take(at, 0) / lengths
        return found


def probability(evidence: PairEvidence) -> float:
    """That the later message asks the same as the earlier."""
    words = evidence.kept**POWER
    for name, left in AGAINST.items():
        if getattr(evidence, name):
            words *= left
    # By meaning alone only as far as words are not kept: the next question of a topic means much
    # the same as the last, and has half of its words.
    total = words + MEANT * evidence.meaning * (1 - evidence.kept) ** 2
    found = 1 / (1 + exp(-STEEPNESS * (total - MIDDLE)))
    return found if evidence.added <= NOTHING_NEW else min(found, UNSURE)


_Word = tuple[str, int, float]
"""A word, its place among the vectors, its rarity."""


class _Side:
    """One message of a pair."""

    def __init__(self, words: Sequence[str], places: Places, rarity: Sequence[float]) -> None:
        self.all = frozenset(words)
        # Each once; zip ends with the words.
        self.each: dict[str, _Word] = {
            word: (word, place, rare)
            for word, place, rare in zip(words, places.tolist(), rarity, strict=False)
        }
        self.content = [word for word in self.each.values() if word[2] >= CONTENT]
        self.content = self.content or list(self.each.values())
        self.numbers = frozenset(filter(str.isdigit, self.all))
        self.asks = frozenset(ASKING[word] for word in self.all & ASKING.keys())
        self.missing: list[str] = []
        self.rarest: list[_Word] = []
        self.near: list[float] = []
        """Of ``rarest``: the cosine of each and the nearest word of the other."""
        self._total = self._gone = 0.0

    def look_in(self, other: _Side, listed: int) -> None:
        """Find which words are missing there, and what share of the words, by rarity, is not. Of a
        word and its misspelling one at least is not ``listed``."""
        stems = {word[:STEM] for word in other.all if len(word) >= STEM}
        alike: dict[str, list[str]] = {}
        strange: dict[str, list[str]] = {}
        for word in other.all - self.all:
            if len(word) > 3:
                alike.setdefault(word[0], []).append(word)
                if other.each[word][1] >= listed:
                    strange.setdefault(word[0], []).append(word)
        joined = set(map("".join, pairwise(other.each)))  # "log in", "login"
        apart = {
            word for pair in pairwise(self.each) if "".join(pair) in other.all for word in pair
        }
        found = []
        for each in self.each.values():
            word, place, rare = each
            if word in LEANING:  # what it stands for may be named there
                continue
            self._total += rare
            if word in other.all or (len(word) >= STEM and word[:STEM] in stems):
                continue
            if word in joined or word in apart or ASKING.get(word) in other.asks:
                continue
            near = (alike if place >= listed else strange).get(word[0], ())
            if any(misspelt(word, there) for there in near[:MOST]):
                continue
            found.append(each)
            self._gone += rare
        self.missing = [word for word, *_ in found]
        self.rarest = [word for word in found if word[2] >= CONTENT]
        if len(self.rarest) > RAREST:
            self.rarest = sorted(self.rarest, key=_rarity, reverse=True)[:RAREST]

    @property
    def unmet(self) -> list[float]:
        """Of ``rarest``: how rare each is, times how far from anything that the other says."""
        pairs = zip(self.rarest, self.near, strict=True)
        return [word[2] * (1 - max(near, 0.0)) for word, near in pairs]

    @property
    def met(self) -> float:
        """The share of its content, by rarity, that the other says, in whatever words."""
        return 1 - sum(self.unmet) / max(sum(map(_rarity, self.content)), 1e-9)

    @property
    def kept(self) -> float:
        """The share of its words, by rarity, that are there too, near ones in part."""
        pairs = zip(self.rarest, self.near, strict=True)
        again = sum(word[2] * max(0.0, near - NEAR) / (1 - NEAR) for word, near in pairs)
        return 1 - (self._gone - again) / self._total if self._total else 1.0


def _rarity(word: _Word) -> float:
    return word[2]


def _opposed(words: Sequence[str], others: Sequence[str]) -> bool:
    there = frozenset(others)
    for word in words:
        if word in OPPOSED and any(opposite(word, other) for other in others):
            return True
        if len(word) > 3 and any(beginning + word in there for beginning in UNDOING):
            return True
    # The other way round: a word of these is one of those with such a beginning.
    here = frozenset(words)
    return any(
        len(other) > 3 and beginning + other in here for other in others for beginning in UNDOING
    )


@cache
def pair_model() -> PairModel:
    """With the embedding that ships with Mirante, read once."""
    return PairModel()
