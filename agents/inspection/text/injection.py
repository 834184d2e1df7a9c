"""Does a text try to take over the model? Jailbreaks and injections in questions, and orders to the model hidden in retrieved text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

from agents.inspection.text.linear import LinearModel, load_model

__all__ = ["DOCUMENT_THRESHOLD", "INJECTION_THRESHOLD", "injection_probability"]

INJECTION_THRESHOLD: Final = 0.65
"""A question with at least this probability is an attempt."""
DOCUMENT_THRESHOLD: Final = 0.5
"""A retrieved text with at least this probability holds orders to the model."""

_LONGEST: Final = 24_000
"""Characters of one text that are looked at: the first half and the last, so that no text takes milliseconds."""
_CHUNK: Final = 800
_OVERLAP: Final = 100


@cache
def _model(name: str) -> LinearModel:
    return load_model(name)


def chunks(text: str) -> Iterator[str]:
    """Overlapping pieces of at most `_CHUNK` characters, so that one sentence counts as much in a long text as in a short one."""
    start = 0
    while True:
        yield text[start : start + _CHUNK]
        if start + _CHUNK >= len(text):
            return
        start += _CHUNK - _OVERLAP


def injection_probability(text: str, *, retrieved: bool = False) -> float:
    """Probability (0 to 1) that `text` holds an attempt to change what the model is told to do.

    `retrieved`: the text is a document, mail, page or result of a tool, in which any order about the model's answer is suspect.
    Elsewhere it comes from the user, who may well ask for an answer in French.
    """
    if len(text) > _LONGEST:
        text = text[: _LONGEST // 2] + text[-_LONGEST // 2 :]
    model = _model("injection_retrieved" if retrieved else "injection")
    if len(text) <= _CHUNK:
        return model.score(text)
    return max(map(model.score, chunks(text))) if model.has_cue(text) else 0.0
