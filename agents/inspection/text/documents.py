"""Does a document hold instructions to the model that reads it?

What is addressed to the model is told from the document around it. The text is cut into segments
of about a sentence, each is scored by itself, and the highest score is judged against how many
segments there are and how the rest scores: a manual is full of instructions, a table is not.
"""

from __future__ import annotations

import math
import re
from importlib.resources import files
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.inspection.text.linear import SCALE, LinearModel, load_model

__all__ = ["FEATURES", "DocumentModel", "segments", "summary"]

_LEAST: Final = 30
"""Characters of a segment; a shorter line belongs to the next."""
_MOST: Final = 320
"""Characters of a segment; a longer one is cut."""
_END: Final = re.compile(r"[.!?](?=[\s\"')|])|\n|\\n|\|(?=[A-Z]{4,}:)")
_ALONE: Final = -2.0
"""Score of the rest of a document that has one segment."""

FEATURES: Final = (
    "highest",
    "logarithm of the number",
    "mean of the second to the fourth",
    "upper quartile of the others",
    "median of the others",
)


def segments(text: str) -> list[str]:
    """``text`` in pieces of 30 to 320 characters that end where a sentence or a line does; one at
    least."""
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
    while start < len(text) or not found:
        found.append(text[start : start + _MOST])
        start += _MOST
    return found


def summary(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """:data:`FEATURES` of the scores (logits) of a document's segments, of which there is one at
    least."""
    ordered = np.sort(scores)[::-1]
    rest = ordered[1:] if len(ordered) > 1 else np.array([_ALONE])
    return np.array(
        [
            ordered[0],
            math.log(len(ordered)),
            float(np.mean(rest[:3])),
            rest[len(rest) // 4],
            rest[len(rest) // 2],
        ]
    )


class _Aggregation(msgspec.Struct):
    bias: float
    weights: list[float]
    """Of :data:`FEATURES`."""


class DocumentModel:
    """A model of segments, and the weights by which their scores become one."""

    def __init__(self, of_segments: LinearModel, bias: float, weights: list[float]) -> None:
        """``weights``: of :data:`FEATURES`, in logits; ``bias`` too."""
        if len(weights) != len(FEATURES):
            raise ValueError(f"{len(weights)} weights for {len(FEATURES)} features")
        self._segments = of_segments
        self._bias = bias
        self._weights = np.array(weights)

    @classmethod
    def load(cls) -> DocumentModel:
        """The one that ships. Raises FileNotFoundError; msgspec.DecodeError if it is damaged."""
        stored = msgspec.json.decode(
            files("agents.inspection.models").joinpath("injection_document.json").read_bytes(),
            type=_Aggregation,
        )
        return cls(load_model("injection_segment"), stored.bias, stored.weights)

    def probability(self, text: str) -> float:
        """That ``text`` holds instructions to a model, 0 to 1. Takes time in proportion to its
        length."""
        logits = [self._segments.logit(piece) for piece in segments(text)]
        # rounded, so that the last bits of a machine's arithmetic do not show
        features = summary(np.array(logits) / SCALE)
        logit = round(self._bias + float(self._weights @ features), 6)
        return 1.0 / (1.0 + math.exp(-max(-700.0, min(700.0, logit))))
