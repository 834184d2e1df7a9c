"""OTLP as protobuf. `ExportTraceServiceRequest` and `TracesData` are the same on the wire, as are
their counterparts for logs."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from schemas.otlp.checks import KINDS, MAX_LEVELS, STATUSES, event_name
from schemas.otlp.spans import Attributes, LogRecord, OtlpError, Scope, Span, SpanEvent


def spans(value: bytes) -> list[Span]:
    """The spans as they are written, good or not. Raises `OtlpError` if it is no such protobuf."""
    found = []
    for of_resource in _parsed(TracesData, value, "traces").resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            scope = Scope(of_scope.scope.name, of_scope.scope.version)
            found += [_span(span, scope, resource) for span in of_scope.spans]
    return found


def logs(value: bytes) -> list[LogRecord]:
    """The log records as they are written. Raises `OtlpError` if it is no such protobuf."""
    found = []
    for of_resource in _parsed(LogsData, value, "logs").resource_logs:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_logs:
            scope = Scope(of_scope.scope.name, of_scope.scope.version)
            found += [_log(record, scope, resource) for record in of_scope.log_records]
    return found


def _parsed(message: type[Any], value: bytes, what: str) -> Any:
    try:
        return message.FromString(value)
    except DecodeError:
        raise OtlpError(f"neither OTLP {what} as protobuf nor JSON") from None


def _span(span: Any, scope: Scope, resource: Attributes) -> Span:
    kind, code = span.kind, span.status.code
    return Span(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        KINDS[kind] if 0 <= kind < len(KINDS) else KINDS[0],
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        STATUSES[code] if 0 <= code < len(STATUSES) else STATUSES[0],
        span.status.message,
        _attributes(span.attributes),
        [
            SpanEvent(event.name, event.time_unix_nano, _attributes(event.attributes))
            for event in span.events
        ],
        scope,
        resource,
    )


def _log(record: Any, scope: Scope, resource: Attributes) -> LogRecord:
    attributes = _attributes(record.attributes)
    return LogRecord(
        record.trace_id.hex(),
        record.span_id.hex(),
        record.time_unix_nano or record.observed_time_unix_nano,
        event_name(record.event_name, attributes),
        _value(record.body, MAX_LEVELS),
        attributes,
        scope,
        resource,
    )


def _attributes(pairs: Iterable[Any], levels: int = MAX_LEVELS) -> Attributes:
    return {pair.key: _value(pair.value, levels) for pair in pairs}


def _value(value: Any, levels: int) -> Any:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "int_value":
        return value.int_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "double_value":
        number = value.double_value
        return number if math.isfinite(number) else None
    if kind is None or not levels:
        return None
    if kind == "array_value":
        return [_value(item, levels - 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values, levels - 1)
    if kind == "bytes_value":
        return b64encode(value.bytes_value).decode()
    return None
