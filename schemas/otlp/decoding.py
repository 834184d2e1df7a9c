"""Bytes to spans and log records."""

from __future__ import annotations

from schemas.otlp import protobuf, text
from schemas.otlp.checks import MAX_BYTES, fault_of, is_time
from schemas.otlp.spans import LogRecord, OtlpError, Span


def decode_spans(value: bytes) -> list[Span]:
    """The spans of an OTLP traces message (a Kafka record or the body of a request, unzipped).

    Raises `OtlpError` if anything in it cannot be used; its `spans` are those that can.
    """
    found = text.spans(value) if _is_json(value) else protobuf.spans(value)
    good, faults = [], []
    for span in found:
        fault = fault_of(span.trace_id, span.span_id, span.start_ns, span.end_ns)
        if fault:
            faults.append(fault)
        else:
            good.append(span)
    if faults:
        reason = f"{len(faults)} of {len(found)} spans, the first: {faults[0]}"
        raise OtlpError(reason, good)
    return good


def decode_logs(value: bytes) -> list[LogRecord]:
    """The log records of an OTLP logs message. Raises `OtlpError` if it is none."""
    found = text.logs(value) if _is_json(value) else protobuf.logs(value)
    if found and not any(is_time(record.time_ns) for record in found):
        raise OtlpError("no log record has a time; this is no OTLP of this signal")
    return found


def _is_json(value: bytes) -> bool:
    """Recognised by content: protobuf that begins with `{`, which would be a group, is no OTLP."""
    if len(value) > MAX_BYTES:
        raise OtlpError(f"{len(value) / 1e6:.1f} MB is more than the 16 MiB a message may have")
    if value[:1] == b"{":
        return True
    # OTLP as protobuf begins with a line feed, and its length may be that of `{`.
    return value[:1].isspace() and value.lstrip()[:1] == b"{" and text.is_json(value)
