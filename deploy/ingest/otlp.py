"""``POST /v1/traces`` and ``/v1/logs``: OTLP/HTTP requests, free of I/O.

What is OTLP goes to Kafka in the bytes in which it came, as the Collector's Kafka exporter would
write it; the worker reads it. Only what the specification calls invalid (spans without usable ids)
is taken out, and a body larger than a message may be is split between spans.

https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from deploy.ingest.problems import HttpProblem
from streams.settings import Settings

PROTOBUF, JSON = "application/x-protobuf", "application/json"


@dataclass(frozen=True)
class OtlpSignal:
    """Traces or logs: where they go, and the names of their parts in protobuf's spelling.

    ``of_topic``: the field of the settings' ``otlp`` that names their topic.
    """

    name: str
    of_topic: str
    request: type[Message]
    response: type[Message]
    resources: str
    scopes: str
    items: str
    rejected: str
    """The field of ``partial_success`` that counts."""
    with_ids: bool
    """Whether an item is invalid without a trace and a span id."""


TRACES = OtlpSignal(
    "traces",
    "spans",
    trace_service_pb2.ExportTraceServiceRequest,
    trace_service_pb2.ExportTraceServiceResponse,
    "resource_spans",
    "scope_spans",
    "spans",
    "rejected_spans",
    True,
)
LOGS = OtlpSignal(
    "logs",
    "logs",
    logs_service_pb2.ExportLogsServiceRequest,
    logs_service_pb2.ExportLogsServiceResponse,
    "resource_logs",
    "scope_logs",
    "log_records",
    "rejected_log_records",
    False,
)


def topic_of(signal: OtlpSignal, settings: Settings) -> str:
    """The topic that a signal goes to."""
    return str(getattr(settings.otlp, signal.of_topic))


class Export(NamedTuple):
    """A request as it is written. ``rejected``: items that were taken out, ``why`` the first."""

    messages: list[bytes]
    items: int
    rejected: int = 0
    why: str = ""


def read_export(signal: OtlpSignal, content_type: str, body: bytes, most: int) -> Export:
    """What to write of a request; messages have ``most`` bytes at most. Raises Problem: 400 where
    it is no request of this signal, 413 where one item alone is larger than a message."""
    tree = _Protobuf(signal, body) if content_type == PROTOBUF else _Json(signal, body)
    items = list(tree.items())
    bad = [item for item in items if item.fault]
    why = f"{tree.names.path(bad[0])}.{bad[0].fault}" if bad else ""
    if bad and len(bad) == len(items):
        raise HttpProblem(400, why)
    if not bad and len(body) <= most:
        return Export([body] if items else [], len(items))
    good = [item for item in items if not item.fault]
    return Export(list(_pieces(tree, good, most)), len(good), len(bad), why)


def response(signal: OtlpSignal, content_type: str, export: Export) -> bytes:
    """The answer to a request that has been written."""
    answer = signal.response()
    if export.rejected:
        partial: Any = answer.partial_success
        setattr(partial, signal.rejected, export.rejected)
        partial.error_message = export.why
    if content_type == PROTOBUF:
        return bytes(answer.SerializeToString())
    if not export.rejected:
        return b"{}"
    counted = {_camel(signal.rejected): str(export.rejected), "errorMessage": export.why}
    return msgspec.json.encode({"partialSuccess": counted})


def refusal(content_type: str, message: str) -> bytes:
    """The body of an error: ``google.rpc.Status`` without its optional code. The message is its
    field 2, as it is of the span status, which serves here."""
    if content_type == PROTOBUF:
        return bytes(trace_pb2.Status(message=message).SerializeToString())
    return msgspec.json.encode({"message": message})


class _Item(NamedTuple):
    """A span or log record with what is around it. ``at``: its indices, for people to find it by;
    ``fault``: why it is invalid."""

    resource: Any
    scope: Any
    item: Any
    at: tuple[int, int, int]
    fault: str


class _Names(NamedTuple):
    """What the three levels of a request are called in an encoding."""

    resources: str
    scopes: str
    items: str

    def path(self, item: _Item) -> str:
        return ".".join(f"{name}[{index}]" for name, index in zip(self, item.at, strict=True))


def _pieces(tree: _Protobuf | _Json, items: Sequence[_Item], most: int) -> Iterator[bytes]:
    message = tree.written(items)
    if len(message) <= most:
        yield message
    elif len(items) == 1:
        raise HttpProblem(
            413,
            f"{tree.names.path(items[0])}: {len(message):,} bytes, and Kafka takes messages of {most:,}; "
            "raise the topic's max.message.bytes or capture less",
        )
    else:
        middle = len(items) // 2
        yield from _pieces(tree, items[:middle], most)
        yield from _pieces(tree, items[middle:], most)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


class _Protobuf:
    def __init__(self, signal: OtlpSignal, body: bytes) -> None:
        self._signal = signal
        self.names = _Names(signal.resources, signal.scopes, signal.items)
        self._request = signal.request()
        try:
            self._request.ParseFromString(body)
        except DecodeError:
            name = signal.request.DESCRIPTOR.name
            raise HttpProblem(400, f"the body is no {name} in protobuf") from None
        if body and not getattr(self._request, signal.resources):
            raise HttpProblem(400, f"{signal.resources}: missing; is this a request of {signal.name}?")

    def items(self) -> Iterator[_Item]:
        resources, scopes, items = self.names
        with_ids = self._signal.with_ids
        for r, resource in enumerate(getattr(self._request, resources)):
            for s, scope in enumerate(getattr(resource, scopes)):
                for i, item in enumerate(getattr(scope, items)):
                    yield _Item(resource, scope, item, (r, s, i), _fault(item) if with_ids else "")

    def written(self, items: Sequence[_Item]) -> bytes:
        request = self._signal.request()
        last_resource = last_scope = into = part = None
        for resource, scope, item, _, _ in items:
            if resource is not last_resource:
                into = getattr(request, self.names.resources).add(schema_url=resource.schema_url)
                into.resource.CopyFrom(resource.resource)
            if resource is not last_resource or scope is not last_scope:
                part = getattr(into, self.names.scopes).add(schema_url=scope.schema_url)
                part.scope.CopyFrom(scope.scope)
            last_resource, last_scope = resource, scope
            getattr(part, self.names.items).append(item)
        return bytes(request.SerializeToString())


def _fault(span: Any) -> str:
    trace_id, span_id = span.trace_id, span.span_id
    if len(trace_id) != 16 or not any(trace_id):
        return f"trace_id: 16 bytes, not all zero, are needed, got {len(trace_id)}"
    if len(span_id) != 8 or not any(span_id):
        return f"span_id: 8 bytes, not all zero, are needed, got {len(span_id)}"
    return ""


_Object = dict[str, Any]
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-fA-F]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-fA-F]{16}")


def _camel_names(signal: OtlpSignal) -> _Names:
    return _Names(_camel(signal.resources), _camel(signal.scopes), _camel(signal.items))


def _shape(names: _Names) -> Any:
    """A struct of one signal's requests. Null is the same as absent, what is unknown left alone."""
    listed, object_ = list[_Object] | None, _Object | None
    scope: Any = msgspec.defstruct("Scope", [(names.items, listed, None), ("scope", object_, None)])
    resource: Any = msgspec.defstruct(
        "Resource", [(names.scopes, list[scope] | None, None), ("resource", object_, None)]
    )
    return msgspec.defstruct("Request", [(names.resources, list[resource] | None, None)])


_SHAPES = {signal.name: _shape(_camel_names(signal)) for signal in (TRACES, LOGS)}


class _Json:
    def __init__(self, signal: OtlpSignal, body: bytes) -> None:
        self._signal = signal
        self.names = _camel_names(signal)
        try:
            self._request: Any = msgspec.json.decode(body)
            msgspec.convert(self._request, _SHAPES[signal.name])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            why = str(error).replace("`$.", "`")
            raise HttpProblem(400, f"the body is no OTLP request in JSON: {why}") from None
        if self._request and self.names.resources not in self._request:
            why = f"missing; is this a request of {signal.name}?"
            raise HttpProblem(400, f"{self.names.resources}: {why}")

    def items(self) -> Iterator[_Item]:
        resources, scopes, items = self.names
        fault = _json_fault if self._signal.with_ids else lambda item: ""
        for r, resource in enumerate(self._request.get(resources) or ()):
            for s, scope in enumerate(resource.get(scopes) or ()):
                for i, item in enumerate(scope.get(items) or ()):
                    yield _Item(resource, scope, item, (r, s, i), fault(item))

    def written(self, items: Sequence[_Item]) -> bytes:
        names = self.names
        found: list[_Object] = []
        last_resource = last_scope = None
        for resource, scope, item, _, _ in items:
            if resource is not last_resource:
                found.append({**resource, names.scopes: []})
            if resource is not last_resource or scope is not last_scope:
                found[-1][names.scopes].append({**scope, names.items: []})
            last_resource, last_scope = resource, scope
            found[-1][names.scopes][-1][names.items].append(item)
        return msgspec.json.encode({names.resources: found})


def _json_fault(span: _Object) -> str:
    if not _TRACE_ID.fullmatch(str(span.get("traceId", ""))):
        return "traceId: 32 hexadecimal digits, not all 0, are needed"
    if not _SPAN_ID.fullmatch(str(span.get("spanId", ""))):
        return "spanId: 16 hexadecimal digits, not all 0, are needed"
    return ""
