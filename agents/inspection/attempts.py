"""Attempts to take over the model, in what a call brings: new messages of the user, results of tools, retrieved documents.

Earlier turns of the conversation came with earlier calls and are not looked at again. System instructions are the service's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Literal

import msgspec

from agents.inspection.text.injection import DOCUMENT_THRESHOLD, INJECTION_THRESHOLD, injection_probability
from schemas.events import Message, Request

__all__ = ["Attempt", "attempts"]

Where = Literal["question", "tool", "document"]

_SERVICE: Final = ("system", "developer")
_MODEL: Final = ("assistant", "model")
_TOOLS: Final = ("tool", "function")
_MOST: Final = 8
"""Attempts told of one call."""
_CACHED_TEXTS: Final = 2_048
_CACHED_CHARACTERS: Final = 4_096
"""The same documents are retrieved again and again: their probability is remembered (8 MB at most)."""


class Attempt(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """As the column `injection` lists it. `probability` is rounded to hundredths; `document`: its id, or a hash of its text."""

    where: Where
    probability: float
    document: str = ""


def attempts(request: Request) -> list[Attempt]:
    """What a call brings that tries to change what the model is told to do; at most eight."""
    found: list[Attempt] = []
    messages = request.messages or []
    for message in messages[_first_new(messages) :]:
        if message.role in _SERVICE:
            continue
        retrieved = message.role in _TOOLS
        for text in (message.content,) if isinstance(message.content, str) else _texts(message.content):
            probability = _of_document(text) if retrieved else injection_probability(text)
            if probability >= (DOCUMENT_THRESHOLD if retrieved else INJECTION_THRESHOLD):
                found.append(Attempt("tool" if retrieved else "question", round(probability, 2)))
    for document in request.documents or ():
        if document.text and (probability := _of_document(document.text)) >= DOCUMENT_THRESHOLD:
            found.append(Attempt("document", round(probability, 2), document.id or f"text:{_digest(document.text)}"))
    return found[:_MOST] if len(found) > _MOST else found


def _first_new(messages: list[Message]) -> int:
    """Where the messages after the model's last begin."""
    first = len(messages)
    while first and messages[first - 1].role not in _MODEL:
        first -= 1
    return first


def _texts(content: object) -> Iterator[str]:
    """The texts of a message that is a list of parts, as in OpenAI-style APIs."""
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict) and isinstance(text := part.get("text") or part.get("content"), str):
            yield text


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _of_document(text: str) -> float:
    return _remembered(text) if len(text) <= _CACHED_CHARACTERS else injection_probability(text, retrieved=True)


@lru_cache(maxsize=_CACHED_TEXTS)
def _remembered(text: str) -> float:
    return injection_probability(text, retrieved=True)
