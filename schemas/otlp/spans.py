"""Spans and log records as plain data, whatever encoding they came in."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Attributes = dict[str, Any]
"""Name -> str, bool, int, float, None, or a list or dict of these. Bytes are base64 text."""

SpanKind = Literal["unspecified", "internal", "server", "client", "producer", "consumer"]
SpanStatus = Literal["unset", "ok", "error"]


# gc=False: what is decoded cannot hold reference cycles, so the collector need not visit it.


class Scope(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The library that made a span, as it names itself."""

    name: str = ""
    version: str = ""


class SpanEvent(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Something that happened at a moment of a span. `time_ns`: nanoseconds since 1970."""

    name: str
    time_ns: int
    attributes: Attributes = {}


class Span(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """One ended span. Ids are lowercase hexadecimal; `parent_id` is "" for a root.

    `start_ns` and `end_ns` are nanoseconds since 1970, 0 where the sender said nothing.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: SpanKind
    start_ns: int
    end_ns: int
    status: SpanStatus = "unset"
    status_message: str = ""
    attributes: Attributes = {}
    events: list[SpanEvent] = []
    scope: Scope = Scope()
    resource: Attributes = {}


class LogRecord(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """One log record or event. `trace_id` and `span_id` are "" where it belongs to no span.

    `name`: the event's name, from whichever place this version of OTLP has it in.
    """

    trace_id: str
    span_id: str
    time_ns: int
    name: str
    body: Any = None
    attributes: Attributes = {}
    scope: Scope = Scope()
    resource: Attributes = {}


class OtlpError(ValueError):
    """Why bytes, or some of the spans in them, are not OTLP.

    `reason` is for the dead-letter topic and shows no text of the input; `spans` are those of the
    message that could be read all the same.
    """

    def __init__(self, reason: str, spans: list[Span] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.spans = spans or []
