"""Which words of one message are met in another, for many pairs of messages at once.

All arrays are of the messages of one pass. Sums are of whole numbers or of fractions with a power
of two below them, so they are exact, and the same in whatever order they are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.common.embedding import Floats, Places, StaticEmbedding
from agents.labels.lexicon import ASKING, FRAMING, LEANING, OPPOSED, UNDOING
from agents.labels.wording import LETTERS, SLIPS, UNITS, Utterance, misspelt

__all__ = ["Aligned", "Alignment"]

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]

RAREST = 12
"""Words that are compared by what they mean, the rarest of each message."""
CONTENT = 2.6
"""-log10 of how often a word is met, from which it says what a question is about."""
STEM = 5
"""Letters by which inflected words are taken for one."""
NEAR = 0.5
"""The cosine from which a word stands for another."""
_WEIGHTS = {**dict.fromkeys(FRAMING, 0.25), **dict.fromkeys(LEANING, 0.0)}
"""Of words that count for less than they are rare. What one of ``LEANING`` stands for may be named
in the other message."""
DOUBT = 0.25
"""Rarity that is taken for dropped of any message, so that little is kept of one that says nothing
but such words."""
_WIDTHS = (4, 8, RAREST)
"""Rarest words of the longer of two messages: pairs that have as many are multiplied together."""


class Aligned(NamedTuple):
    """Of each pair."""

    kept: Numbers
    """The share of the earlier message's words, by weight, that the later has, near ones in part."""
    met: Numbers
    """The share of the content of both, by rarity, that the other says, in whatever words."""
    shared: Numbers
    """The share of their words that both have."""
    added: Numbers
    """How rare the words are that only the later has, times how far from all that the earlier says."""
    opposites: Truths
    """A word was changed for its opposite."""


class Alignment:
    """Messages, taken apart for all pairs among them."""

    def __init__(self, texts: Sequence[Utterance], embedding: StaticEmbedding) -> None:
        self._texts = texts
        said = list(chain.from_iterable(text.words for text in texts))
        words = list(dict.fromkeys(said))
        number = dict(zip(words, range(len(words)), strict=True))
        """Of each word: its place in the arrays of words."""
        places = embedding.places(words)
        self._words = words
        self._ids = np.fromiter(map(number.__getitem__, said), np.intp, len(said))
        self._sizes = np.array([len(text.words) for text in texts])
        self._starts = np.cumsum(self._sizes) - self._sizes
        of = np.repeat(np.arange(len(texts)), self._sizes)
        self._rarity = np.append(embedding.rarity.take(places), 0).astype(np.float64)
        weights = np.ones(len(words))
        self._asking = np.zeros(len(words), np.int64)
        for word in number.keys() & _WEIGHTS.keys():
            weights[number[word]] = _WEIGHTS[word]
        for word in number.keys() & ASKING.keys():
            self._asking[number[word]] = ASKING[word]
        self._leaning = weights == 0
        self._weight = weights * self._rarity[:-1]
        self._asks = np.array([text.asks for text in texts], np.int64)
        self._length = np.fromiter(map(len, words), np.intp, len(words))
        begins = np.array(words, f"S{STEM}")
        self._initial = begins.view(np.uint8)[::STEM]
        # Which text has which word, and which beginning; the last beginning is of words without.
        self._has = np.zeros((len(texts), len(words)), np.bool_)
        self._has[of, self._ids] = True
        stems, self._stem = np.unique(begins, return_inverse=True)
        self._stem[self._length < STEM] = len(stems)
        self._begins = np.zeros((len(texts), len(stems) + 1), np.bool_)
        self._begins[of, self._stem[self._ids]] = True
        self._begins[:, -1] = False
        apart = number.keys().isdisjoint
        self._joined = [
            (text, number[joined], at)
            for text, each in enumerate(texts)
            if not apart(each.joined)
            for at, joined in enumerate(each.joined)
            if joined in number
        ]
        self._spelt = self._has.copy() if self._joined else self._has
        """The same as ``has``, with what neighbours are when written together."""
        for text, joined, _ in self._joined:
            self._spelt[text, joined] = True
        self._opposed = _opposed(number)
        self._strange = (places >= embedding.listed) & (self._length >= LETTERS)
        for n in np.flatnonzero(self._strange).tolist():  # what is no word is not spelt
            self._strange[n] = words[n].isalpha()
        self._content(of)
        units = embedding.vectors.take(places, 0) / embedding.lengths.take(places)[:, None]
        self._units: Floats = np.zeros((len(words) + 1, embedding.dimensions), np.float32)
        np.rint(units * UNITS, out=self._units[:-1])

    def _content(self, of: Places) -> None:
        """The rarest words of each text, at most ``RAREST``; all are as good where none is rare."""
        rarity = self._rarity[self._ids]
        rare = rarity >= CONTENT
        has = np.bincount(of, rare, len(self._texts)) > 0
        chosen = np.flatnonzero(rare | ~has[of])
        order = chosen[np.lexsort((-rarity[chosen], of[chosen]))]
        texts = of[order]
        rank = np.arange(len(order)) - np.searchsorted(texts, texts)
        order, texts, rank = (of_all[rank < RAREST] for of_all in (order, texts, rank))
        shape = len(self._texts), RAREST
        self._rarest = np.full(shape, len(self._words), np.intp)
        """Words, or the one behind the last."""
        self._rarest[texts, rank] = self._ids[order]
        self._at = np.zeros(shape, np.intp)
        """Where in their text they stand."""
        self._at[texts, rank] = order - self._starts[texts]
        self._counts = np.bincount(texts, minlength=len(self._texts))
        rarity = self._rarity[self._rarest]
        self._rareness = np.where(rarity >= CONTENT, rarity, 0)
        """How rare they are; 0 if not rare, or none."""

    def of(self, earlier: Places, later: Places) -> Aligned:
        """Of pairs of texts."""
        pairs = len(earlier)
        here, there = np.concatenate((earlier, later)), np.concatenate((later, earlier))
        sizes = self._sizes[here]
        begins = np.cumsum(sizes) - sizes
        side = np.repeat(np.arange(2 * pairs), sizes)
        words = self._ids[np.arange(len(side)) + (self._starts[here] - begins)[side]]
        other = there[side]
        same = self._has[other, words]
        met = self._spelt[other, words]
        met |= self._begins[other, self._stem[words]]
        met |= (self._asking[words] & self._asks[other]) > 0
        self._written_apart(met, here, there, begins)
        self._misspelt(met, same, begins, words)
        gone = ~(met | self._leaning[words])
        weight = self._weight[words]
        # Of the rarest words those that are not met, and how near the nearest of the other is.
        near = np.concatenate(self._nearest(earlier, later))
        rare = self._rareness[here]
        rare *= np.append(gone, False)[begins[:, None] + self._at[here]]
        again = (rare * (near - NEAR).clip(min=0)).sum(axis=1)[:pairs] / (1 - NEAR)
        unmet = (rare * (1 - near)).sum(axis=1)
        total = np.bincount(side, weight, 2 * pairs)[:pairs]
        lost = np.bincount(side, weight * gone, 2 * pairs)[:pairs] - again
        common = np.bincount(side, same, 2 * pairs)[:pairs]
        said = 1 - unmet / self._rareness.sum(axis=1)[here].clip(min=1e-9)
        spoken = (sizes[:pairs] > 0) & (sizes[pairs:] > 0)  # who says nothing asks nothing
        return Aligned(
            kept=spoken * (total - lost) / (total + DOUBT),
            met=spoken * (said[:pairs] + said[pairs:]) / 2,
            shared=common / (sizes[:pairs] + sizes[pairs:] - common).clip(min=1),
            added=unmet[pairs:],
            opposites=self._changed(earlier, later),
        )

    def _nearest(self, earlier: Places, later: Places) -> tuple[Numbers, Numbers]:
        """The cosine of each of the rarest words and the nearest of the other's; 0 if none is near.
        Both (pairs, RAREST). Whole numbers before they are divided: exact."""
        one, two = (np.zeros((len(earlier), RAREST), np.float32) for _ in range(2))
        wide = np.maximum(self._counts[earlier], self._counts[later])
        least = 0
        for width in _WIDTHS:
            some = np.flatnonzero((wide > least) & (wide <= width))
            if len(some):
                first = self._units[self._rarest[earlier[some], :width]]
                second = self._units[self._rarest[later[some], :width]]
                cosines = first @ second.transpose(0, 2, 1)
                one[some, :width] = cosines.max(axis=2)
                two[some, :width] = cosines.max(axis=1)
            least = width
        one, two = np.maximum(one, 0), np.maximum(two, 0)
        return one.astype(np.float64) / UNITS**2, two.astype(np.float64) / UNITS**2

    def _written_apart(self, met: Truths, here: Places, there: Places, begins: Places) -> None:
        """Two neighbours are met by what they are when written together."""
        for text, joined, at in self._joined:
            sides = np.flatnonzero(here == text)
            sides = begins[sides[self._has[there[sides], joined]]]
            met[sides + at] = met[sides + at + 1] = True

    def _misspelt(self, met: Truths, same: Truths, begins: Places, words: Places) -> None:
        """A word and its misspelling are met by each other; one of them at least is not listed."""
        odd = np.flatnonzero(self._strange[words] & ~same)
        if not len(odd):
            return
        # Beside each of them all words of the other side.
        sides, ends = len(begins), np.append(begins[1:], len(words))
        other = (np.searchsorted(begins, odd, "right") - 1 + sides // 2) % sides
        sizes = ends[other] - begins[other]
        first = np.cumsum(sizes) - sizes
        near = np.arange(sizes.sum()) + np.repeat(begins[other] - first, sizes)
        odd = np.repeat(odd, sizes)
        one, two = words[odd], words[near]
        alike = ~same[near] & (self._initial[one] == self._initial[two])
        alike &= np.abs(self._length[one] - self._length[two]) <= SLIPS
        some = np.flatnonzero(alike)
        keys, back = np.unique(one[some] * len(self._words) + two[some], return_inverse=True)
        each = zip(*(of.tolist() for of in np.divmod(keys, len(self._words))), strict=True)
        found = np.array([misspelt(self._words[n], self._words[m]) for n, m in each], np.bool_)
        some = some[found[back]]
        met[odd[some]] = met[near[some]] = True

    def _changed(self, earlier: Places, later: Places) -> Truths:
        """Whether one has a word and the other its opposite, and neither has both."""
        if not self._opposed:
            return np.zeros(len(earlier), np.bool_)
        one, two = np.array(self._opposed).T
        first, second = self._has[earlier], self._has[later]
        swapped = first[:, one] & second[:, two] & ~first[:, two] & ~second[:, one]
        return np.asarray(swapped.any(axis=1))


def _opposed(number: dict[str, int]) -> list[tuple[int, int]]:
    """Pairs of opposites among words, both ways."""
    found: list[tuple[int, int]] = []
    for word in number.keys() & OPPOSED.keys():
        found += zip(repeat(number[word]), map(number.__getitem__, OPPOSED[word] & number.keys()))
    for word, n in number.items():
        if word.startswith(UNDOING):
            for beginning in UNDOING:
                plain = number.get(word.removeprefix(beginning))
                if plain is not None and plain != n and len(word) > len(beginning) + 3:
                    found += ((n, plain), (plain, n))
    return found
