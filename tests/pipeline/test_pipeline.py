"""From topics to tables on real servers: given events, when the worker has processed them, then rows."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import subprocess
import sys
import urllib.request
from decimal import Decimal
from typing import Any

import pytest

from tests.installation import NOW, Installation, Sent, request, response, rfc3339, unique
from tests.kafka_clients import read_all

INTERACTIONS = (
    "SELECT request_id, outcome, model, toUInt64(input_tokens), cost_usd FROM mirante.interactions "
    "WHERE tenant = {tenant:String} ORDER BY request_id"
)
WINDOWS = (
    "SELECT window_seconds, sum(requests), sum(ok), sum(unanswered), sum(input_tokens), sum(cost_usd) FROM mirante.cost_windows "
    "WHERE tenant = {tenant:String} GROUP BY window_seconds ORDER BY window_seconds"
)
COST = Decimal("0.00021")

TOLD_OF_OTHERS = ("cannot be read", "held the worker")
"""Other tests break batches in this installation and send what takes long, which is told for a while."""
"""1,000 input and 100 output tokens of gpt-4o-mini."""

SIZES = (10, 60, 3_600, 86_400)


def windows(requests: int, ok: int, unanswered: int = 0) -> list[tuple[Any, ...]]:
    return [(size, requests, ok, unanswered, 1000 * ok, COST * ok) for size in SIZES]


def dead_letters(mirante: Installation, topic: str, reason: str) -> str:
    return (
        f"SELECT value, key FROM mirante.deadletter WHERE topic = '{mirante.prefix}{topic}' "
        f"AND positionCaseInsensitive(reason, '{reason}') > 0 ORDER BY offset"
    )


def test_given_a_request_and_its_response_then_one_interaction_with_its_cost(mirante: Installation) -> None:
    tenant, call = unique("acme"), unique("call")
    mirante.publish([
        Sent("requests", request(call, tenant=tenant, session_id="s1"), "s1"),
        Sent("responses", response(call, tenant=tenant, session_id="s1"), "s1"),
    ])
    mirante.eventually(INTERACTIONS, [(call, "ok", "gpt-4o-mini", 1000, COST)], tenant=tenant)
    mirante.eventually(WINDOWS, windows(1, 1), tenant=tenant)


@pytest.mark.parametrize(
    ("request_key", "response_key", "response_first", "response_session"),
    [
        ("s", "s", True, True),
        ("wrong", "s", False, True),
        ("s", "wrong", False, True),
        (None, None, False, True),
        (None, None, True, True),
        ("s", "s", False, False),
        ("other", "s", True, False),
    ],
    ids=["response first", "request under a wrong key", "response under a wrong key", "no keys", "no keys, response first",
         "response without session", "response without session, first, request under a wrong key"],
)  # fmt: skip
def test_given_untidy_keys_and_order_then_the_same_rows_as_the_tidy_events(
    mirante: Installation, request_key: str | None, response_key: str | None, response_first: bool, response_session: bool
) -> None:
    tenant = unique("untidy")
    calls = [f"{tenant}-{n:02}" for n in range(12)]
    records = []
    for n, call in enumerate(calls):
        session = f"{tenant}-s{n % 5}"
        keys = {"s": session, "wrong": f"k{n}", "other": f"o{n}", None: None}
        answer = response(call, tenant=tenant, **({"session_id": session} if response_session else {}))
        pair = [
            Sent("requests", request(call, tenant=tenant, session_id=session), keys[request_key]),
            Sent("responses", answer, keys[response_key]),
        ]
        records += reversed(pair) if response_first else pair
    mirante.publish(records)
    mirante.eventually(INTERACTIONS, [(call, "ok", "gpt-4o-mini", 1000, COST) for call in calls], tenant=tenant)
    mirante.eventually(WINDOWS, windows(12, 12), tenant=tenant)


def test_given_the_same_event_ids_again_then_they_count_once(mirante: Installation) -> None:
    tenant, call = unique("twice"), unique("call")
    pair = [Sent("requests", request(call, tenant=tenant), call), Sent("responses", response(call, tenant=tenant), call)]
    feedback = {"event_id": unique("f"), "time": rfc3339(2), "kind": "thumbs_up", "request_id": call, "tenant": tenant}
    mirante.publish([*pair, *pair, *reversed(pair), Sent("feedback", feedback, call), Sent("feedback", feedback, "other key")])
    mirante.eventually(INTERACTIONS, [(call, "ok", "gpt-4o-mini", 1000, COST)], tenant=tenant)
    mirante.eventually("SELECT count(), any(kind) FROM mirante.feedback WHERE tenant = {tenant:String}", [(1, "thumbs_up")], tenant=tenant)
    mirante.eventually(WINDOWS, windows(1, 1), tenant=tenant)


def test_given_no_response_in_time_then_unanswered_and_a_late_answer_completes_it(mirante: Installation) -> None:
    tenant, silent, late = unique("silent"), unique("a-call"), unique("b-call")
    session = unique("session")
    mirante.publish([
        Sent("requests", request(silent, tenant=tenant, session_id=session, timeout_ms=1000), session),
        Sent("requests", request(late, tenant=tenant, session_id=session, timeout_ms=1000), session),
    ])
    unanswered = [(call, "unanswered", "gpt-4o-mini", None, None) for call in (silent, late)]
    mirante.eventually(INTERACTIONS, unanswered, tenant=tenant, within=60)
    mirante.publish([Sent("responses", response(late, tenant=tenant, session_id=session, at=120), session)])
    mirante.eventually(INTERACTIONS, [unanswered[0], (late, "ok", "gpt-4o-mini", 1000, COST)], tenant=tenant)
    mirante.eventually(WINDOWS, windows(2, 1, 1), tenant=tenant)


POISON: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"{oops", "not valid JSON"),
    "empty": (b"", "empty value"),
    "invalid UTF-8": (b'{"event_id":"\xff\xfe"}', "UTF-8"),
    "UTF-16": (json.dumps(request("p0")).encode("utf-16"), "UTF-16"),
    "gzip in a value": (gzip.compress(json.dumps(request("p0")).encode()), "gzip"),
    "Avro": (b"\x00\x00\x00\x00\x11\x04p0", "Confluent Schema Registry framing (schema id 17)"),
    "array": (json.dumps([request("p0")]).encode(), "one event per record"),
    "20 MB": (b'{"event_id":"' + b"x" * 20_000_000 + b'"}', "may have"),
    "number as name": (json.dumps({**request("p1"), "model": 4}).encode(), "model"),
    "year 9999": (json.dumps({**request("p2"), "time": "9999-01-01T00:00:00Z"}).encode(), "outside 1970..2100"),
    "missing field": (json.dumps({k: v for k, v in request("p3").items() if k != "model"}).encode(), "model"),
    "time without zone": (json.dumps({**request("p4"), "time": "2026-01-01T00:00:00"}).encode(), "time"),
}  # fmt: skip


def test_given_poison_then_dead_letters_with_the_original_bytes_and_nothing_else_changes(mirante: Installation) -> None:
    tenant = unique("poisoned")
    calls = [f"{tenant}-{n:02}" for n in range(len(POISON))]
    records = []
    for call, (value, _) in zip(calls, POISON.values(), strict=True):
        records.append(Sent("requests", request(call, tenant=tenant), call))
        records.append(Sent("requests", value, b"key-" + call.encode(), [("h", b"\x00\xff")]))
        records.append(Sent("responses", response(call, tenant=tenant), call))
    mirante.publish(records)
    mirante.eventually(INTERACTIONS, [(call, "ok", "gpt-4o-mini", 1000, COST) for call in calls], tenant=tenant)
    mirante.eventually(WINDOWS, windows(len(calls), len(calls)), tenant=tenant)
    for call, (_, reason) in zip(calls, POISON.values(), strict=True):
        # A checkpoint writes its dead letters last, and here 20 MB of them: sums and calls are there before.
        at = {"topic": f"{mirante.prefix}requests", "key": base64.b64encode(b"key-" + call.encode()).decode()}
        where = "FROM mirante.deadletter WHERE topic = {topic:String} AND key = {key:String}"
        mirante.eventually(f"SELECT stage {where}", [("interactions",)], **at)
        [(stored, said)] = mirante.query(f"SELECT value, reason {where}", **at)
        assert reason in said
        assert len(base64.b64decode(stored).decode()) <= 2_000  # a preview; the bytes are in the topic
    letters = [json.loads(record.value) for record in asyncio.run(read_all(mirante.bootstrap, f"{mirante.prefix}deadletter"))]
    by_key = {base64.b64decode(letter["key"] or "").decode(errors="replace"): letter for letter in letters}
    for call, (value, _) in zip(calls, POISON.values(), strict=True):
        letter = by_key[f"key-{call}"]
        assert base64.b64decode(letter["value"]) == value
        assert letter["headers"] == [["h", base64.b64encode(b"\x00\xff").decode()]]


def test_given_odd_optional_fields_then_the_call_counts_and_they_are_named(mirante: Installation) -> None:
    tenant, call = unique("optional"), unique("call")
    odd = ["cache", "latency_ms", "operation", "output", "params", "timeout_ms", "ttft_ms"]
    asked = json.dumps({**request(call, tenant=tenant), "timeout_ms": "15000", "operation": "rerank", "params": {"x": "X"}})
    answer = json.dumps({**response(call, tenant=tenant), "latency_ms": -4999.2, "ttft_ms": "X", "cache": "HIT", "output": "half Y"})
    mirante.publish([
        Sent("requests", b"\xef\xbb\xbf" + asked.replace('"X"', "[" * 5000 + "]" * 5000).encode(), call),
        Sent("responses", b"\x00\x00\x00\x00\x11" + answer.replace('"X"', "NaN").replace("Y", "\\ud83d").encode(), call),
        Sent("feedback", {"event_id": unique("f"), "time": request(call)["time"], "kind": "copy", "request_id": call, "tenant": tenant,
                          "value": "often"}, call),
    ])  # fmt: skip
    mirante.eventually(INTERACTIONS, [(call, "ok", "gpt-4o-mini", 1000, COST)], tenant=tenant)
    mirante.eventually(
        "SELECT arraySort(odd_fields), operation, latency_ms, ttft_ms, cache, output, JSONExtractFloat(extra, 'response', 'latency_ms') "
        "FROM mirante.interactions WHERE tenant = {tenant:String}",
        [(odd, "chat", None, None, "", "half \ufffd", -4999.2)],
        tenant=tenant,
    )
    mirante.eventually(
        "SELECT value, odd_fields, extra FROM mirante.feedback WHERE tenant = {tenant:String}",
        [(None, ["value"], '{"value":"often"}')],
        tenant=tenant,
    )


def test_given_odd_but_valid_events_then_they_are_kept_as_they_are(mirante: Installation) -> None:
    tenant, call = unique("odd"), unique("call")
    text = "olá \x00 mundo – ação, coração 🎉"
    odd = request(call, tenant=tenant, at=-50 * 365 * 86_400, unknown_field={"a": [1, 2]}, messages=[{"role": "user", "content": text}])
    twice = json.dumps(odd).encode().replace(b'"feature": "support"', b'"feature": "first", "feature": "support"')
    mirante.publish([Sent("requests", twice, call), Sent("responses", response(call, tenant=tenant), call)])
    mirante.eventually(
        "SELECT feature, messages, extra, toYear(time) FROM mirante.interactions WHERE tenant = {tenant:String}",
        [("support", json.dumps([{"role": "user", "content": text}], ensure_ascii=False, separators=(",", ":")).replace("\x00", "\\u0000"),
          '{"request":{"unknown_field":{"a":[1,2]}}}', NOW.year - 50)],
        tenant=tenant,
    )  # fmt: skip
    mirante.eventually(WINDOWS, windows(1, 1), tenant=tenant)


def test_given_a_dead_letter_when_replayed_after_its_cause_is_gone_then_it_is_an_interaction(mirante: Installation) -> None:
    tenant, call = unique("lost"), unique("call")
    session = unique("session")
    lost = Sent("responses", response(call, tenant=tenant, session_id=session), session)
    mirante.publish([lost])
    sql = dead_letters(mirante, "responses", f"no request with request_id \\'{call}\\'")
    value, key = base64.b64encode(json.dumps(lost.value).encode()).decode(), base64.b64encode(session.encode()).decode()
    mirante.eventually(sql, [(value, key)], within=90)
    mirante.publish([Sent("requests", request(call, tenant=tenant, session_id=session), session)])
    answer = run(mirante, "deadletter", "replay", "--data", str(mirante.directory), "--reason", call, "--json")
    assert json.loads(answer) == {"replayed": 1}
    mirante.eventually(INTERACTIONS, [(call, "ok", "gpt-4o-mini", 1000, COST)], tenant=tenant)


def test_feedback_and_evaluations_become_rows(mirante: Installation) -> None:
    tenant, call = unique("signals"), unique("call")
    common = {"tenant": tenant, "time": rfc3339(2)}
    rating = {"event_id": unique("f"), "kind": "rating", "value": 0.25, "session_id": "s", "comment": "não foi isso", **common}
    score = {"event_id": unique("e"), "response_id": f"r-{call}", "name": "grounded", "score": 0.5, "source": "judge", **common}
    mirante.publish([Sent("feedback", rating, "s"), Sent("evaluations", score, None)])
    mine = "WHERE tenant = {tenant:String}"
    mirante.eventually(f"SELECT kind, value, comment FROM mirante.feedback {mine}", [("rating", 0.25, "não foi isso")], tenant=tenant)
    mirante.eventually(f"SELECT name, score, source FROM mirante.evaluations {mine}", [("grounded", 0.5, "judge")], tenant=tenant)


def test_dead_letters_are_in_their_topic_too(mirante: Installation) -> None:
    key = unique("k")
    mirante.publish([Sent("feedback", b"[]", key)])
    mirante.eventually(
        "SELECT count() FROM mirante.deadletter WHERE key = {key:String}", [(1,)], key=base64.b64encode(key.encode()).decode()
    )
    letters = [json.loads(record.value) for record in asyncio.run(read_all(mirante.bootstrap, f"{mirante.prefix}deadletter"))]
    mine = [letter for letter in letters if letter["key"] == base64.b64encode(key.encode()).decode()]
    assert [(x["topic"], x["stage"], base64.b64decode(x["value"])) for x in mine] == [(f"{mirante.prefix}feedback", "interactions", b"[]")]


def test_the_worker_tells_its_health_and_metrics(mirante: Installation) -> None:
    call = unique("call")
    mirante.publish([Sent("requests", request(call), "a wrong key"), Sent("responses", response(call), call)])
    mirante.eventually("SELECT count() FROM mirante.interactions WHERE request_id = {call:String}", [(1,)], call=call)
    base = mirante.stack.metrics_urls[0]
    with urllib.request.urlopen(f"{base}/health") as answer:
        health = json.loads(answer.read())
        assert [problem for problem in health["problems"] if not any(text in problem for text in TOLD_OF_OTHERS)] == []
        assert health["ready"] is True
    with urllib.request.urlopen(f"{base}/metrics") as answer:
        text = answer.read().decode()
    for name in ("events_total", "rekeyed_total", "lag", "delay_seconds_bucket", "checkpoint_seconds", "rows_total", "state"):
        assert f"\nmirante_{name}" in text, name


def test_the_command_line_asks_the_running_stack(mirante: Installation) -> None:
    data = str(mirante.directory)
    assert json.loads(run(mirante, "query", "--data", data, "--json", "SELECT toUInt64(1) AS n, 'olá' AS w")) == [{"n": 1, "w": "olá"}]
    wrong = [sys.executable, "-m", "deploy.cli", "query", "--data", data, "SELECT * FROM nowhere"]
    failed = subprocess.run(wrong, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "nowhere" in failed.stderr
    findings = json.loads(run(mirante, "doctor", "--data", data, "--json"))
    assert {finding["check"] for finding in findings} >= {"python", "broker", "topics", "clickhouse", "tables", "clock"}
    unwell = [finding for finding in findings if finding["state"] != "ok"]
    assert [finding for finding in unwell if not any(text in finding["detail"] for text in TOLD_OF_OTHERS)] == []


def run(mirante: Installation, *arguments: str) -> str:
    settings = {"MIRANTE_TOPIC_PREFIX": mirante.prefix}
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments], capture_output=True, text=True, env={**os.environ, **settings}, timeout=60
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout
