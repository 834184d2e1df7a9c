"""Does a text try to take over the model? Jailbreaks and injections in questions, and orders to the
model hidden in retrieved text.

A disguise is taken off first (look-alike letters, ``1gn0re``, base64). A question is judged as a
whole; of a document, what is addressed to the model is judged against the rest of it
(:mod:`agents.inspection.text.documents`).
"""

from __future__ import annotations

from functools import cache
from typing import Final

from agents.inspection.folding import unmasked
from agents.inspection.text.documents import DocumentModel
from agents.inspection.text.linear import LinearModel, load_model

__all__ = ["DOCUMENT_THRESHOLD", "INJECTION_THRESHOLD", "bounded", "injection_probability"]

INJECTION_THRESHOLD: Final = 0.65
"""A question with at least this probability is an attempt."""
DOCUMENT_THRESHOLD: Final = 0.5
"""A retrieved text with at least this probability holds orders to the model."""

_HEAD: Final = 4_000
_TAIL: Final = 2_000
"""Characters of a longer question that are looked at: its first and its last."""
_LONGEST: Final = 24_000
"""Characters of a document that are looked at, half of them its last."""


@cache
def _questions() -> LinearModel:
    return load_model("injection")


@cache
def _documents() -> DocumentModel:
    return DocumentModel.load()


def bounded(text: str) -> str:
    """What is looked at of a question."""
    return text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}\n{text[-_TAIL:]}"


def injection_probability(text: str, *, retrieved: bool = False) -> float:
    """Probability (0 to 1) that ``text`` holds an attempt to change what the model is told to do.

    ``retrieved``: the text is a document, mail, page or result of a tool, in which any order about
    the model's answer is suspect. Elsewhere it comes from the user, who may well ask for an answer
    in French.
    """
    if not retrieved:
        return _questions().score(bounded(unmasked(bounded(text))))
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]}\n{text[-_LONGEST // 2 :]}"
    return _documents().probability(unmasked(text))
