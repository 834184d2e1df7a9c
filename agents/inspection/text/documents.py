"""Does a document hold instructions to the model that reads it?

What is addressed to the model is told from the document around it. The text is cut into segments
of about a sentence, each is scored by itself, and the highest score is judged against how many
segments there are and how the rest scores: a manual is full of instructions, a table is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEATURES", "LONGEST", "segments", "summary"]

LONGEST: Final = 24_000
"""Characters that are looked at: of a longer text the first half of that and the last."""
_LEAST: Final = 30
"""Characters of a segment; a shorter line belongs to the next."""
_MOST: Final = 320
"""Characters of a segment; a longer one is cut."""
_END: Final = re.compile(r"[.!?](?=[\s\"')|])|\n|\\n|\|(?=[A-Z]{4,}:)")


def segments(text: str) -> list[str]:
    """``text`` in pieces of 30 to 320 characters that end where a sentence or a line does."""
    found: list[str] = []
    start = 0
    for match in _END.finditer(text):
        end = match.end()
        if end - start >= _LEAST:
            while end - start > _MOST:
                found.append(text[start : start + _MOST])
                start += _MOST
            found.append(text[start:end])
            start = end
    while start < len(text):
        found.append(text[start : start + _MOST])
        start += _MOST
    return found


FEATURES: Final = ("highest", "logarithm of the number", "second to fourth", "upper quartile", "median")


def summary(scores: Sequence[float]) -> NDArray[np.float64]:
    """:data:`FEATURES` of the scores (logits) of a document's segments, of which there is one at
    least."""
    ordered = sorted(scores, reverse=True)
    n = len(ordered)
    following = ordered[1:4] or ordered[:1] if n == 1 else ordered[1:4]
    if n == 1:
        rest = [-4.0]
        following = [-4.0]
    else:
        rest = ordered[1:]
    return np.array(
        [
            ordered[0],
            np.log(n),
            sum(following) / len(following),
            rest[len(rest) // 4],
            rest[len(rest) // 2],
        ]
    )
