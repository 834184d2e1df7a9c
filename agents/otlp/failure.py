"""Whether a span failed, and how."""

from __future__ import annotations

from agents.otlp.values import number, short, text
from schemas.events import ErrorInfo
from schemas.otlp import Span

_MAX_MESSAGE = 4_000
"""Longest message of an error, in characters: what went wrong stands at its start."""


def failure_of(span: Span) -> ErrorInfo | None:
    """What went wrong; None if the span does not say that it failed.

    A span that is `ok` did not fail, whatever exceptions were met on the way.
    """
    kind = short(span.attributes, "error.type")
    if span.status != "error" and (not kind or span.status == "ok"):
        return None
    raised = next((e.attributes for e in span.events if e.name == "exception"), {})
    kind = kind or short(raised, "exception.type")
    message = span.status_message or text(raised, "exception.message")
    status = number(span.attributes.get("http.response.status_code"))
    code = int(status) if status is not None and 400 <= status < 600 else None
    return ErrorInfo(type=kind or None, code=code, message=message[:_MAX_MESSAGE] or None)
