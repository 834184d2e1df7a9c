"""An optional field whose value makes no sense costs no event: it is null, it is named, and its
value is kept if it is small."""

import json
from typing import Any

import msgspec
import pytest
from test_events import MINIMAL, T, as_bytes, with_changes

from schemas.decoding import decode_with_unknown
from schemas.events import EVENT_KINDS, Event, Extra
from schemas.repair import MAX_KEPT, MAX_PATHS
from tests.unit.builders import World, request, response, settings

Json = dict[str, Any]


def read(kind: str, value: bytes) -> tuple[Json, list[str], Json]:
    """The event as plain values, its odd fields, and what is kept beside it."""
    event, extra = decode_with_unknown(kind, value)
    extra = extra or Extra(None)
    return msgspec.to_builtins(event), extra.odd_fields, json.loads(extra.text or b"{}")


@pytest.mark.parametrize(
    ("kind", "name", "value", "path"),
    [
        ("responses", "latency_ms", -4999.2, "latency_ms"),
        ("responses", "ttft_ms", "12", "ttft_ms"),
        ("responses", "cost_usd", -0.1, "cost_usd"),
        ("responses", "cost_usd", 1e13, "cost_usd"),
        ("responses", "cache", "HIT", "cache"),
        ("responses", "output", {"text": "hi"}, "output"),
        ("responses", "usage", [], "usage"),
        ("responses", "usage", "n/a", "usage"),
        ("responses", "tool_calls", {"name": "x"}, "tool_calls"),
        ("responses", "model", "m" * 257, "model"),
        ("responses", "error", "rate limited", "error"),
        ("requests", "session_id", 42, "session_id"),
        ("requests", "session_id", "s" * 400 + "é" * 113, "session_id"),
        ("requests", "feature", True, "feature"),
        ("requests", "timeout_ms", 0, "timeout_ms"),
        ("requests", "timeout_ms", 1.5, "timeout_ms"),
        ("requests", "operation", "rerank", "operation"),
        ("requests", "variant", "blue", "variant"),
        ("requests", "tenant", 5, "tenant"),
        ("requests", "messages", "hello", "messages"),
        ("requests", "params", ["temperature"], "params"),
        ("requests", "prompt", "v2", "prompt"),
        ("feedback", "value", "high", "value"),
        ("feedback", "comment", 5, "comment"),
        ("evaluations", "source", "cat", "source"),
        ("evaluations", "label", {"a": 1}, "label"),
    ],
)
def test_an_odd_field_is_absent_named_and_kept(kind: str, name: str, value: Any, path: str) -> None:
    event, odd, extra = read(kind, with_changes(kind, **{name: value}))
    absent, _, _ = read(kind, with_changes(kind))
    assert event == absent
    assert odd == [path]
    kept = extra[name]
    assert (
        kept == value if len(json.dumps(value)) <= MAX_KEPT else kept.startswith(value[:MAX_KEPT])
    )
    # an unknown field beside it is kept as always
    again, odd, extra = read(kind, with_changes(kind, novelty=1, **{name: value}))
    assert (again, odd) == (absent, [path])
    assert extra == {name: kept, "novelty": 1}


def test_of_an_object_only_the_odd_part_is_lost() -> None:
    event, odd, extra = read("responses", with_changes(
        "responses",
        usage={"input_tokens": 1000, "output_tokens": -5, "cache_read_tokens": None, "beans": 7},
        error={"type": "rate_limit", "code": [429], "message": "slow down"},
        rails=[{"name": "pii", "verdict": "maybe"}, {"name": "toxic", "verdict": "pass"}, "jailbreak"],
    ))  # fmt: skip
    assert event["usage"] == {"input_tokens": 1000}
    assert event["error"] == {"type": "rate_limit", "message": "slow down"}
    assert event["rails"] == [{"name": "pii"}, {"name": "toxic", "verdict": "pass"}, {}]
    assert odd == ["usage.output_tokens", "error.code", "rails[0].verdict", "rails[2]"]
    assert extra == {
        "usage": {"output_tokens": -5, "beans": 7},
        "error": {"code": [429]},
        "rails": [{"verdict": "maybe"}, {}, "jailbreak"],
    }


def test_one_bad_message_leaves_the_others_where_they_are() -> None:
    messages = [
        {"role": "system", "content": "Be kind."},
        "hi",
        None,
        {"role": 7, "content": "hello"},
        {"role": "user", "content": 5},
    ]
    event, odd, extra = read("requests", with_changes("requests", messages=messages))
    assert event["messages"] == [messages[0], {}, {}, {"content": "hello"}, {"role": "user"}]
    assert odd == ["messages[1]", "messages[2]", "messages[3].role", "messages[4].content"]
    assert extra == {"messages": [{}, "hi", None, {"role": 7}, {"content": 5}]}


@pytest.mark.parametrize("number", ["1000.0", "1e3", "1E3", "10.00e2"])
def test_a_whole_number_may_be_written_with_a_point_or_an_exponent(number: str) -> None:
    value = with_changes("responses", usage={"input_tokens": "N"}, error={"code": "N"}).replace(
        b'"N"', number.encode()
    )
    event, odd, extra = read("responses", value)
    assert event["usage"] == {"input_tokens": 1000}
    assert isinstance(event["usage"]["input_tokens"], int)
    assert event["error"] == {"code": 1000}
    assert (odd, extra) == ([], {})


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        ("NaN", "inf"),
        ("Infinity", "inf"),
        ("-Infinity", "inf"),
        ("1e400", "inf"),
        ("-1E400", "-inf"),
        ("9" * 400, None),
        ("9" * 5000, "inf"),
    ],
)
def test_a_number_that_is_none_is_odd_wherever_it_stands(number: str, kept: str | None) -> None:
    value = with_changes(
        "responses",
        latency_ms="N",
        usage={"input_tokens": "N"},
        novelty=["N"],
        tool_calls=[{"name": "f", "arguments": {"x": "N", "y": 1}}],
    ).replace(b'"N"', number.encode())
    event, odd, extra = read("responses", value)
    assert event == MINIMAL["responses"] | {
        "time": "2026-03-01T12:00:00.250000Z", "usage": {}, "tool_calls": [{"name": "f", "arguments": {"x": None, "y": 1}}],
    }  # fmt: skip
    assert sorted(odd) == ["latency_ms", "novelty", "tool_calls[0].arguments", "usage.input_tokens"]
    assert extra == {"latency_ms": kept, "usage": {"input_tokens": kept}, "novelty": [None]}


@pytest.mark.parametrize("half", ["\\ud83d", "\\udc00", "\\ud83d\\ud83d", "\\udc00\\ud83d"])
def test_halves_of_a_surrogate_pair_become_replacement_characters(half: str) -> None:
    text = '"half ' + half + '!"'
    value = with_changes(
        "requests",
        messages=[{"role": "user", "content": "H"}, {"content": [{"H": "H"}]}],
        params={"stop": ["H"]},
        user_id="H",
        model="H",
        novelty="H",
    ).replace(b'"H"', text.encode())
    event, odd, extra = read("requests", value)
    repaired = "half " + "\ufffd" * (len(half) // 6) + "!"
    assert event["messages"] == [
        {"role": "user", "content": repaired},
        {"content": [{repaired: repaired}]},
    ]
    assert event["params"] == {"stop": [repaired]}
    assert event["user_id"] == event["model"] == repaired
    assert odd == [
        "model",
        "messages[0].content",
        "messages[1].content",
        "params",
        "user_id",
        "novelty",
    ]
    assert extra == {"novelty": repaired}


def test_half_a_surrogate_pair_in_place_of_an_object_is_odd_like_anything_there() -> None:
    event, odd, extra = read(
        "requests",
        with_changes("requests", messages=["H", ["H"]], documents={"H": 1}).replace(
            b'"H"', b'"\\ud83d"'
        ),
    )
    assert event["messages"] == [{}, {}]
    assert "documents" not in event
    assert sorted(odd) == ["documents", "documents.*", "messages[0]", "messages[1]"]
    assert extra == {"messages": ["\ufffd", ["\ufffd"]], "documents": {"\ufffd": 1}}


def test_a_whole_surrogate_pair_is_a_character_and_not_odd() -> None:
    event, odd, _ = read(
        "requests", with_changes("requests", user_id="U").replace(b'"U"', b'"\\ud83d\\udce6"')
    )
    assert event["user_id"] == "📦"
    assert odd == []


def test_names_of_unknown_fields_are_shown_only_if_they_are_plain_words() -> None:
    value = as_bytes(MINIMAL["requests"] | {"529.982.247-25 Maria": "H", "beans": "H"}).replace(
        b'"H"', b"NaN"
    )
    _, odd, extra = read("requests", value)
    assert odd == ["*", "beans"]
    assert extra == {"529.982.247-25 Maria": None, "beans": None}


def test_what_nests_too_deep_is_cut_off_there_and_the_rest_is_read() -> None:
    deep = "[" * 5000 + "]" * 5000
    value = with_changes("requests", params={"seed": 7, "x": "D"}, feature="f").replace(
        b'"D"', deep.encode()
    )
    event, odd, _ = read("requests", value)
    assert event["params"]["seed"] == 7
    assert event["feature"] == "f"
    assert odd == ["params"]


def test_many_odd_fields_and_large_values_are_bounded() -> None:
    value = with_changes(
        "requests",
        messages=["no message"] * 10_000,
        feature="f" * 100_000,
        tools={"x": "y" * 100_000},
    )
    event, odd, extra = read("requests", value)
    assert len(event["messages"]) == 10_000
    assert len(odd) == MAX_PATHS + 1
    assert odd[-1] == "..."
    assert len(extra["feature"]) == MAX_KEPT + 1
    assert "tools" not in extra


def test_of_two_equal_keys_only_the_last_is_looked_at() -> None:
    value = b'{"latency_ms": -1, ' + with_changes("responses", latency_ms=5.0)[1:]
    assert read("responses", value)[1:] == ([], {})


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_an_event_all_of_whose_optional_fields_are_odd_is_read_as_one_without_them(
    kind: str,
) -> None:
    fields = [name for name in EVENT_KINDS[kind].__struct_fields__ if name not in MINIMAL[kind]]
    event, odd, _ = read(
        kind,
        as_bytes(
            MINIMAL[kind] | {name: -0.5 if name not in ("value",) else "x" for name in fields}
        ),
    )
    assert event == read(kind, as_bytes(MINIMAL[kind]))[0]
    assert sorted(odd) == sorted(fields)


def test_a_row_tells_of_the_odd_fields_of_request_and_response() -> None:
    # Given a call of which every second field is odd, and personal data where it does not belong
    world = World(settings(1))
    world.publish("requests", request(1, timeout_ms=0, operation="rerank"))
    world.publish(
        "responses",
        response(1, latency_ms=-4999.2, ttft_ms={"to": "maria@example.com"}, cache="HIT"),
    )
    world.publish(
        "feedback", {"event_id": "f1", "time": T, "kind": "copy", "request_id": "r1", "value": "x"}
    )
    world.publish(
        "evaluations",
        {"event_id": "e1", "time": T, "response_id": "p1", "name": "n", "score": 1, "label": 5},
    )
    # When all is settled, then it has its outcome, and its row says what was odd
    world.finish()
    row = world.tables.interactions()["r1"]
    assert row["outcome"] == "ok"
    assert sorted(row["odd_fields"][:2]) == ["operation", "timeout_ms"]
    assert sorted(row["odd_fields"][2:]) == ["cache", "latency_ms", "ttft_ms"]
    assert "latency_ms" not in row
    extra = json.loads(row["extra"])
    assert extra["request"] == {"operation": "rerank", "timeout_ms": 0}
    assert extra["response"]["latency_ms"] == -4999.2
    assert "maria@example.com" not in row["extra"]
    assert [row.odd_fields for row in world.tables.feedback()] == [["value"]]
    assert [row.odd_fields for row in world.tables.evaluations()] == [["label"]]
    assert not world.letters


def test_odd_fields_outlast_a_restart() -> None:
    event: Event
    event, extra = decode_with_unknown("requests", with_changes("requests", timeout_ms=0))
    assert extra == Extra(b'{"timeout_ms":0}', ["timeout_ms"])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(extra), type=Extra) == extra
    assert event == decode_with_unknown("requests", with_changes("requests"))[0]
