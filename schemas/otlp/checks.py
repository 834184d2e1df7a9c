"""What both encodings ask of a record before it is let in."""

from __future__ import annotations

import re
from typing import Any

from schemas.otlp.spans import SpanKind, SpanStatus

MAX_BYTES = 16 * 1024 * 1024
"""Largest message accepted. The Collector's Kafka exporter sends at most 1 MB unless told."""

MAX_LEVELS = 16
"""Deepest nesting of an attribute's value; what lies deeper is left out (None)."""

KINDS: tuple[SpanKind, ...] = (
    "unspecified",
    "internal",
    "server",
    "client",
    "producer",
    "consumer",
)
STATUSES: tuple[SpanStatus, ...] = ("unset", "ok", "error")

_LAST_NS = 4_133_980_800 * 10**9
"""The end of the year 2100, where events end too."""

_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")


def is_time(nanoseconds: int) -> bool:
    """Whether an event may have happened then: after 1970-01-01 and before 2101."""
    return 0 < nanoseconds < _LAST_NS


def fault_of(trace_id: str, span_id: str, start_ns: int, end_ns: int) -> str:
    """Why nobody can use the span, "" if all is well. A span that says one time has that time."""
    if not _TRACE_ID.fullmatch(trace_id):
        return "traceId: not 16 bytes, or all zero"
    if not _SPAN_ID.fullmatch(span_id):
        return "spanId: not 8 bytes, or all zero"
    if not (is_time(start_ns) or start_ns == 0):
        return "startTimeUnixNano: outside 1970..2100"
    if not (is_time(end_ns) or end_ns == 0):
        return "endTimeUnixNano: outside 1970..2100"
    if not (start_ns or end_ns):
        return "startTimeUnixNano, endTimeUnixNano: both missing"
    return ""


def event_name(name: str, attributes: dict[str, Any]) -> str:
    """Before OTLP 1.5 the name of an event was an attribute."""
    if name:
        return name
    older = attributes.get("event.name")
    return older if isinstance(older, str) else ""
