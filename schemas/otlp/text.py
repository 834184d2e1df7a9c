"""OTLP as JSON: protobuf's JSON mapping with hexadecimal ids. Base64 ids, enums by name and numbers
of 64 bits as numbers or text are read too, as libraries write them."""

from __future__ import annotations

import math
from base64 import b64decode
from binascii import Error as NotBase64
from typing import Any

import orjson

from schemas.otlp.checks import KINDS, MAX_LEVELS, STATUSES, event_name
from schemas.otlp.spans import Attributes, LogRecord, OtlpError, Scope, Span, SpanEvent

_MAX_DIGITS = 24
"""Of a number of 64 bits written as text, with room for a sign and `.0`."""

_KINDS = {
    name: kind
    for number, kind in enumerate(KINDS)
    for name in (number, str(number), f"SPAN_KIND_{kind.upper()}")
}
_STATUSES = {
    name: status
    for number, status in enumerate(STATUSES)
    for name in (number, str(number), f"STATUS_CODE_{status.upper()}")
}


def is_json(value: bytes) -> bool:
    """Whether it is JSON of any kind."""
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


def spans(value: bytes) -> list[Span]:
    """The spans as they are written, good or not. Raises `OtlpError` if it is no such JSON."""
    found = []
    for of_resource in _tops(value, "resourceSpans"):
        resource = _resource(of_resource)
        for of_scope in _objects(of_resource, "scopeSpans"):
            scope = _scope(of_scope)
            found += [_span(span, scope, resource) for span in _objects(of_scope, "spans")]
    return found


def logs(value: bytes) -> list[LogRecord]:
    """The log records as they are written. Raises `OtlpError` if it is no such JSON."""
    found = []
    for of_resource in _tops(value, "resourceLogs"):
        resource = _resource(of_resource)
        for of_scope in _objects(of_resource, "scopeLogs"):
            scope = _scope(of_scope)
            found += [_log(record, scope, resource) for record in _objects(of_scope, "logRecords")]
    return found


def _tops(value: bytes, name: str) -> list[dict[str, Any]]:
    try:
        tree = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise OtlpError(f"not JSON: {error.msg} (byte {error.pos})") from None
    if not isinstance(tree, dict):
        raise OtlpError("not an object")
    if name not in tree and tree:
        raise OtlpError(f"{name}: missing; this is no OTLP of this signal")
    return _objects(tree, name)


def _objects(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = parent.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise OtlpError(f"{name}: not an array of objects")
    return found


def _resource(of_resource: dict[str, Any]) -> Attributes:
    resource = of_resource.get("resource")
    return _attributes(resource.get("attributes")) if isinstance(resource, dict) else {}


def _scope(of_scope: dict[str, Any]) -> Scope:
    scope = of_scope.get("scope")
    if not isinstance(scope, dict):
        return Scope()
    return Scope(_text(scope.get("name")), _text(scope.get("version")))


def _span(span: dict[str, Any], scope: Scope, resource: Attributes) -> Span:
    status = span.get("status")
    if not isinstance(status, dict):
        status = {}
    return Span(
        _id(span.get("traceId"), 16),
        _id(span.get("spanId"), 8),
        _id(span.get("parentSpanId"), 8),
        _text(span.get("name")),
        _KINDS.get(_key(span.get("kind")), KINDS[0]),
        _integer(span.get("startTimeUnixNano")) or 0,
        _integer(span.get("endTimeUnixNano")) or 0,
        _STATUSES.get(_key(status.get("code")), STATUSES[0]),
        _text(status.get("message")),
        _attributes(span.get("attributes")),
        [
            SpanEvent(
                _text(event.get("name")),
                _integer(event.get("timeUnixNano")) or 0,
                _attributes(event.get("attributes")),
            )
            for event in _objects(span, "events")
        ],
        scope,
        resource,
    )


def _log(record: dict[str, Any], scope: Scope, resource: Attributes) -> LogRecord:
    attributes = _attributes(record.get("attributes"))
    return LogRecord(
        _id(record.get("traceId"), 16),
        _id(record.get("spanId"), 8),
        _integer(record.get("timeUnixNano")) or _integer(record.get("observedTimeUnixNano")) or 0,
        event_name(_text(record.get("eventName")), attributes),
        _value(record.get("body"), MAX_LEVELS),
        attributes,
        scope,
        resource,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _key(value: Any) -> int | str:
    return value if isinstance(value, int | str) else ""


def _id(value: Any, size: int) -> str:
    """An id in lowercase hexadecimal, "" if it is none. The two forms differ in length."""
    if not isinstance(value, str):
        return ""
    if len(value) == 2 * size:
        return value.lower()
    try:
        decoded = b64decode(value, validate=True)
    except (NotBase64, ValueError):
        return ""
    return decoded.hex() if len(decoded) == size else ""


def _integer(value: Any) -> int | None:
    """A whole number of 64 bits, None if it is none."""
    if isinstance(value, str):
        if len(value) > _MAX_DIGITS:
            return None
        try:
            value = int(value)
        except ValueError:
            return None
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -(2**63) <= value < 2**64 else None


def _double(value: Any) -> float | None:
    """A finite number; the mapping has words for the others."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _attributes(pairs: Any, levels: int = MAX_LEVELS) -> Attributes:
    if not isinstance(pairs, list):
        return {}
    return {
        key: _value(pair.get("value"), levels)
        for pair in pairs
        if isinstance(pair, dict) and isinstance(key := pair.get("key", ""), str)
    }


def _value(value: Any, levels: int) -> Any:
    if not isinstance(value, dict) or not levels:
        return None
    for kind, given in value.items():
        match kind:
            case "stringValue":
                return given if isinstance(given, str) else None
            case "intValue":
                return _integer(given)
            case "boolValue":
                return given if isinstance(given, bool) else None
            case "doubleValue":
                return _double(given)
            case "bytesValue":
                return given if isinstance(given, str) else None
            case "arrayValue":
                items = given.get("values") if isinstance(given, dict) else None
                items = items if isinstance(items, list) else []
                return [_value(item, levels - 1) for item in items]
            case "kvlistValue":
                return (
                    _attributes(given.get("values"), levels - 1) if isinstance(given, dict) else {}
                )
    return None
