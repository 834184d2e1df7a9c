"""Words and likeness of short texts, English and Portuguese alike: case, accents, punctuation and spacing do not count."""

from __future__ import annotations

import re
from itertools import pairwise

from agents.inspection.folding import folded_words

_WORD = re.compile(r"<[a-z_]+:\d+>|\w+")


def words(text: str) -> list[str]:
    """The words of a text, lower case and without accents; tags of masked data such as ``<cpf:12>`` are words."""
    return _WORD.findall(folded_words(text))


def likeness(first: str, second: str) -> float | None:
    """Jaccard index of the words and pairs of neighbouring words, 0 to 1; None if neither has any."""
    a, b = _shingles(words(first)), _shingles(words(second))
    return len(a & b) / len(a | b) if a or b else None


def _shingles(of: list[str]) -> set[str]:
    return {*of, *(f"{left} {right}" for left, right in pairwise(of))}
