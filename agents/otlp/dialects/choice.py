"""Which dialect a span is written in.

It is chosen by the name of the scope, then by an attribute that only it writes; whatever
speaks of `gen_ai.*` is read as the semantic conventions have it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from agents.otlp.dialects import (
    langfuse,
    litellm,
    openinference,
    openllmetry,
    pydantic_ai,
    semconv,
    vercel,
)
from agents.otlp.step import Step
from schemas.otlp import Span


class Dialect(NamedTuple):
    """`scopes`: how names of its scopes begin. `marks`: attributes that only it writes."""

    scopes: tuple[str, ...]
    marks: tuple[str, ...]
    read: Callable[[Span], Step]


DIALECTS = (
    Dialect(langfuse.SCOPES, langfuse.MARKS, langfuse.read),
    Dialect(openinference.SCOPES, openinference.MARKS, openinference.read),
    Dialect(litellm.SCOPES, litellm.MARKS, litellm.read),
    Dialect(pydantic_ai.SCOPES, pydantic_ai.MARKS, pydantic_ai.read),
    Dialect(vercel.SCOPES, vercel.MARKS, vercel.read),
    Dialect(openllmetry.SCOPES, openllmetry.MARKS, openllmetry.read),
)
"""In the order in which their marks are looked for: some write those of others beside their own."""


_SPEAKS = ("gen_ai.", "llm.", "ai.", "langfuse.", "traceloop.", "openinference.", "logfire.")
"""How attributes begin that speak of AI, in any dialect."""


def speaks_of_ai(span: Span) -> bool:
    """Whether `understand` may make more of a span than its place in the trace."""
    return any(name.startswith(_SPEAKS) for name in span.attributes)


def understand(span: Span) -> Step:
    """What a span says; a step of kind `other` if it says nothing of AI. Never raises."""
    if not speaks_of_ai(span):
        return semconv.step_of(span)
    for dialect in DIALECTS:
        if any(_is_of(span.scope.name, scope) for scope in dialect.scopes):
            return dialect.read(span)
    for dialect in DIALECTS:
        if any(mark in span.attributes for mark in dialect.marks):
            return dialect.read(span)
    return semconv.read(span)


def _is_of(scope: str, name: str) -> bool:
    """Whether a scope is this one, or below it."""
    if not scope.startswith(name):
        return False
    rest = scope[len(name) :]
    return not rest or name[-1] in "./" or rest[0] in "./-"
