"""What is published: trace formats, demonstration traffic, load. No broker."""

from __future__ import annotations

import gzip
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path

import orjson
import pytest
from genai_prices import Usage, calc_price

from deploy.traffic.demo import daily_rate, demo
from deploy.traffic.formats import count_records, detect, read_trace
from deploy.traffic.publisher import MAX_SPEED, parse_speed
from deploy.traffic.record import AT_ONCE, TimedRecord, TrafficError, in_time_order, parse_us, rfc3339
from schemas.decoding import decode
from streams.partitioner import partition_of
from tests.load import Load

START = datetime(2025, 3, 3, 12, tzinfo=UTC)
SHARED = Path(os.environ.get("MIRANTE_SHARED_DATA", Path(__file__).parents[2] / "../shared/data"))

AZURE = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
    "2023-11-16 18:17:03.9799600,4808,10\r\n"
    "2023-11-16 18:17:04.0319600,3180,8"
)
VIDUR = "arrived_at,num_prefill_tokens,num_decode_tokens\n0.0,374,44\n4.314579,396,109\n"
MOONCAKE = "\n".join(
    orjson.dumps(row).decode()
    for row in (
        # Block 0 is the system prompt of all; the third row goes on where the first ended.
        {"timestamp": 0, "input_length": 1300, "output_length": 5, "hash_ids": [0, 1, 2]},
        {"timestamp": 10, "input_length": 1400, "output_length": 5, "hash_ids": [0, 3, 4]},
        {"timestamp": 9000, "input_length": 1800, "output_length": 7, "hash_ids": [0, 1, 5, 6]},
        {"timestamp": 9000, "input_length": 1300, "output_length": 7, "hash_ids": [0, 1, 2]},
        {"timestamp": 9500, "input_length": 600, "output_length": 7, "hash_ids": [0, 9]},
    )
)


def values(records: Iterable[TimedRecord], topic: str) -> list[dict]:
    return [orjson.loads(record.value) for record in records if record.topic == topic]


def check_pairs(records: list[TimedRecord]) -> tuple[list[dict], list[dict]]:
    """Every request has one response; times, latency and key agree; the schema accepts all."""
    assert all(a.time <= b.time for a, b in pairwise(records))
    for record in records:
        decode(record.topic, record.value)
        assert record.key == orjson.loads(record.value)["session_id"].encode()
    requests, responses = values(records, "requests"), values(records, "responses")
    answers = {response["request_id"]: response for response in responses}
    assert len(answers) == len(responses) == len(requests)
    for request in requests:
        answer = answers[request["request_id"]]
        assert parse_us(answer["time"]) - parse_us(request["time"]) == answer["latency_ms"] * 1000
        assert 0 < answer["ttft_ms"] < answer["latency_ms"]
    return requests, responses


def write(tmp_path: Path, name: str, content: str) -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode())
    return path


def test_azure_rows_become_one_interaction_each(tmp_path: Path) -> None:
    path = write(tmp_path, "trace_code.csv", AZURE)
    requests, responses = check_pairs(list(read_trace(path, run="a")))
    assert [r["time"] for r in requests] == ["2023-11-16T18:17:03.979960Z", "2023-11-16T18:17:04.031960Z"]
    told = {(r["feature"], r["model"], r["provider"], len(r["messages"])) for r in requests}
    assert told == {("code", "gpt-4o-mini", "openai", 0)}
    assert sum(r["usage"]["input_tokens"] for r in responses) == 7988
    assert sum(r["usage"]["output_tokens"] for r in responses) == 18
    assert {(r["status"], r["finish_reason"]) for r in responses} == {("ok", "stop")}
    assert len({r["session_id"] for r in requests}) == 2
    assert count_records(path) == 4


def test_ids_depend_on_run_and_content_only(tmp_path: Path) -> None:
    path = write(tmp_path, "trace_code.csv", AZURE)
    first = list(read_trace(path, run="a"))
    assert first == list(read_trace(path, run="a"))
    renamed = write(tmp_path, "copy_code.csv", AZURE)
    assert first == list(read_trace(renamed, run="a"))

    def ids(records: Iterable[TimedRecord]) -> set[str]:
        return {orjson.loads(record.value)["event_id"] for record in records}

    other = write(tmp_path, "other_code.csv", AZURE.replace("4808", "4809").replace("3180", "3181"))
    assert not ids(first) & ids(read_trace(path, run="b"))
    assert not ids(first) & ids(read_trace(other, run="a"))
    assert ids(first) == ids(read_trace(path, run="a", shift_to=START))


def test_limit_and_shift(tmp_path: Path) -> None:
    path = write(tmp_path, "trace_conv.csv", AZURE)
    requests = values(read_trace(path, run="a", shift_to=START), "requests")
    assert [r["time"] for r in requests] == ["2025-03-03T12:00:00.000000Z", "2025-03-03T12:00:00.052000Z"]
    assert len(list(read_trace(path, run="a", limit=1))) == count_records(path, limit=1) == 2


def test_gzip_is_read(tmp_path: Path) -> None:
    path = tmp_path / "trace_code.csv.gz"
    path.write_bytes(gzip.compress(AZURE.encode()))
    assert len(list(read_trace(path, run="a"))) == 4
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(TrafficError, match=r"trace_code\.csv\.gz"):
        list(read_trace(path, run="a"))


def test_vidur(tmp_path: Path) -> None:
    requests, _ = check_pairs(list(read_trace(write(tmp_path, "splitwise_conv.csv", VIDUR), run="a")))
    assert [r["time"] for r in requests] == ["2024-01-01T00:00:00.000000Z", "2024-01-01T00:00:04.314579Z"]


def test_mooncake_sessions_and_cache(tmp_path: Path) -> None:
    records = list(read_trace(write(tmp_path, "conversation.jsonl", MOONCAKE), run="a"))
    requests, responses = check_pairs(records)
    sessions = [r["session_id"] for r in requests]
    assert sessions[0] == sessions[2] == sessions[3]
    assert len(set(sessions)) == 3
    by_request = {r["request_id"]: r["usage"].get("cache_read_tokens", 0) for r in responses}
    assert [by_request[r["request_id"]] for r in requests] == [0, 512, 1024, 1300, 512]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("t.csv", AZURE + "\r\n2023-11-16 18:17:05,many,8\r\n", 4),
        ("t.csv", AZURE + "\r\n\r\nyesterday,1,8", 5),
        ("t.csv", AZURE + "\r\n2023-11-16 18:17:05,-1,8", 4),
        ("t.csv", AZURE + "\r\n2023-11-16", 4),
        ("m.jsonl", MOONCAKE + '\n{"timestamp": 1}', 6),
        ("e.jsonl", '{"topic":"llm.requests","value":{}}\n{"topic":"llm.request","value":{}}', 2),
        ("e.jsonl", '{"topic":"llm.requests","value":{}}\n{"topic":', 2),
        ("e.jsonl", '{"topic":"llm.requests"}', 1),
        ("e.jsonl", '{"topic":"llm.requests","value":{"base64":"*"}}', 1),
        ("e.jsonl", '{"topic":"llm.requests","value":' + "[" * 100_000 + "]" * 100_000 + "}", 1),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, name: str, content: str, line: int) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(TrafficError, match=f"{name}, line {line}: "):
        list(read_trace(path, run="a"))


def test_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    for content in ("", "a,b\n1,2\n", "[1]\n"):
        with pytest.raises(TrafficError, match="--format"):
            detect(write(tmp_path, "x", content))
    with pytest.raises(TrafficError, match="no column"):
        list(read_trace(write(tmp_path, "x", "a,b\n1,2\n"), run="a", format="azure-llm"))
    with pytest.raises(TrafficError, match="cannot read"):
        detect(tmp_path / "missing")


def test_events_are_published_as_written(tmp_path: Path) -> None:
    lines = [
        '{"topic": "requests", "value": {"n": 1.50, "huge": 123456789012345678901234567890, "request_id": "r"}}',
        '{"topic": "llm.responses", "key": "k", "value": {"time": "2025-01-01T00:00:10Z", "session_id": "s"}}',
        '{"topic": "acme.feedback", "key": null, "value": {"time": "2025-01-01T00:00:05+00:00", "session_id": "s"}}',
        '{"topic": "evaluations", "value": "{not json"}',
        '{"topic": "evaluations", "value": {"base64": "/w=="}}',
        '{"topic": "requests", "value": {"time": "2025-01-01T00:00:07"}}',
    ]
    path = write(tmp_path, "e.jsonl", "\n".join(lines))
    assert detect(path) == "events"
    records = list(read_trace(path, run="a", prefix="acme."))
    ten = parse_us("2025-01-01T00:00:10Z") / 1e6
    assert [tuple(r)[:3] for r in records] == [
        (AT_ONCE, "requests", b"r"),
        (ten, "responses", b"k"),
        (ten, "feedback", None),
        (ten, "evaluations", None),
        (ten, "evaluations", None),
        (ten, "requests", None),
    ]
    assert records[0].value == b'{"n": 1.50, "huge": 123456789012345678901234567890, "request_id": "r"}'
    assert [r.value for r in records[3:5]] == [b"{not json", b"\xff"]

    shifted = list(read_trace(path, run="a", prefix="acme.", shift_to=START))
    assert orjson.loads(shifted[1].value)["time"] == rfc3339(parse_us("2025-03-03T12:00:00Z"))
    assert orjson.loads(shifted[2].value)["time"] == rfc3339(parse_us("2025-03-03T11:59:55Z"))
    assert shifted[0].value == records[0].value
    assert shifted[5].value == records[5].value, "a time without zone is a fault that shifting must not repair"


def test_order_holds_for_late_rows() -> None:
    def record(time: float) -> TimedRecord:
        return TimedRecord(time, "requests", None, b"%d" % time)

    merged = list(in_time_order([[record(1), record(9)], [record(5), record(6)], [record(2), record(3)]]))
    assert all(a.time <= b.time for a, b in pairwise(merged))
    # The row of time 2 comes after that of time 5 was read, not published: it is still in time.
    assert [r.value for r in merged] == [b"1", b"2", b"3", b"5", b"6", b"9"]
    late = list(in_time_order([[record(1)], [record(5)], [record(7)], [record(2)]]))
    assert [(r.time, r.value) for r in late] == [(1, b"1"), (5, b"5"), (5, b"2"), (7, b"7")]


def test_times() -> None:
    assert rfc3339(parse_us("2024-02-29 23:59:59.9999999")) == "2024-02-29T23:59:59.999999Z"
    assert rfc3339(parse_us("2024-03-01T01:00:00+02:00")) == "2024-02-29T23:00:00.000000Z"
    assert parse_speed("max") == MAX_SPEED
    assert parse_speed("2.5") == 2.5
    for text in ("0", "-1", "nan", "inf", "fast"):
        with pytest.raises(TrafficError):
            parse_speed(text)


DEMO = list(demo(seed=7, start=START, rate=20, count=4000))


def test_demo_is_valid_ordered_and_deterministic() -> None:
    assert list(demo(seed=7, start=START, rate=20, count=4000)) == DEMO
    assert all(a.time <= b.time for a, b in pairwise(DEMO))
    events = [orjson.loads(record.value) for record in DEMO]
    for record, event in zip(DEMO, events, strict=True):
        decode(record.topic, record.value)
        assert record.key == event["session_id"].encode()
        assert abs(parse_us(event["time"]) / 1e6 - record.time) < 1e-3
    assert len({event["event_id"] for event in events}) == len(events)
    assert len(values(DEMO, "requests")) == 4000
    other = {orjson.loads(r.value)["event_id"] for r in demo(seed=7, start=START, rate=21, count=50)}
    assert not other & {event["event_id"] for event in events}


def test_demo_answers_belong_to_requests() -> None:
    requests = {r["request_id"]: r for r in values(DEMO, "requests")}
    responses = values(DEMO, "responses")
    for response in responses:
        request = requests[response["request_id"]]
        assert parse_us(response["time"]) - parse_us(request["time"]) == response["latency_ms"] * 1000
    unanswered = len(requests) - len(responses)
    assert 0.0005 < unanswered / len(requests) < 0.01
    known = {r["response_id"] for r in responses}
    for event in values(DEMO, "feedback") + values(DEMO, "evaluations"):
        assert event["request_id"] in requests
        assert event.get("response_id") is None or event["response_id"] in known


def test_demo_tells_a_believable_story() -> None:
    requests, responses = values(DEMO, "requests"), values(DEMO, "responses")
    assert len({r["tenant"] for r in requests}) == 5
    assert {r["feature"] for r in requests} == {
        "support_chat", "code_assistant", "contract_summary", "product_search", "order_agent"
    }  # fmt: skip
    assert {r["operation"] for r in requests} == {"chat", "embeddings", "invoke_agent", "execute_tool"}
    text = " ".join(m["content"] for r in requests for m in r.get("messages", []))
    assert "Where is my order" in text
    assert "Cadê meu pedido" in text
    assert "{" not in "".join(m["content"] for r in requests for m in r.get("messages", []) if m["role"] == "user")
    status = Counter(r["status"] for r in responses)
    assert status["ok"] / len(responses) > 0.95
    assert {"error", "timeout", "cancelled", "blocked"} <= status.keys()
    assert {"length", "content_filter"} <= {r.get("finish_reason") for r in responses}
    assert any(r.get("output", "").startswith(("I'm sorry, but I can't", "Desculpe, mas não posso")) for r in responses)
    assert any(r.get("usage", {}).get("cache_read_tokens") for r in responses)
    for usage in (r["usage"] for r in responses if "usage" in r):
        assert usage.get("cache_read_tokens", 0) + usage.get("cache_write_tokens", 0) <= usage["input_tokens"]
        assert usage.get("reasoning_tokens", 0) <= usage["output_tokens"]
    turns: dict[str, int] = defaultdict(int)
    for request in requests:
        turns[request["session_id"]] += request["operation"] == "chat"
    assert sum(n > 1 for n in turns.values()) / len(turns) > 0.2
    kinds = Counter(f["kind"] for f in values(DEMO, "feedback"))
    assert {"thumbs_up", "thumbs_down", "copy", "copy_code", "dwell", "regenerate", "comment"} <= kinds.keys()
    assert 0.01 < len(values(DEMO, "evaluations")) / len(responses) < 0.06
    assert {len(r["prompt"]["sha"]) for r in requests if "prompt" in r} == {40}
    assert any(r.get("documents", [{}])[0].get("index_version") for r in requests)


def test_demo_agent_steps_form_a_trace() -> None:
    requests = values(DEMO, "requests")
    roots = {r["span_id"]: r for r in requests if r["operation"] == "invoke_agent"}
    steps = [r for r in requests if r["operation"] == "execute_tool"]
    assert steps
    for step in steps:
        assert roots[step["parent_span_id"]]["trace_id"] == step["trace_id"]


def test_demo_models_have_prices() -> None:
    for provider, model in {(r["provider"], r["model"]) for r in values(DEMO, "requests")}:
        assert calc_price(Usage(input_tokens=1000, output_tokens=10), model, provider_id=provider).total_price > 0


def test_demo_follows_the_hour_and_keeps_the_mean() -> None:
    assert abs(sum(daily_rate(hour * 3600) for hour in range(24)) / 24 - 1) < 1e-9
    night, day = (
        next(islice(demo(start=datetime(2025, 3, 3, hour, tzinfo=UTC), rate=5), 2000, None)).time
        - datetime(2025, 3, 3, hour, tzinfo=UTC).timestamp()
        for hour in (5, 17)
    )
    assert night > 2 * day


def test_load_is_exactly_what_it_says() -> None:
    load = Load(5000, "bench", parse_us("2025-03-03T12:00:00Z"), rate=500)
    records = list(load.records())
    requests, responses = check_pairs(records)
    assert 900 < sum(len(r.value) for r in records) / len(records) < 1100
    answers = {r["request_id"]: r["usage"] for r in responses}
    seen: dict[tuple, list[int]] = defaultdict(lambda: [0, 0, 0])
    for request in requests:
        series = tuple(request[name] for name in ("tenant", "feature", "provider", "model"))
        window = parse_us(request["time"]) // 1_000_000 // 2 * 2
        usage = answers[request["request_id"]]
        for key in (series, (window, series), "all"):
            seen[key][0] += 1
            seen[key][1] += usage["input_tokens"]
            seen[key][2] += usage["output_tokens"]
    expected = {**load.by_series(), **load.by_window(2), "all": load.totals()}
    sums = {key: [total.requests, total.input_tokens, total.output_tokens] for key, total in expected.items()}
    assert sums == seen
    assert len({partition_of(r.key or b"", 4) for r in records}) == 4


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no shared data at {SHARED} (MIRANTE_SHARED_DATA)")
@pytest.mark.parametrize(
    ("name", "rows", "tokens_in", "tokens_out"),
    [
        ("azure_llm_2023/AzureLLMInferenceTrace_code.csv", 8819, 18_059_974, 245_896),
        ("azure_llm_2023/AzureLLMInferenceTrace_conv.csv", 19366, 22_361_870, 4_088_665),
        ("mooncake/synthetic_trace.jsonl", 3993, 61_194_628, 595_432),
    ],
)
def test_real_traces_are_complete(name: str, rows: int, tokens_in: int, tokens_out: int) -> None:
    requests, responses = check_pairs(list(read_trace(SHARED / name, run="a")))
    assert len(requests) == rows
    assert sum(r["usage"]["input_tokens"] for r in responses) == tokens_in
    assert sum(r["usage"]["output_tokens"] for r in responses) == tokens_out
