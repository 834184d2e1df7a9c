"""OTLP bytes to spans and log records: both encodings, what is refused and why."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from schemas.otlp import OtlpError, Scope, Span, SpanEvent, decode_logs, decode_spans
from schemas.otlp.checks import MAX_BYTES, MAX_LEVELS

TRACE, SPAN, PARENT = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174", "eee19b7ec3c1b173"
AT = 1_795_943_824_954_175_394


def in_json(*spans: dict[str, Any], scope: Any = None, resource: Any = None) -> bytes:
    scoped = {"scope": scope or {}, "spans": list(spans)}
    return json.dumps(
        {"resourceSpans": [{"resource": resource or {}, "scopeSpans": [scoped]}]}
    ).encode()


def a_span(**more: Any) -> dict[str, Any]:
    return {
        "traceId": TRACE,
        "spanId": SPAN,
        "startTimeUnixNano": str(AT),
        "endTimeUnixNano": str(AT + 1),
        **more,
    }


def value_of(value: Any) -> Any:
    """How an attribute of this value is read."""
    [span] = decode_spans(in_json(a_span(attributes=[{"key": "a", "value": value}])))
    return span.attributes["a"]


def b64(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def test_a_span_as_the_specification_writes_it() -> None:
    """The example of the OTLP specification, with an event and a status."""
    value = in_json(
        a_span(
            parentSpanId=PARENT,
            name="I'm a server span",
            kind=2,
            status={"code": 2, "message": "no"},
            attributes=[{"key": "my.span.attr", "value": {"stringValue": "some value"}}],
            events=[
                {
                    "timeUnixNano": str(AT),
                    "name": "first",
                    "attributes": [{"key": "n", "value": {"intValue": "1"}}],
                }
            ],
        ),
        scope={"name": "my.library", "version": "1.0.0"},
        resource={"attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]},
    )

    assert decode_spans(value) == [
        Span(
            trace_id=TRACE,
            span_id=SPAN,
            parent_id=PARENT,
            name="I'm a server span",
            kind="server",
            start_ns=AT,
            end_ns=AT + 1,
            status="error",
            status_message="no",
            attributes={"my.span.attr": "some value"},
            events=[SpanEvent("first", AT, {"n": 1})],
            scope=Scope("my.library", "1.0.0"),
            resource={"service.name": "my.service"},
        )
    ]


@pytest.mark.parametrize(
    "written",
    [
        a_span(traceId=TRACE.upper(), spanId=SPAN.upper()),
        a_span(traceId=b64(TRACE), spanId=b64(SPAN)),
        a_span(startTimeUnixNano=AT, endTimeUnixNano=AT + 1),
    ],
)
def test_other_spellings_mean_the_same(written: dict[str, Any]) -> None:
    assert decode_spans(in_json(written)) == decode_spans(in_json(a_span()))


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        (3, 1, ("client", "ok")),
        ("3", "1", ("client", "ok")),
        ("SPAN_KIND_CLIENT", "STATUS_CODE_OK", ("client", "ok")),
        (99, "SOMETHING", ("unspecified", "unset")),
        ([], {}, ("unspecified", "unset")),
    ],
)
def test_enums_by_name_and_number(kind: Any, status: Any, expected: tuple[str, str]) -> None:
    [span] = decode_spans(in_json(a_span(kind=kind, status={"code": status})))
    assert (span.kind, span.status) == expected


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"stringValue": "x"}, "x"),
        ({"intValue": "412"}, 412),
        ({"intValue": 412}, 412),
        ({"intValue": 412.0}, 412),
        ({"intValue": str(-(2**63))}, -(2**63)),
        ({"boolValue": True}, True),
        ({"doubleValue": 0.5}, 0.5),
        ({"doubleValue": 3}, 3.0),
        ({"bytesValue": "AAE="}, "AAE="),
        ({"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "b"}]}}, [1, "b"]),
        ({"arrayValue": {}}, []),
        ({"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": False}}]}}, {"k": False}),
        ({}, None),
        # what makes no sense is left out, and costs the span nothing else
        ({"intValue": "9" * 30}, None),
        ({"intValue": str(2**64)}, None),
        ({"intValue": True}, None),
        ({"doubleValue": "NaN"}, None),
        ({"doubleValue": "-Infinity"}, None),
        ({"stringValue": 3}, None),
        ({"arrayValue": [1]}, []),
        ("text", None),
    ],
)
def test_values_of_attributes(written: Any, read: Any) -> None:
    assert value_of(written) == read


def test_what_lies_too_deep_is_left_out() -> None:
    nested: dict[str, Any] = {"stringValue": "bottom"}
    for _ in range(MAX_LEVELS + 1):
        nested = {"arrayValue": {"values": [nested]}}

    def depth(value: Any) -> int:
        return 1 + depth(value[0]) if isinstance(value, list) and value else 0

    assert depth(value_of(nested)) == MAX_LEVELS


def test_the_signal_may_be_empty() -> None:
    assert decode_spans(b"{}") == decode_spans(b"") == decode_spans(in_json()) == []
    assert decode_logs(b"{}") == decode_logs(b"") == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\x00\x01 no protobuf", "neither OTLP traces as protobuf nor JSON"),
        (b'{"resourceSpans": ', "not JSON: "),
        (b'  {"resourceSpans": 3}', "resourceSpans: not an array of objects"),
        (b'{"resourceSpans": [1]}', "resourceSpans: not an array of objects"),
        (b'{"resourceLogs": []}', "resourceSpans: missing; this is no OTLP of this signal"),
        (in_json(a_span(traceId="")), "1 of 1 spans, the first: traceId: not 16 bytes"),
        (in_json(a_span(traceId="0" * 32)), "1 of 1 spans, the first: traceId: "),
        (in_json(a_span(spanId="xyz")), "1 of 1 spans, the first: spanId: not 8 bytes"),
        (in_json(a_span(spanId="z" * 16)), "1 of 1 spans, the first: spanId: not 8 bytes"),
        (in_json(a_span(startTimeUnixNano=2**63)), "1 of 1 spans, the first: startTimeUnixNano"),
        (in_json(a_span(endTimeUnixNano=-5)), "1 of 1 spans, the first: endTimeUnixNano"),
        (in_json(a_span(startTimeUnixNano=0, endTimeUnixNano=None)), "1 of 1 spans, the first: st"),
    ],
)
def test_why_bytes_are_not_spans(value: bytes, reason: str) -> None:
    with pytest.raises(OtlpError) as raised:
        decode_spans(value)
    assert raised.value.reason.startswith(reason)


def test_one_bad_span_does_not_cost_the_others() -> None:
    with pytest.raises(OtlpError) as raised:
        decode_spans(in_json(a_span(name="good"), a_span(spanId="")))
    assert [span.name for span in raised.value.spans] == ["good"]
    assert raised.value.reason.startswith("1 of 2 spans")


def test_a_message_may_be_too_large() -> None:
    with pytest.raises(OtlpError, match="is more than the 16 MiB a message may have"):
        decode_spans(b"{" + b" " * MAX_BYTES)


def test_deep_json_is_refused_and_not_followed() -> None:
    with pytest.raises(OtlpError, match="not JSON"):
        decode_spans(b'{"resourceSpans":' + b"[" * 100_000)


def test_json_after_white_space_is_json() -> None:
    assert decode_spans(b" \n\t" + in_json(a_span())) == decode_spans(in_json(a_span()))


def test_protobuf_whose_length_looks_like_json_is_protobuf() -> None:
    """A message of 123 bytes begins with a line feed and an opening brace, and goes on with one of
    34, a quotation mark."""
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.add(key="k" * 6).value.string_value = "v" * 20
    span = of_resource.scope_spans.add().spans.add(
        trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN), start_time_unix_nano=AT
    )
    span.name = "n" * (123 - len(of_resource.SerializeToString()) - 2)

    value = request.SerializeToString()
    assert value[:5] == b'\n{\n"\n'
    assert [found.name for found in decode_spans(value)] == [span.name]


@pytest.mark.parametrize("decode", [decode_spans, decode_logs])
def test_one_signal_is_not_taken_for_the_other(decode: Any) -> None:
    traces, logs = ExportTraceServiceRequest(), ExportLogsServiceRequest()
    traces.resource_spans.add().scope_spans.add().spans.add(
        trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN), start_time_unix_nano=AT
    )
    logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=AT)
    wrong = logs if decode is decode_spans else traces

    with pytest.raises(OtlpError):
        decode(wrong.SerializeToString())


def test_log_records_of_both_generations() -> None:
    """The name of an event was an attribute before it was a field."""

    def record(**more: Any) -> dict[str, Any]:
        body = {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "hi"}}]}}
        return {"timeUnixNano": str(AT), "traceId": TRACE, "spanId": SPAN, "body": body, **more}

    name = "gen_ai.user.message"
    older = record(attributes=[{"key": "event.name", "value": {"stringValue": name}}])
    value = json.dumps(
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [record(eventName=name), older]}]}]}
    ).encode()

    for found in decode_logs(value):
        assert (found.name, found.body, found.time_ns) == (name, {"content": "hi"}, AT)
        assert (found.trace_id, found.span_id) == (TRACE, SPAN)


def test_spans_survive_messagepack() -> None:
    [span] = decode_spans(in_json(a_span(attributes=[{"key": "a", "value": {"intValue": "7"}}])))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(span), type=Span) == span


# --- both encodings say the same -----------------------------------------------------------------


def filled(message: AnyValue, value: Any) -> AnyValue:
    match value:
        case bool():
            message.bool_value = value
        case int():
            message.int_value = value
        case float():
            message.double_value = value
        case str():
            message.string_value = value
        case bytes():
            message.bytes_value = value
        case list():
            message.array_value.SetInParent()
            for item in value:
                filled(message.array_value.values.add(), item)
        case dict():
            message.kvlist_value.SetInParent()
            for key, item in value.items():
                filled(message.kvlist_value.values.add(key=key).value, item)
    return message


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(TEXT, VALUES, max_size=5)
TIMES = st.integers(1, 4_000_000_000 * 10**9)
IDS = st.binary(min_size=16, max_size=16).filter(any)
SPAN_IDS = st.binary(min_size=8, max_size=8).filter(any)


def read_back(value: Any) -> Any:
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case list():
            return [read_back(item) for item in value]
        case dict():
            return {key: read_back(item) for key, item in value.items()}
    return value


@given(IDS, SPAN_IDS, SPAN_IDS | st.just(b""), TEXT, TIMES, TIMES, ATTRIBUTES, ATTRIBUTES)
def test_protobuf_and_its_json_are_read_alike(
    trace: bytes,
    span_id: bytes,
    parent: bytes,
    name: str,
    start: int,
    end: int,
    attributes: dict[str, Any],
    of_event: dict[str, Any],
) -> None:
    traces = TracesData()
    span = traces.resource_spans.add().scope_spans.add().spans.add(
        trace_id=trace, span_id=span_id, parent_span_id=parent, name=name, kind=3,
        start_time_unix_nano=start, end_time_unix_nano=end,
    )  # fmt: skip
    for key, value in attributes.items():
        filled(span.attributes.add(key=key).value, value)
    event = span.events.add(name=name, time_unix_nano=start)
    for key, value in of_event.items():
        filled(event.attributes.add(key=key).value, value)

    [found] = decode_spans(traces.SerializeToString())

    assert decode_spans(json.dumps(MessageToDict(traces)).encode()) == [found]
    assert (found.trace_id, found.span_id, found.parent_id) == (
        trace.hex(), span_id.hex(), parent.hex(),
    )  # fmt: skip
    assert found.attributes == read_back(attributes)
    assert found.events[0].attributes == read_back(of_event)


def reason_of(decode: Callable[[bytes], object], value: bytes) -> str:
    """Why `value` is refused, "" if it is not; any other error is one of the test."""
    try:
        decode(value)
    except OtlpError as error:
        return error.reason
    return ""


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda tail: b"\n" + tail))
def test_any_bytes_are_spans_or_a_reason(value: bytes) -> None:
    assert len(reason_of(decode_spans, value)) < 200
    assert len(reason_of(decode_logs, value)) < 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_any_value_anywhere_in_json_is_spans_or_a_reason(data: st.DataObject) -> None:
    whole = json.loads(
        in_json(
            a_span(
                events=[{"name": "e", "attributes": []}],
                status={},
                attributes=[{"key": "a", "value": {"kvlistValue": {"values": []}}}],
            )
        )
    )
    node: Any = whole
    while True:
        key = data.draw(
            st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node)))
        )
        if not (isinstance(node[key], dict | list) and node[key]) or data.draw(st.booleans()):
            node[key] = data.draw(JSON.filter(lambda v: not _holds_nan(v)))
            break
        node = node[key]

    reason_of(decode_spans, json.dumps(whole).encode())
    reason_of(decode_logs, json.dumps(whole).replace("Spans", "Logs").encode())


def _holds_nan(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_holds_nan, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) and not math.isfinite(value)


def test_logs_in_protobuf() -> None:
    logs = LogsData()
    record = (
        logs.resource_logs.add()
        .scope_logs.add()
        .log_records.add(
            observed_time_unix_nano=AT, event_name="gen_ai.choice", span_id=bytes.fromhex(SPAN)
        )
    )
    filled(record.body, {"index": 0})

    [found] = decode_logs(logs.SerializeToString())

    assert (found.name, found.body, found.time_ns) == ("gen_ai.choice", {"index": 0}, AT)
    assert (found.trace_id, found.span_id) == ("", SPAN)
