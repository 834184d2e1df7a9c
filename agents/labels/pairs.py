"""Does a later message ask the same as an earlier one? What of the earlier is still there, what was
added, and how far apart are the words that changed.

A word of one message is *met* in the other if it is there, or one that begins alike or is misspelt;
else by as much as it means the same as the nearest (soft alignment, as in Sultan et al. 2014, with
the word vectors of ``agents/common/embedding.py``). Words count by their rarity, those that are
around any request a quarter of it. Who asks again keeps what they asked, or asks for the same in
other words; who goes on drops some of it and adds something. Nothing here but the word vectors is
learned: nets and linear models of these and other features did worse on sources that they were not
trained on (card: ``MODEL.md``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from math import exp, expm1
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.common.embedding import Places, StaticEmbedding, embedding
from agents.labels import wording
from agents.labels.alignment import Alignment
from agents.labels.wording import Utterance

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]

TOGETHER = 8_192
"""Words of the pairs that are compared at once: their arrays stay in the processor's cache, and the
embedding has room for words that it does not list."""


class PairEvidence(NamedTuple):
    """What speaks for and against a repetition, of each pair. Shares are by rarity, 0 to 1."""

    kept: Numbers
    """The share of the earlier message that the later has too, in the same or in near words."""
    meaning: Numbers
    """How alike they are in meaning, 0 to 1 (a little below, if they are opposed)."""
    shared: Numbers
    """The share of their words that both have."""
    added: Numbers
    """How much the later says that the earlier did not, in rarity."""
    opposites: Truths
    """A word was changed for its opposite."""
    numbers_differ: Truths
    asks_else: Truths
    """Both ask with a word such as who or when, and no such word is in both."""
    onwards: Truths
    """The later begins as a next step does."""
    leans: Truths
    """A word of the later stands for something said before."""


AGAINST = {
    "opposites": 0.2,
    "numbers_differ": 0.4,
    "asks_else": 0.6,
    "onwards": 0.7,
    "leans": 0.8,
}
"""What is left of the evidence that words are kept, if this speaks against it."""
MEANT = 0.3
"""What meaning alone weighs, where no word is kept."""
MIDDLE, STEEPNESS = 0.5, 12.0
"""The evidence that makes a repetition as likely as not, and how fast it becomes likely."""

NOTHING_NEW = expm1(2.0)
"""``added`` up to which nothing new was asked."""
UNSURE = 0.84
"""A message that asks something new is no sure repetition, whatever else it has in common."""


class Likeness(msgspec.Struct, frozen=True, gc=False):
    """What two messages have in common."""

    same: float
    """The probability that the later asks the same as the earlier."""
    words: float
    """The share of their words that both have."""
    meaning: float
    """How alike they are in meaning, 0 to 1 (a little below, if they are opposed)."""


class PairModel:
    """Reads messages and compares them. What it makes of a pair depends on nothing else, to the last
    bit, whatever is compared beside it."""

    def __init__(self, words: StaticEmbedding | None = None) -> None:
        self.embedding = words or embedding()

    def read_all(self, texts: Sequence[str]) -> list[Utterance]:
        """The texts as pairs are made of them."""
        return list(wording.read_all(texts, self.embedding))

    def compare_among(
        self, texts: Sequence[Utterance], earlier: Places, later: Places
    ) -> list[Likeness]:
        """What pairs among some messages have in common, by their places."""
        found: list[Likeness] = []
        sizes = np.array([len(text.words) for text in texts], np.intp)
        passes = np.cumsum(sizes[earlier] + sizes[later]) // TOGETHER
        ends = [*(np.flatnonzero(np.diff(passes)) + 1).tolist(), len(passes)]
        for at, end in pairwise([0, *ends]):
            if at < end:
                evidence = self.evidence(texts, earlier[at:end], later[at:end])
                columns = evidence.shared.tolist(), evidence.meaning.tolist()
                found += map(Likeness, probability(evidence), *columns)
        return found

    def evidence(
        self, texts: Sequence[Utterance], earlier: Places, later: Places
    ) -> PairEvidence:
        """The evidence of pairs among some messages."""
        used, place = np.unique(np.concatenate((earlier, later)), return_inverse=True)
        told = [texts[n] for n in used.tolist()]
        first, second = place[: len(earlier)], place[len(earlier) :]
        aligned = Alignment(told, self.embedding).of(first, second)
        meanings = np.array([text.meaning for text in told], np.float32)
        asks = np.array([text.asks for text in told])
        sets: dict[frozenset[str], int] = {frozenset(): 0}
        numbers = np.array([sets.setdefault(text.numbers, len(sets)) for text in told])
        onwards = np.array([text.onwards for text in told])[second]
        for n in np.flatnonzero(onwards).tolist():
            onwards[n] = told[first[n]].words[:1] != told[second[n]].words[:1]
        leans = np.array([text.leans for text in told])
        # Whole numbers, in whatever order: see ``UNITS``.
        cosine = np.einsum("ij,ij->i", meanings[first], meanings[second]).astype(np.float64)
        both = np.minimum(numbers[first], numbers[second]) > 0
        both_ask = np.minimum(asks[first], asks[second]) > 0
        return PairEvidence(
            kept=aligned.kept,
            meaning=(cosine / wording.UNITS**2 + aligned.met) / 2,
            shared=aligned.shared,
            added=aligned.added,
            opposites=aligned.opposites,
            numbers_differ=both & (numbers[first] != numbers[second]),
            asks_else=both_ask & (asks[first] & asks[second] == 0),
            onwards=onwards,
            leans=leans[second],
        )


def probability(evidence: PairEvidence) -> list[float]:
    """That the later message asks the same as the earlier, of each pair."""
    words = evidence.kept * evidence.kept * evidence.kept
    for name, left in AGAINST.items():
        words = np.where(getattr(evidence, name), words * left, words)
    # By meaning alone only as far as words are not kept: the next question of a topic means much
    # the same as the last, and has half of its words.
    dropped = 1 - evidence.kept
    total = words + MEANT * evidence.meaning * dropped * dropped
    most = np.where(evidence.added <= NOTHING_NEW, 1.0, UNSURE)
    # One by one: numpy's exponential of many may differ in the last bit from that of one.
    return [
        min(1 / (1 + exp(-STEEPNESS * (of - MIDDLE))), limit)
        for of, limit in zip(total.tolist(), most.tolist(), strict=True)
    ]


@cache
def pair_model() -> PairModel:
    """With the embedding that ships with Mirante, read once."""
    return PairModel()
