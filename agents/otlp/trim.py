"""Spans without what nobody reads: what is kept of them while their trace is not complete."""

from __future__ import annotations

import msgspec

from agents.otlp.dialects.choice import speaks_of_ai
from schemas.otlp import Attributes, Span

_VECTORS = ("ai.embedding", "ai.embeddings")


def trim(span: Span, wanted: frozenset[str]) -> Span:
    """`span` as far as `resolve` reads it: nothing changes if it is given this one instead.
    `wanted`: what `Names.all` says of the names in use.

    Of spans that do not speak of AI (HTTP, databases) that is their place in the trace, and whose
    they are; of embeddings it is all but the vectors.
    """
    if speaks_of_ai(span):
        attributes = {n: v for n, v in span.attributes.items() if not _is_vector(n)}
        events = span.events
    else:
        attributes, events = _only(span.attributes, wanted), []
    return msgspec.structs.replace(
        span, attributes=attributes, events=events, resource=_only(span.resource, wanted)
    )


def _only(attributes: Attributes, wanted: frozenset[str]) -> Attributes:
    return {name: value for name, value in attributes.items() if name in wanted}


def _is_vector(name: str) -> bool:
    return name in _VECTORS or name.endswith(".embedding.vector")
