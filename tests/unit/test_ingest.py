"""The ingest's logic without servers: bodies, OTLP, who may send what, and how much at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from deploy.ingest.access import cors, granted
from deploy.ingest.bodies import InFlight
from deploy.ingest.events import read_events
from deploy.ingest.otlp import JSON, LOGS, PROTOBUF, TRACES, read_export, refusal, response
from deploy.ingest.problems import BadEvent, HttpProblem
from schemas.decoding import decode
from schemas.events import EventError
from streams.settings import IngestSettings, SettingsError, load_settings

MEGABYTE = 1 << 20
TIME = "2026-01-01T00:00:00Z"
REQUEST = {"event_id": "e1", "time": TIME, "request_id": "r1", "model": "gpt-4o"}
FEEDBACK = {"event_id": "e2", "time": TIME, "kind": "thumbs_up", "response_id": "a1"}
EVALUATION = {"event_id": "e3", "time": TIME, "response_id": "a1", "name": "good", "score": 1}


def entry(value: Any, topic: str = "requests") -> dict[str, Any]:
    return {"topic": topic, "value": value}


def lines(*entries: Any) -> bytes:
    return b"\n".join(json.dumps(one).encode() for one in entries)


class TestEvents:
    @pytest.mark.parametrize(
        "body",
        [
            lines(entry(REQUEST), entry(FEEDBACK, "feedback")),
            b"\n" + lines(entry(REQUEST), entry(FEEDBACK, "feedback")) + b"\r\n\n",
            json.dumps([entry(REQUEST), entry(FEEDBACK, "feedback")], indent=2).encode(),
        ],
        ids=["lines", "lines with blank ones", "an array"],
    )
    def test_every_form_gives_the_same_events(self, body: bytes) -> None:
        first, second = read_events(body)
        assert (first.kind, second.kind) == ("requests", "feedback")
        assert json.loads(first.record.value) == REQUEST
        assert json.loads(second.record.value) == FEEDBACK

    def test_one_event_may_span_lines(self) -> None:
        (event,) = read_events(json.dumps(entry(REQUEST), indent=2).encode())
        assert json.loads(event.record.value) == REQUEST

    def test_the_value_keeps_its_bytes(self) -> None:
        value = b'{"event_id":"e1",  "time":"2026-01-01T00:00:00Z","request_id":"r1","model":"m","x":1.50}'
        (event,) = read_events(b'{"topic":"requests","value":' + value + b"}")
        assert event.record.value == value

    @pytest.mark.parametrize(
        ("value", "topic", "key"),
        [
            (REQUEST, "requests", b"r1"),
            ({**REQUEST, "session_id": "s1"}, "requests", b"s1"),
            ({**REQUEST, "session_id": ""}, "requests", b"r1"),
            (FEEDBACK, "feedback", b"a1"),
            ({**FEEDBACK, "request_id": "r1"}, "feedback", b"r1"),
            (EVALUATION, "evaluations", b"a1"),
        ],
    )
    def test_the_key_is_session_else_request_else_response(
        self, value: dict[str, Any], topic: str, key: bytes
    ) -> None:
        (event,) = read_events(lines(entry(value, topic)))
        assert event.record.key == key

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"", "there is no event"),
            (b"[]", "there is no event"),
            (b"nonsense", "line 1: not valid JSON"),
            (lines(entry(REQUEST)) + b'\n{"topic": "requ', "line 2: not valid JSON: ends too early"),
            (lines(3), "line 1: expected an object"),
            (lines({"topic": "requests"}), "line 1: value: required field is missing"),
            (lines({"value": REQUEST}), "line 1: topic: required field is missing"),
            (lines(entry(REQUEST, "alerts")), "line 1: topic: expected one of requests, responses"),
            (lines({**entry(REQUEST), "key": "k"}), "line 1: key: unknown field"),
            (lines(entry("text")), "line 1: value: expected object, got str"),
            (lines(entry(REQUEST), entry({**REQUEST, "model": 3})), "line 2: value.model: expected str"),
            (lines([entry(REQUEST), entry({"time": TIME})]), "item 2: value.event_id: required"),
            (lines(entry({**REQUEST, "time": "noon"})), "line 1: value.time"),
            (b'{"topic":"requests","value":{"event_id":"\xff"}}', "line 1: value: not valid UTF-8"),
        ],
    )
    def test_what_is_no_event_is_named_by_line_and_field(self, body: bytes, message: str) -> None:
        with pytest.raises(BadEvent) as refused:
            read_events(body)
        assert message in str(refused.value)
        assert refused.value.status == 400

    @pytest.mark.parametrize(
        "odd",
        [
            {"timeout_ms": -1},
            {"params": {"temperature": float("nan")}},
            {"user_id": "\ud800"},
            {"tools": [json.loads("[" * 300 + "]" * 300)]},
            {"never_heard_of": 1},
        ],
        ids=str,
    )
    def test_odd_optional_fields_are_no_error(self, odd: dict[str, Any]) -> None:
        for body in (lines(entry({**REQUEST, **odd})), lines([entry({**REQUEST, **odd})])):
            (event,) = read_events(body)
            assert decode("requests", event.record.value)

    @given(
        st.dictionaries(
            st.sampled_from(["event_id", "time", "request_id", "model", "timeout_ms", "user_id"]),
            st.one_of(st.none(), st.text(max_size=5), st.floats(), st.just(TIME), st.integers()),
        )
    )
    def test_what_the_worker_reads_is_taken_and_nothing_else(self, value: dict[str, Any]) -> None:
        try:
            decode("requests", json.dumps(value).encode())
            good = True
        except EventError:
            good = False
        for body in (lines(entry(value)), lines([entry(value)]), lines(entry(REQUEST), entry(value))):
            try:
                taken = read_events(body)
            except BadEvent:
                assert not good
            else:
                assert good
                assert decode("requests", taken[-1].record.value)


def span(number: int, **fields: Any) -> dict[str, Any]:
    return {"trace_id": b"T" * 16, "span_id": number.to_bytes(8, "big"), "name": "chat", **fields}


def traces(*spans: dict[str, Any], resources: int = 1) -> ExportTraceServiceRequest:
    """Spans dealt out to resources, each with a scope of its own."""
    request = ExportTraceServiceRequest()
    for number in range(resources):
        resource = request.resource_spans.add(schema_url=f"schema-{number}")
        resource.resource.attributes.add(key="service.name").value.string_value = f"s{number}"
        scope = resource.scope_spans.add(schema_url="scope")
        scope.scope.name = f"scope-{number}"
        for one in spans[number::resources]:
            scope.spans.add(**one)
    return request


def json_span(number: int, **fields: Any) -> dict[str, Any]:
    return {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": f"{number:016x}", **fields}


def json_traces(*spans: Any) -> bytes:
    scope = {"scope": {"name": "s"}, "spans": list(spans)}
    return json.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": [scope]}]}).encode()


def flat(message: bytes) -> list[tuple[str, str, str, bytes]]:
    """Each span with what stands around it."""
    request = ExportTraceServiceRequest.FromString(message)
    return [
        (resource.schema_url + str(resource.resource), scope.scope.name, one.name, one.span_id)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for one in scope.spans
    ]


class TestOtlp:
    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            (PROTOBUF, traces(span(1), span(2)).SerializeToString()),
            (JSON, json_traces(json_span(1), json_span(2))),
        ],
    )
    def test_a_request_is_written_in_its_own_bytes(self, kind: str, body: bytes) -> None:
        assert read_export(TRACES, kind, body, MEGABYTE) == ([body], 2, 0, "")

    @pytest.mark.parametrize(("kind", "body"), [(PROTOBUF, b""), (JSON, b"{}"), (JSON, b'{"resourceSpans": [], "resourceLogs": []}')])
    def test_an_empty_request_is_fine_and_nothing_to_write(self, kind: str, body: bytes) -> None:
        for signal in (TRACES, LOGS):
            assert read_export(signal, kind, body, MEGABYTE).messages == []

    @pytest.mark.parametrize(
        ("kind", "body", "message"),
        [
            (PROTOBUF, b"\xff\xff", "no ExportTraceServiceRequest in protobuf"),
            (PROTOBUF, b'{"resourceSpans": []}', "no ExportTraceServiceRequest in protobuf"),
            (PROTOBUF, b"\x12\x00", "resource_spans: missing"),
            (JSON, b"\x0a\x00", "no OTLP request in JSON"),
            (JSON, b"[]", "expected `object`, got `array`"),
            (JSON, b'{"resourceLogs": [{}]}', "resourceSpans: missing"),
            (JSON, b'{"resourceSpans": {}}', "resourceSpans"),
            (JSON, json_traces(3), "resourceSpans[0].scopeSpans[0].spans[0]"),
            (JSON, json_traces({"spanId": "1"}), "resourceSpans[0].scopeSpans[0].spans[0].traceId: 32 hex"),
        ],
    )
    def test_what_is_no_otlp_is_refused_with_its_place(
        self, kind: str, body: bytes, message: str
    ) -> None:
        with pytest.raises(HttpProblem) as refused:
            read_export(TRACES, kind, body, MEGABYTE)
        assert refused.value.status == 400
        assert message.lower() in str(refused.value).lower()

    def test_spans_without_usable_ids_are_taken_out_and_told_of(self) -> None:
        bad = [span(0), span(5, trace_id=b"short")]
        body = traces(span(1), *bad, span(2)).SerializeToString()
        export = read_export(TRACES, PROTOBUF, body, MEGABYTE)
        assert [number for _, _, _, number in flat(export.messages[0])] == [
            (1).to_bytes(8, "big"),
            (2).to_bytes(8, "big"),
        ]
        answer = ExportTraceServiceResponse.FromString(response(TRACES, PROTOBUF, export))
        assert answer.partial_success.rejected_spans == 2
        assert "spans[1].span_id" in answer.partial_success.error_message
        with pytest.raises(HttpProblem, match=r"spans\[0\].span_id"):
            read_export(TRACES, PROTOBUF, traces(*bad).SerializeToString(), MEGABYTE)

    def test_in_json_too(self) -> None:
        body = json_traces(json_span(1), json_span(2, traceId="W47/95gDgQPSabYzgT/GDA=="))
        export = read_export(TRACES, JSON, body, MEGABYTE)
        (message,) = export.messages
        assert json.loads(message) == json.loads(json_traces(json_span(1)))
        told = json.loads(response(TRACES, JSON, export))["partialSuccess"]
        assert told["rejectedSpans"] == "1"
        assert "spans[1].traceId" in told["errorMessage"]

    def test_all_went_well_is_an_empty_answer(self) -> None:
        export = read_export(TRACES, JSON, json_traces(json_span(1)), MEGABYTE)
        assert response(TRACES, JSON, export) == b"{}"
        assert response(TRACES, PROTOBUF, export) == b""

    @given(st.integers(1, 40), st.integers(1, 4), st.integers(400, 3_000))
    def test_a_large_request_is_split_between_spans(self, count: int, resources: int, most: int) -> None:
        spans = [span(n, name=f"chat {n}" + "x" * 100) for n in range(1, count + 1)]
        body = traces(*spans, resources=resources).SerializeToString()
        export = read_export(TRACES, PROTOBUF, body, most)
        assert all(len(message) <= most for message in export.messages)
        assert [one for message in export.messages for one in flat(message)] == flat(body)

    @given(st.integers(1, 40), st.integers(250, 2_000))
    def test_a_large_request_in_json_too(self, count: int, most: int) -> None:
        spans = [json_span(n, name="x" * 50) for n in range(1, count + 1)]
        export = read_export(TRACES, JSON, json_traces(*spans), most)
        assert all(len(message) <= most for message in export.messages)
        found = [json.loads(m)["resourceSpans"][0]["scopeSpans"][0] for m in export.messages]
        assert [one for scope in found for one in scope["spans"]] == spans
        assert all(scope["scope"] == {"name": "s"} for scope in found)

    def test_a_span_larger_than_a_message_is_named(self) -> None:
        body = traces(span(1), span(2, name="x" * 5000)).SerializeToString()
        with pytest.raises(HttpProblem, match=r"spans\[1\].*max.message.bytes") as refused:
            read_export(TRACES, PROTOBUF, body, 2000)
        assert refused.value.status == 413

    def test_logs_need_no_ids(self) -> None:
        request = ExportLogsServiceRequest()
        request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = "hello"
        body = request.SerializeToString()
        assert read_export(LOGS, PROTOBUF, body, MEGABYTE) == ([body], 1, 0, "")
        with pytest.raises(HttpProblem, match="resourceLogs: missing"):
            read_export(LOGS, JSON, json_traces(json_span(1)), MEGABYTE)

    def test_a_refusal_is_a_status_in_the_same_encoding(self) -> None:
        assert refusal(JSON, "why") == b'{"message":"why"}'
        assert refusal(PROTOBUF, "why") == b"\x12\x03why"  # google.rpc.Status: field 2, a string


PAGE = "https://app.example.com"
LOCAL = {"Host": "localhost:4319"}
OPEN = IngestSettings(origins=[PAGE])
KEYED = IngestSettings(token="secret", origins=[PAGE], public_key="public")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class TestAccess:
    @pytest.mark.parametrize(
        ("settings", "path", "headers", "grant"),
        [
            (OPEN, "/v1/traces", {}, "everything"),
            (OPEN, "/v1/events", {"Origin": PAGE}, "feedback"),
            (KEYED, "/v1/traces", bearer("secret"), "everything"),
            (KEYED, "/v1/events", {**bearer("secret"), "Host": "ingest.internal"}, "everything"),
            (KEYED, "/v1/events", bearer("public"), "feedback"),
            (KEYED, "/v1/events", {**bearer("public"), "Origin": PAGE}, "feedback"),
            (KEYED, "/v1/events", {**bearer("secret"), "Origin": PAGE}, "feedback"),
            (KEYED, "/health", {"Host": "10.0.0.7:4319"}, "everything"),
            (KEYED, "/metrics", {}, "everything"),
        ],
    )
    def test_who_may(
        self, settings: IngestSettings, path: str, headers: dict[str, str], grant: str
    ) -> None:
        assert granted(settings, path, {**LOCAL, **headers}) == grant

    @pytest.mark.parametrize(
        ("settings", "path", "headers", "status"),
        [
            (OPEN, "/v1/events", {"Host": "rebound.example.com"}, 421),
            (OPEN, "/health", {"Host": "rebound.example.com"}, 421),
            (OPEN, "/v1/events", {"Origin": "https://evil.example.com"}, 403),
            (OPEN, "/v1/events", {"Origin": "null"}, 403),
            (OPEN, "/v1/controls", {"Sec-Fetch-Site": "cross-site"}, 403),
            (OPEN, "/v1/controls", {"Origin": PAGE}, 403),
            (KEYED, "/v1/traces", {**bearer("secret"), "Origin": PAGE}, 403),
            (KEYED, "/v1/events", {}, 401),
            (KEYED, "/v1/events", bearer("wrong"), 401),
            (KEYED, "/v1/events", bearer(""), 401),
            (KEYED, "/v1/events", {"Authorization": "secret"}, 401),
            (KEYED, "/v1/events", {"Origin": PAGE}, 401),
            (KEYED, "/v1/controls", {}, 401),
            (IngestSettings(origins=[PAGE], public_key="public"), "/v1/events", {"Origin": PAGE}, 401),
        ],
    )
    def test_who_may_not(
        self, settings: IngestSettings, path: str, headers: dict[str, str], status: int
    ) -> None:
        with pytest.raises(HttpProblem) as refused:
            granted(settings, path, {**LOCAL, **headers})
        assert refused.value.status == status

    def test_only_named_origins_may_read_the_answer(self) -> None:
        assert cors(OPEN, {"Origin": PAGE})["Access-Control-Allow-Origin"] == PAGE
        assert cors(OPEN, {"Origin": PAGE + ".evil.example"}) == {}
        assert cors(OPEN, {}) == {}


class TestBounds:
    def test_what_is_under_way_is_bounded_and_given_back(self) -> None:
        whole = InFlight(100)
        with whole.share() as one, whole.share() as other:
            one.take(60)
            with pytest.raises(HttpProblem) as refused:
                other.take(41)
            assert (refused.value.status, refused.value.retry_after) == (429, 1)
            other.take(40)
            assert whole.bytes == 100
        assert whole.bytes == 0


class TestSettings:
    @pytest.mark.parametrize(
        ("given_", "message"),
        [
            ({"origins": ["*"]}, "is no origin"),
            ({"origins": ["https://app.example.com/"]}, "is no origin"),
            ({"token": "same", "public_key": "same"}, "must differ"),
            ({"max_body": 1 << 30}, "twice max_body"),
            ({"port": "many"}, "ingest.port"),
            ({"hosts": []}, "ingest.hosts"),
        ],
    )
    def test_what_makes_no_sense_is_named(self, given_: dict[str, Any], message: str) -> None:
        with pytest.raises(SettingsError, match=message) as refused:
            load_settings(ingest=given_)
        assert "same" not in str(refused.value)
