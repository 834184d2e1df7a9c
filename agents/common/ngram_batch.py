"""Many texts by several models of :mod:`agents.common.ngram_model` at once, in a tenth of the time.

What is made of a text does not depend on the others: it is :meth:`NgramModel.logit`, to the last
bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agents.common.ngram_model import (
    SCALE,
    NgramModel,
    TextShape,
    character_hashes,
    line_of,
    mixed,
    part_of,
    plain,
    salt_of,
    word_hashes,
    words_of,
)

__all__ = ["logits", "view_slots"]

Owners = NDArray[np.intp]
Hashes = NDArray[np.uint64]

_AT_ONCE: Final = 256
"""Texts in one pass: their arrays stay in the processor's cache."""


def view_slots(shape: TextShape, texts: Sequence[str]) -> Iterator[tuple[Hashes, Owners]]:
    """For each view of a shape the slots of all n-grams, as often as they occur, and beside each
    the place in ``texts`` it comes from."""
    data = [plain(shape.bounded(text)) for text in texts]
    for number, view in enumerate(shape.views):
        parts = [part_of(whole, view) for whole in data]
        salt = salt_of(number)
        found: list[tuple[Hashes, Owners]] = []
        if view.words:
            words = [words_of(part) for part in parts]
            runs = word_hashes(list(chain.from_iterable(words)), view.words, salt)
            found += _within(runs, _owners(words), sorted(view.words))
        if view.characters:
            lines = [line_of(part) for part in parts]
            runs = character_hashes(b"".join(lines), view.characters, salt)
            found += _within(runs, _owners(lines), view.characters)
        if found:
            hashes, owners = zip(*found, strict=True)
            yield mixed(np.concatenate(hashes), shape.bits), np.concatenate(owners)


def _owners(units: Sequence[Sequence[bytes] | bytes]) -> Owners:
    return np.repeat(np.arange(len(units)), [len(each) for each in units])


def _within(
    runs: Iterable[Hashes], owners: Owners, lengths: Sequence[int]
) -> Iterator[tuple[Hashes, Owners]]:
    """Without those that reach from one text into the next."""
    for hashes, length in zip(runs, lengths, strict=True):
        begins, ends = owners[: len(hashes)], owners[length - 1 :]
        same = begins == ends
        yield hashes[same], begins[same]


def logits(models: Sequence[NgramModel], texts: Sequence[str]) -> NDArray[np.float64]:
    """A row for each text, with its log-odds by each model. Raises ValueError unless all models
    have one shape.

    >>> shape = TextShape(views=(), bits=4)
    >>> logits([NgramModel(shape, SCALE, np.zeros(16, np.int32))], ["a", ""]).tolist()
    [[1.0], [1.0]]
    """
    shape = models[0].shape
    if any(model.shape != shape for model in models):
        raise ValueError("models of different shapes do not read a text alike")
    found = np.empty((len(texts), len(models)))
    for at in range(0, len(texts), _AT_ONCE):
        part = texts[at : at + _AT_ONCE]
        rows = found[at : at + _AT_ONCE]
        rows[:] = [model.bias for model in models]
        for slots, owners in view_slots(shape, part):
            sizes = np.bincount(owners, minlength=len(part)).clip(min=max(shape.least, 1))
            shares = 1.0 / np.sqrt(sizes)
            weighs = np.zeros(len(slots), dtype=bool)
            for model in models:
                weighs |= model.weights.take(slots) != 0
            keys = (owners[weighs] << shape.bits) | slots[weighs].astype(np.intp)
            keys.sort()
            first = np.ones(len(keys), dtype=bool)
            np.not_equal(keys[1:], keys[:-1], out=first[1:])
            distinct = keys[first]
            of, places = distinct >> shape.bits, distinct & (1 << shape.bits) - 1
            for column, model in enumerate(models):
                # whole numbers far below 2**53, which a float holds exactly
                sums = np.bincount(of, model.weights.take(places), len(part))
                rows[:, column] += sums * shares
    return found / SCALE
