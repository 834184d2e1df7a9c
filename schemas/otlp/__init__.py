"""OpenTelemetry's protocol (OTLP) as it arrives: protobuf or JSON to plain structs."""

from schemas.otlp.decoding import decode_logs, decode_spans
from schemas.otlp.spans import (
    Attributes,
    LogRecord,
    OtlpError,
    Scope,
    Span,
    SpanEvent,
    SpanKind,
    SpanStatus,
)

__all__ = [
    "Attributes",
    "LogRecord",
    "OtlpError",
    "Scope",
    "Span",
    "SpanEvent",
    "SpanKind",
    "SpanStatus",
    "decode_logs",
    "decode_spans",
]
