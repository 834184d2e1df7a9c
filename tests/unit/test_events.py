"""Which bytes are an event, which are not, and what the reason says."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decoding import (
    MAX_EVENT_BYTES,
    decode,
    decode_feedback,
    decode_request,
    decode_response,
    decode_with_unknown,
)
from schemas.depth import MAX_DEPTH
from schemas.events import EVENT_KINDS, Evaluation, EventError, Feedback, Request, Response
from schemas.reasons import MAX_REASON

T = "2026-03-01T12:00:00.250Z"

# Every field of the contract, none at its default: a field at its default is left out when an event is written.
EXAMPLES: dict[str, dict[str, Any]] = {
    "requests": {
        "event_id": "q1", "time": T, "request_id": "r1", "session_id": "s1", "tenant": "acme", "feature": "support",
        "environment": "prod", "user_id": "u1", "trace_id": "t1", "span_id": "sp1", "parent_span_id": "sp0",
        "operation": "retrieval", "provider": "openai", "model": "gpt-4o-mini",
        "prompt": {"name": "support", "sha": "3f786850", "variables": {"lang": "pt"}},
        "system_instructions": "Be kind.",
        "messages": [
            {"role": "user", "content": "Onde está meu pedido? 📦"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]},
            {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "f"}}]},
        ],
        "params": {"temperature": 0.2, "seed": 7, "stop": ["\n"]},
        "documents": [{"id": "d1", "index_version": "v2", "score": 0.8, "text": "Entrega em 3 dias."}],
        "tools": [{"type": "function"}], "output_schema": {"type": "object"}, "timeout_ms": 30000,
        "variant": "shadow", "shadow_of": "r0",
    },
    "responses": {
        "event_id": "a1", "time": T, "request_id": "r1", "response_id": "p1", "status": "error", "session_id": "s1",
        "tenant": "acme", "model": "gpt-4o-mini-2024-07-18", "system_fingerprint": "fp",
        "error": {"type": "rate_limit", "code": 429, "message": "slow down"}, "finish_reason": "stop", "output": "Olá",
        "tool_calls": [{"name": "lookup", "arguments": "{\"id\": 1}"}],
        "usage": {"input_tokens": 10, "output_tokens": 5, "cache_read_tokens": 4, "cache_write_tokens": 0,
                  "reasoning_tokens": 1},
        "cost_usd": 0.00125, "latency_ms": 1399, "ttft_ms": 211.5,
        "rails": [{"name": "pii", "stage": "output", "verdict": "flag", "detail": "cpf"}], "cache": "miss",
    },
    "feedback": {
        "event_id": "f1", "time": T, "kind": "rating", "value": 0.5, "response_id": "p1", "request_id": "r1",
        "session_id": "s1", "tenant": "acme", "comment": "bom", "user_id": "u1",
    },
    "evaluations": {
        "event_id": "e1", "time": T, "response_id": "p1", "name": "faithful", "score": 1, "label": "good",
        "explanation": "…", "source": "judge", "session_id": "s1", "request_id": "r1", "tenant": "acme",
    },
}  # fmt: skip

MINIMAL: dict[str, dict[str, Any]] = {
    "requests": {"event_id": "q1", "time": T, "request_id": "r1", "model": "m"},
    "responses": {"event_id": "a1", "time": T, "request_id": "r1", "response_id": "p1", "status": "ok"},
    "feedback": {"event_id": "f1", "time": T, "kind": "copy", "session_id": "s1"},
    "evaluations": {"event_id": "e1", "time": T, "response_id": "p1", "name": "n", "score": 0},
}


def as_bytes(event: dict[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode()


def reason(kind: str, value: bytes | None) -> str:
    with pytest.raises(EventError) as error:
        decode(kind, value)
    assert error.value.reason == str(error.value)
    return error.value.reason


def with_changes(kind: str, /, **changes: Any) -> bytes:
    return as_bytes(MINIMAL[kind] | changes)


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_an_event_with_every_field_of_the_contract_is_read_completely(kind: str) -> None:
    event, unknown = decode_with_unknown(kind, as_bytes(EXAMPLES[kind]))
    assert type(event) is EVENT_KINDS[kind]
    assert unknown is None
    assert msgspec.to_builtins(event) == EXAMPLES[kind] | {"time": "2026-03-01T12:00:00.250000Z"}


def test_defaults_are_those_of_the_contract() -> None:
    request = decode_request(as_bytes(MINIMAL["requests"]))
    assert (request.tenant, request.operation, request.variant, request.timeout_ms) == (
        "default", "chat", "live", 15_000,
    )  # fmt: skip
    assert request.time == datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    assert decode_response(as_bytes(MINIMAL["responses"])).tenant == "default"


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_null_in_an_optional_field_means_absent(kind: str) -> None:
    required = set(MINIMAL[kind])
    nulls = {name: None for name in EXAMPLES[kind] if name not in required}
    assert decode(kind, as_bytes(MINIMAL[kind] | nulls)) == decode(kind, as_bytes(MINIMAL[kind]))


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_every_required_field_is_named_when_it_is_missing(kind: str) -> None:
    for name in MINIMAL[kind]:
        if name == "session_id":  # feedback: one of three, see below
            continue
        event = {key: value for key, value in MINIMAL[kind].items() if key != name}
        assert reason(kind, as_bytes(event)) == f"{name}: required field is missing"


def test_an_empty_session_id_is_no_session_but_an_empty_request_id_is_an_error() -> None:
    assert decode_request(with_changes("requests", session_id="")).session_id is None
    assert decode_request(with_changes("requests", tenant="")).tenant == "default"
    assert reason("requests", with_changes("requests", request_id="")) == (
        "request_id: expected str of length >= 1, got a str of 0 characters"
    )


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("responses", {"status": "fine"},
         "status: expected one of ok, error, timeout, cancelled, blocked, got 'fine'"),
        ("responses", {"status": "529.982.247-25"},
         "status: expected one of ok, error, timeout, cancelled, blocked, got a str of 14 characters"),
        ("requests", {"model": None}, "model: expected str, got null"),
        ("requests", {"request_id": "x" * 513},
         "request_id: expected str of length <= 512, got a str of 513 characters"),
        ("requests", {"time": "2026-03-01T12:00:00"},
         "time: expected datetime with a timezone component, got a str of 19 characters"),
        ("requests", {"time": 1767225600}, "time: expected datetime, got int"),
        ("requests", {"time": "yesterday"}, "time: invalid RFC3339 encoded datetime, got 'yesterday'"),
        ("requests", {"time": "1969-12-31T23:59:59Z"}, "time: 1969-12-31T23:59:59+00:00 is outside 1970..2100"),
        ("requests", {"time": "9999-12-31T23:59:59Z"}, "time: 9999-12-31T23:59:59+00:00 is outside 1970..2100"),
        ("requests", {"time": "0001-01-01T00:00:00+05:00"}, "time: 0001-01-01T00:00:00+05:00 is outside 1970..2100"),
        ("evaluations", {"score": 1.01}, "score: expected float <= 1.0, got 1.01"),
        ("evaluations", {"score": -0.01}, "score: expected float >= 0.0, got -0.01"),
        ("feedback", {"kind": "rating", "value": 5}, "value: a rating is a number from 0 to 1, got 5.0"),
        ("feedback", {"kind": "rating", "value": "high"}, "value: expected float, got str"),
        ("feedback", {"kind": "rating"}, "value: a rating is a number from 0 to 1, got null"),
        ("feedback", {"kind": "dwell", "value": -2}, "value: a dwell is a number of seconds >= 0, got -2.0"),
        ("feedback", {"session_id": ""}, "response_id: one of response_id, request_id, session_id is required"),
    ],
)  # fmt: skip
def test_a_wrong_required_field_is_named_with_what_was_expected_and_found(kind: str, changes: dict[str, Any], expected: str) -> None:
    assert reason(kind, with_changes(kind, **changes)) == expected
    # an unknown field elsewhere in the event takes another path through the decoder, to the same verdict
    assert reason(kind, with_changes(kind, novelty=1, **changes)) == expected
    # nor does an odd optional field hide it
    assert reason(kind, with_changes(kind, tenant=5, **changes)) == expected


REQUEST = as_bytes(MINIMAL["requests"])


def request_with(field: bytes) -> bytes:
    return REQUEST[:-1] + b", " + field + b"}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "empty value"),
        (b"", "empty value"),
        (b"   ", "not valid JSON: ends too early at byte 3"),
        (REQUEST[:-1], f"not valid JSON: ends too early at byte {len(REQUEST) - 1}"),
        (REQUEST + b"x", f"not valid JSON: trailing characters at byte {len(REQUEST) + 1}"),
        (b"hello", "not valid JSON: invalid character at byte 0"),
        (b"[]", "expected object, got array: publish one event per record"),
        (b"null", "expected object, got null"),
        (b'"text"', "expected object, got str"),
        (request_with(b'"user_id": "\xff"'), f"not valid UTF-8: byte 0xff at byte {len(REQUEST) + 13}"),
        (request_with(b'"novelty": "\xff"'), f"not valid UTF-8: byte 0xff at byte {len(REQUEST) + 13}"),
        (request_with(b'"user_id": "\xed\xa0\x80"'), f"not valid UTF-8: byte 0xed at byte {len(REQUEST) + 13}"),
        (request_with(b'"user_id": "\\ud800", "params": {'), f"not valid JSON: ends too early at byte {len(REQUEST) + 34}"),
        (
            request_with(b'"user_id": "\\ud800", x'),
            f"not valid JSON: expecting property name enclosed in double quotes at byte {len(REQUEST) + 22}",
        ),
        (
            request_with(b'"novelty": "\\q"'),
            f"not valid JSON: invalid escape character in string at byte {len(REQUEST) + 15}",
        ),
        (request_with(b'"user_id": "a\nb"'), f"not valid JSON: invalid character at byte {len(REQUEST) + 14}"),
    ],
)
def test_bytes_that_are_no_json_object_are_refused_with_the_place(value: bytes | None, expected: str) -> None:
    assert reason("requests", value) == expected


def test_a_nul_byte_in_text_is_text() -> None:
    assert decode_request(request_with(b'"user_id": "a\\u0000b"')).user_id == "a\0b"


def test_the_last_of_two_equal_keys_wins() -> None:
    assert decode_request(request_with(b'"model": "second"')).model == "second"


def test_an_event_may_be_large_but_not_larger_than_the_limit() -> None:
    room = MAX_EVENT_BYTES - len(with_changes("responses", output=""))
    assert len(decode_response(with_changes("responses", output="x" * room)).output or "") == room
    assert reason("responses", b" " * 20_000_000) == "20.0 MB is more than the 16 MiB an event may have"


@pytest.mark.parametrize("field", [b"params", b"novelty"])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a": ', b"}"), (b'[{"\\"]": ', b"}]")])
def test_nesting_is_limited_far_below_the_interpreters_recursion_limit(field: bytes, opening: bytes, closing: bytes) -> None:
    def nested(levels: int) -> bytes:
        repeats = levels // (opening.count(b"[") + opening.count(b"{"))
        return request_with(b'"%s": {"x": %s1%s}' % (field, opening * repeats, closing * repeats))

    decode_request(nested(MAX_DEPTH - 2))  # the event and the field's object are levels too
    for levels in (MAX_DEPTH, 900, 200_000):
        event, extra = decode_with_unknown("requests", nested(levels))
        assert extra is not None
        assert extra.odd_fields == [field.decode()]
        event_again = msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=Request)
        assert event_again == event
        assert reason("requests", nested(levels)[:-2]).startswith("not valid JSON")


@pytest.mark.parametrize("extra", [b"", b', "novelty": 1'])
def test_integers_beyond_64_bits_become_floats_so_that_an_event_can_be_stored_in_any_format(extra: bytes) -> None:
    low, high = -(2**63), 2**64 - 1
    value = request_with(b'"params": {"seed": %d, "min": %d, "deep": [{"max": %d}, %d]}' % (10**30, low, high, low - 1) + extra)
    event = decode_request(value)
    assert event.params == {"seed": 1e30, "min": low, "deep": [{"max": high}, float(low - 1)]}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=Request) == event
    event, beyond = decode_with_unknown("requests", request_with(b'"params": {"seed": %d}' % 10**400 + extra))
    assert event.params == {"seed": None}
    assert beyond is not None
    assert beyond.odd_fields == ["params"]


def test_many_brackets_are_not_depth() -> None:
    decode_request(request_with(b'"tools": [' + b"[[]]," * 5000 + b"{}]"))
    decode_request(with_changes("requests", messages=[{"role": "user", "content": '[{"\\' * 1000}], tools=[]))


def test_fields_not_known_are_kept_in_the_shape_of_the_event() -> None:
    value = with_changes(
        "responses",
        zone="br",
        usage={"input_tokens": 3, "audio_tokens": 9},
        rails=[{"name": "a"}, {"name": "b", "ms": 1.5}],
        error={"type": "x"},
    )
    event, extra = decode_with_unknown("responses", value)
    assert isinstance(event, Response)
    assert extra is not None
    assert extra.odd_fields == []
    assert event.usage is not None
    assert event.usage.input_tokens == 3
    assert json.loads(extra.text or b"") == {"zone": "br", "usage": {"audio_tokens": 9}, "rails": [{}, {"ms": 1.5}]}


def test_unknown_fields_change_nothing_else() -> None:
    for kind, example in EXAMPLES.items():
        assert decode(kind, as_bytes(example | {"novelty": [1, {"a": None}]})) == decode(kind, as_bytes(example))


def test_a_reason_has_a_bounded_length_and_shows_no_text() -> None:
    secret = "Maria da Silva, CPF 529.982.247-25 " * 1000
    for text in (
        reason("requests", with_changes("requests", time=secret)),
        reason("responses", with_changes("responses", status=secret)),
        reason("requests", with_changes("requests", model=secret)),
    ):
        assert len(text) <= MAX_REASON
        assert "Silva" not in text


def test_feedback_needs_to_say_what_it_is_about() -> None:
    for name in ("response_id", "request_id", "session_id"):
        event = decode_feedback(as_bytes({"event_id": "f", "time": T, "kind": "thumbs_up", name: "x"}))
        assert getattr(event, name) == "x"


def test_structs_made_in_code_obey_the_rules_that_span_fields() -> None:
    with pytest.raises(ValueError, match="one of response_id"):
        Feedback(event_id="f", time=datetime.now(UTC), kind="copy")
    with pytest.raises(ValueError, match="outside 1970"):
        Evaluation(event_id="e", time=datetime(1900, 1, 1, tzinfo=UTC), response_id="r", name="n", score=1)
    with pytest.raises(ValueError, match="outside 1970"):
        Request(event_id="e", time=datetime(2200, 1, 1, tzinfo=UTC), request_id="r", model="m")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def mutated_events(draw: st.DrawFn) -> tuple[str, bytes]:
    """An event with some of its fields, at any depth, replaced, dropped or added, and perhaps damaged bytes."""
    kind = draw(st.sampled_from(sorted(EVENT_KINDS)))
    event = deepcopy(EXAMPLES[kind])
    for _ in range(draw(st.integers(0, 3))):
        target: Any = event
        while True:
            keys = list(target) if isinstance(target, dict) else list(range(len(target)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if not isinstance(target[key], dict | list) or draw(st.booleans()):
                action = draw(st.sampled_from(("replace", "drop", "add")))
                if action == "replace":
                    target[key] = draw(ANY_JSON)
                elif action == "drop":
                    del target[key]
                elif isinstance(target, dict):
                    target[draw(st.text(max_size=8))] = draw(ANY_JSON)
                break
            target = target[key]
    value = json.dumps(event, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(value)))
        value = value[:at] + draw(st.binary(max_size=4)) + value[at + draw(st.integers(0, 4)) :]
    return kind, value


@settings(max_examples=500, deadline=None)
@given(mutated_events())
def test_any_bytes_are_an_event_or_have_a_reason(mutated: tuple[str, bytes]) -> None:
    kind, value = mutated
    try:
        event, extra = decode_with_unknown(kind, value)
    except EventError as error:
        assert 0 < len(error.reason) <= MAX_REASON  # noqa: PT017 - either outcome is fine, each has its promise
        error.reason.encode()  # it will be written somewhere
        return
    # what was accepted can be written, read again and is the same
    assert decode(kind, msgspec.json.encode(event)) == event
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=EVENT_KINDS[kind]) == event
    if extra is not None:
        assert extra.odd_fields or extra.text
        assert extra.text is None or json.loads(extra.text)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(EVENT_KINDS)), st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_arbitrary_bytes_are_refused_with_a_reason(kind: str, value: bytes) -> None:
    assert reason(kind, value)
