"""`mirante ingest` as a process of its own over a real broker: what it answers, and what Kafka then holds."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiokafka import AIOKafkaProducer
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from deploy.embedded.broker import TansuBroker
from deploy.embedded.broker_api import Broker
from deploy.embedded.ports import free_port
from streams.partitioner import partition_of
from tests.ingests import JSON, LINES, PARTITIONS, PROTOBUF, Ingest, ask, eventually, running
from tests.kafka_clients import create_topic
from tests.stopped import stop

PAGE = "https://app.example.com"


@pytest.fixture(scope="module")
def ingest(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingest]:
    """One without a token, shared: its tests look for ids of their own."""
    folder, prefix = tmp_path_factory.mktemp("ingest"), f"i{uuid.uuid4().hex[:8]}."
    with running(Ingest(broker.bootstrap, prefix, folder)) as started:
        yield started


@pytest.fixture(scope="module")
def guarded(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingest]:
    """One with a token, a public key, and room for little."""
    folder, prefix = tmp_path_factory.mktemp("guarded"), f"g{uuid.uuid4().hex[:8]}."
    settings = {
        "ingest__token": "secret",
        "ingest__public_key": "public",
        "ingest__origins": json.dumps([PAGE]),
        "ingest__max_body": "200000",
        "ingest__max_in_flight": "400000",
    }
    with running(Ingest(broker.bootstrap, prefix, folder, **settings)) as started:
        yield started


def request(number: object, **fields: Any) -> dict[str, Any]:
    return {
        "event_id": f"q-{number}",
        "time": "2026-01-01T00:00:00Z",
        "request_id": f"r-{number}",
        "model": "gpt-4o",
        **fields,
    }


def lines(*values: dict[str, Any], topic: str = "requests") -> bytes:
    return b"\n".join(json.dumps({"topic": topic, "value": value}).encode() for value in values)


def ids(records: list[Any]) -> list[str]:
    return [json.loads(record.value)["event_id"] for record in records]


def of_run(found: list[str], run: str) -> list[str]:
    return [event_id for event_id in found if run in event_id]


@pytest.fixture
def run() -> str:
    return uuid.uuid4().hex[:8]


class TestEvents:
    def test_all_kinds_reach_their_topics_and_partitions_before_the_answer(
        self, ingest: Ingest, run: str
    ) -> None:
        entries = [
            ("requests", request(run, session_id=f"s-{run}")),
            ("responses", {**request(run), "event_id": f"a-{run}", "response_id": "a", "status": "ok"}),
            ("feedback", {"event_id": f"f-{run}", "time": "2026-01-01T00:00:00Z", "kind": "copy", "response_id": "a"}),
            ("evaluations", {"event_id": f"e-{run}", "time": "2026-01-01T00:00:00Z", "response_id": "a", "name": "n", "score": 1}),
        ]  # fmt: skip
        body = json.dumps([{"topic": topic, "value": value} for topic, value in entries])
        status, _, answer = ingest.post("/v1/events", body, JSON)
        assert (status, json.loads(answer)) == (202, {"accepted": 4})
        for (topic, value), key in zip(entries, (f"s-{run}", f"r-{run}", "a", "a"), strict=True):
            (record,) = [
                r for r in ingest.records(ingest.prefix + topic) if run.encode() in r.value
            ]
            assert json.loads(record.value) == value
            assert record.key == key.encode()
            assert record.partition == partition_of(record.key, PARTITIONS)

    def test_one_bad_event_keeps_all_out(self, ingest: Ingest, run: str) -> None:
        body = lines(request(f"{run}-1"), {**request(f"{run}-2"), "model": 3})
        status, _, answer = ingest.post("/v1/events", body)
        assert status == 400
        assert json.loads(answer) == {
            "error": "line 2: value.model: expected str, got int",
            "place": "line 2",
            "field": "value.model",
        }
        assert of_run(ids(ingest.records(f"{ingest.prefix}requests")), run) == []

    @pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
    @pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
    def test_any_framing(self, packed: bool, chunked: bool, ingest: Ingest, run: str) -> None:
        body = lines(*(request(f"{run}-{number}") for number in range(300)))
        sent = gzip.compress(body) if packed else body
        pieces = (sent[at : at + 7_000] for at in range(0, len(sent), 7_000))
        headers = {"Content_Encoding": "gzip"} if packed else {}
        status, _, answer = ingest.post("/v1/events", pieces if chunked else sent, **headers)
        assert (status, answer) == (202, b'{"accepted": 300}')
        assert len(of_run(ids(ingest.records(f"{ingest.prefix}requests")), run)) == 300

    def test_a_connection_serves_many_requests_bad_ones_too(self, ingest: Ingest, run: str) -> None:
        connection = ingest.connect()
        statuses = []
        for number in range(30):
            body = lines(request(f"{run}-{number}")) if number % 3 else b"nonsense"
            status, headers, _ = ask(connection, "POST", "/v1/events", body, Content_Type=LINES)
            assert headers.get("connection") != "close"
            statuses.append(status)
        connection.close()
        assert statuses == [400, 202, 202] * 10
        assert len(of_run(ids(ingest.records(f"{ingest.prefix}requests")), run)) == 20

    @pytest.mark.parametrize(
        ("body", "headers", "status", "message"),
        [
            (b"{}", {"Content_Type": "text/plain"}, 415, "application/json"),
            (b"{}", {"Content_Type": LINES, "Content_Encoding": "br"}, 415, "gzip"),
            (b"no", {"Content_Type": LINES, "Content_Encoding": "gzip"}, 400, "decompressed"),
            (gzip.compress(b"{}" * 999, mtime=0)[:-9], {"Content_Type": LINES, "Content_Encoding": "gzip"}, 400, "too early"),
            (b"", {"Content_Type": LINES}, 400, "there is no event"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_read_is_refused(
        self, body: bytes, headers: dict[str, str], status: int, message: str, ingest: Ingest
    ) -> None:
        found, _, answer = ingest.ask("POST", "/v1/events", body, **headers)
        assert found == status
        assert message in json.loads(answer)["error"]

    @pytest.mark.parametrize(
        ("framing", "body"),
        [
            ("Transfer-Encoding: chunked", b"nonsense\r\n"),
            ("Transfer-Encoding: chunked", b""),
            ("Content-Length: 1000", b"{"),
        ],
        ids=["no chunk", "no end of chunks", "too short"],
    )
    def test_a_broken_sender_harms_nobody(
        self, framing: str, body: bytes, ingest: Ingest, run: str
    ) -> None:
        head = f"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: {LINES}\r\n{framing}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", ingest.port), timeout=10) as connection:
            connection.sendall(head.encode())
            time.sleep(0.2)
            connection.sendall(body)
        assert ingest.post("/v1/events", lines(request(run)))[0] == 202
        assert eventually(lambda: b"in_flight_bytes 0.0" in ingest.get("/metrics")[2])
        assert "Unhandled" not in ingest.log

    def test_unknown_paths_and_methods_say_what_there_is(self, ingest: Ingest) -> None:
        status, _, answer = ingest.get("/v1/metrics")
        assert (status, b"/v1/traces" in answer) == (404, True)
        status, headers, _ = ingest.get("/v1/events")
        assert (status, "POST" in headers["allow"]) == (405, True)

    def test_a_page_of_elsewhere_is_turned_away(self, ingest: Ingest) -> None:
        body = lines(request("never"))
        assert ingest.post("/v1/events", body, Origin="https://evil.example.com")[0] == 403
        assert ingest.post("/v1/events", body, Host="rebound.example.com")[0] == 421


class TestGuarded:
    def test_the_token_is_needed(self, guarded: Ingest, run: str) -> None:
        body = lines(request(run))
        status, headers, _ = guarded.post("/v1/events", body)
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert guarded.get("/v1/controls")[0] == 401
        assert guarded.post("/v1/events", body, Authorization="Bearer secret")[0] == 202
        status, _, answer = guarded.post("/v1/traces", b"", PROTOBUF)
        assert status == 401
        assert b"the token is missing or wrong" in answer

    def test_a_page_may_send_feedback_and_nothing_else(self, guarded: Ingest, run: str) -> None:
        said = {"event_id": f"f-{run}", "time": "2026-01-01T00:00:00Z", "kind": "thumbs_up", "response_id": "a"}
        page = {"Origin": PAGE, "Authorization": "Bearer public"}
        status, headers, _ = guarded.ask(
            "OPTIONS", "/v1/events", Origin=PAGE, Access_Control_Request_Method="POST"
        )
        assert (status, headers["access-control-allow-origin"]) == (204, PAGE)
        assert "Authorization" in headers["access-control-allow-headers"]
        assert guarded.ask("OPTIONS", "/v1/events", Origin="https://evil.example.com")[0] == 403
        status, headers, _ = guarded.post("/v1/events", lines(said, topic="feedback"), JSON, **page)
        assert (status, headers["access-control-allow-origin"]) == (202, PAGE)
        assert guarded.post("/v1/events", lines(request(run)), JSON, **page)[0] == 403
        assert guarded.post("/v1/traces", b"", PROTOBUF, **page)[0] == 403
        large = lines({**said, "comment": "x" * 70_000}, topic="feedback")
        assert guarded.post("/v1/events", large, JSON, **page)[0] == 413
        assert of_run(ids(guarded.records(f"{guarded.prefix}feedback")), run) == [f"f-{run}"]
        assert of_run(ids(guarded.records(f"{guarded.prefix}requests")), run) == []

    @pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
    def test_a_body_beyond_the_limit_is_413(self, packed: bool, guarded: Ingest) -> None:
        body = lines(request("large", user_id="x" * 300_000))
        headers = {"Content_Encoding": "gzip"} if packed else {}
        sent = gzip.compress(body) if packed else body
        for framed in (sent, iter([sent])):
            found = guarded.post("/v1/events", framed, Authorization="Bearer secret", **headers)
            assert found[0] == 413

    def test_too_much_at_once_is_429_and_then_goes_on(self, guarded: Ingest, run: str) -> None:
        begun = (
            b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n"
            b"Content-Type: %s\r\nContent-Length: 190000\r\n\r\n%s" % (LINES.encode(), b" " * 180_000)
        )
        slow = [socket.create_connection(("127.0.0.1", guarded.port)) for _ in range(2)]
        for connection in slow:
            connection.sendall(begun)
        body = lines(request(run, user_id="x" * 100_000))
        held = eventually(lambda: b"in_flight_bytes 360000.0" in guarded.get("/metrics")[2])
        assert held
        status, headers, _ = guarded.post("/v1/events", body, Authorization="Bearer secret")
        assert (status, headers["retry-after"]) == (429, "1")
        for connection in slow:
            connection.close()
        assert eventually(
            lambda: guarded.post("/v1/events", body, Authorization="Bearer secret")[0] == 202
        )
        assert b"in_flight_bytes 0.0" in guarded.get("/metrics")[2]


def traces(run: str, count: int = 3) -> bytes:
    export = ExportTraceServiceRequest()
    scope = export.resource_spans.add().scope_spans.add()
    for number in range(1, count + 1):
        scope.spans.add(trace_id=b"T" * 16, span_id=number.to_bytes(8, "big"), name=f"chat {run}")
    return export.SerializeToString()


class TestOtlp:
    @pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
    def test_protobuf_arrives_in_its_own_bytes(self, packed: bool, ingest: Ingest, run: str) -> None:
        body = traces(run)
        headers = {"Content_Encoding": "gzip"} if packed else {}
        sent = iter([gzip.compress(body)]) if packed else body
        status, answered, answer = ingest.post("/v1/traces", sent, PROTOBUF, **headers)
        assert (status, answered["content-type"]) == (200, PROTOBUF)
        assert ExportTraceServiceResponse.FromString(answer) == ExportTraceServiceResponse()
        found = [r for r in ingest.records("otlp_spans") if run.encode() in r.value]
        assert [(record.key, record.value) for record in found] == [(None, body)]

    def test_json_and_logs(self, ingest: Ingest, run: str) -> None:
        logs = ExportLogsServiceRequest()
        logs.resource_logs.add().scope_logs.add().log_records.add().body.string_value = run
        record = {"body": {"stringValue": run}}
        as_json = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()
        for kind, body in ((PROTOBUF, logs.SerializeToString()), (JSON, as_json)):
            status, answered, answer = ingest.post("/v1/logs", body, kind)
            assert (status, answered["content-type"], answer) == (200, kind, b"{}" if kind == JSON else b"")
        found = [r.value for r in ingest.records("otlp_logs") if run.encode() in r.value]
        assert sorted(found) == sorted([logs.SerializeToString(), as_json])

    def test_a_refusal_is_answered_in_the_same_encoding(self, ingest: Ingest) -> None:
        status, headers, answer = ingest.post("/v1/traces", b"\xff", PROTOBUF)
        assert (status, headers["content-type"]) == (400, PROTOBUF)
        assert b"no ExportTraceServiceRequest" in answer
        status, headers, answer = ingest.post("/v1/traces", b"{", JSON)
        assert (status, headers["content-type"].split(";")[0]) == (400, JSON)
        assert "no OTLP request" in json.loads(answer)["message"]
        assert ingest.post("/v1/traces", b"", "text/plain")[0] == 415


def control(scope: str, action: str) -> bytes:
    fields = {"scope": scope, "action": action, "time": "2026-01-01T00:00:00Z", "reason": "a test"}
    return json.dumps(fields).encode()


class TestControls:
    def switch(self, ingest: Ingest, scope: str, action: str) -> None:
        asyncio.run(self.write(ingest, scope, control(scope, action)))

    async def write(self, ingest: Ingest, key: str, value: bytes) -> None:
        async with AIOKafkaProducer(bootstrap_servers=ingest.bootstrap, acks="all") as producer:
            await producer.send_and_wait(f"{ingest.prefix}controls", value, key=key.encode())

    def state(self, answer: bytes) -> dict[str, str]:
        return {one["scope"]: one["action"] for one in json.loads(answer)["controls"]}

    def test_a_change_is_told_to_those_who_wait(self, ingest: Ingest, run: str) -> None:
        status, headers, answer = ingest.get("/v1/controls")
        assert status == 200
        assert f"feature:{run}" not in self.state(answer)
        unchanged = ingest.get("/v1/controls", If_None_Match=headers["etag"])
        assert (unchanged[0], unchanged[1]["etag"], unchanged[2]) == (304, headers["etag"], b"")
        told: list[Any] = []
        waiting = Thread(
            target=lambda: told.append(
                (ingest.get("/v1/controls?wait=20", If_None_Match=headers["etag"]), time.monotonic())
            )
        )
        waiting.start()
        time.sleep(0.3)
        assert told == []
        self.switch(ingest, f"feature:{run}", "kill")
        written = time.monotonic()
        waiting.join(20)
        ((status, after, answer), when) = told[0]
        print(f"told {when - written:.3f} s after the switch was in Kafka")
        assert (status, self.state(answer)[f"feature:{run}"]) == (200, "kill")
        assert after["etag"] != headers["etag"]
        self.switch(ingest, f"feature:{run}", "restore")
        status, _, answer = ingest.get("/v1/controls?wait=20", If_None_Match=after["etag"])
        assert self.state(answer)[f"feature:{run}"] == "restore"

    def test_waiting_ends(self, ingest: Ingest) -> None:
        _, headers, _ = ingest.get("/v1/controls")
        assert ingest.get("/v1/controls?wait=0.2", If_None_Match=headers["etag"])[0] == 304
        assert ingest.get("/v1/controls?wait=0.2")[0] == 200, "nobody waits for what they do not know"
        assert ingest.get("/v1/controls?wait=long")[0] == 400

    def test_what_is_no_control_is_passed_over(self, ingest: Ingest, run: str) -> None:
        asyncio.run(self.write(ingest, "user:nonsense", b"nonsense"))
        self.switch(ingest, f"user:{run}", "kill")
        assert eventually(lambda: f"user:{run}" in self.state(ingest.get("/v1/controls")[2]))

    def test_the_state_has_the_same_name_after_a_restart(
        self, broker: Broker, topic_prefix: str, tmp_path: Path
    ) -> None:
        ingest = Ingest(broker.bootstrap, topic_prefix, tmp_path)
        with running(ingest):
            self.switch(ingest, "global", "kill")
            assert eventually(lambda: "global" in self.state(ingest.get("/v1/controls")[2]))
            before = ingest.get("/v1/controls")
            waiting = ingest.connect()
            waiting.request("GET", "/v1/controls?wait=50", headers={"If-None-Match": before[1]["etag"]})
            time.sleep(0.3)
            assert ingest.end() == 0, "those who wait do not hold it up"
            ingest.start()
            ingest.until_healthy()
            after = ingest.get("/v1/controls")
            assert (after[1]["etag"], after[2]) == (before[1]["etag"], before[2])


class TestKafkaAway:
    def test_it_starts_says_so_and_goes_on_when_kafka_is_there(self, tmp_path: Path) -> None:
        broker = TansuBroker(log_dir=tmp_path / "logs", port=free_port())
        ingest = Ingest(broker.bootstrap, "away.", tmp_path)
        try:
            assert eventually(lambda: _answers(ingest))
            status, headers, answer = ingest.post("/v1/events", lines(request("early")))
            assert (status, "retry-after" in headers) == (503, True)
            assert broker.bootstrap in json.loads(answer)["error"]
            assert ingest.get("/v1/controls")[0] == 503
            status, _, answer = ingest.get("/health")
            assert (status, json.loads(answer)["ready"]) == (503, False)
            status, _, answer = ingest.post("/v1/traces", traces("early"), PROTOBUF)
            assert status == 503

            asyncio.run(broker.start())
            ingest.until_healthy(60)
            assert ingest.post("/v1/events", lines(request("there")))[0] == 202

            asyncio.run(broker.stop())
            status, headers, _ = ingest.post("/v1/events", lines(request("gone")))
            assert (status, "retry-after" in headers) == (503, True)
            assert ingest.get("/health")[0] == 503
            assert ingest.get("/v1/controls")[0] == 200, "what is known holds"
        finally:
            ingest.end()
            asyncio.run(broker.stop())


class TestBroker:
    """What a broker of one's own can be made to do."""

    def test_a_topic_of_others_is_written_as_it_is_within_its_limit(self, tmp_path: Path) -> None:
        broker = TansuBroker(log_dir=tmp_path / "logs")
        asyncio.run(broker.start())
        try:
            limit = {"max.message.bytes": "65536"}
            asyncio.run(create_topic(broker.bootstrap, "otlp_spans", 1, configs=limit))
            with running(Ingest(broker.bootstrap, "llm.", tmp_path)) as ingest:
                body = traces("x" * 1000, count=300)
                assert ingest.post("/v1/traces", body, PROTOBUF)[0] == 200
                assert ingest.post("/v1/traces", traces("x" * 70_000, 1), PROTOBUF)[0] == 413
                found = [record.value for record in ingest.records("otlp_spans")]
        finally:
            asyncio.run(broker.stop())
        assert 5 <= len(found) < 20
        assert max(map(len, found)) < 65_536
        spans = [span_id for message in found for span_id in span_ids(message)]
        assert sorted(spans) == span_ids(body)

    def test_a_broker_that_hangs_is_503_until_it_goes_on(self, tmp_path: Path) -> None:
        broker = TansuBroker(log_dir=tmp_path / "logs")
        asyncio.run(broker.start())
        try:
            with running(Ingest(broker.bootstrap, "llm.", tmp_path)) as ingest:
                for pid in broker.pids.values():
                    stop(pid)
                status, headers, _ = ingest.post("/v1/events", lines(request("held")))
                assert (status, "retry-after" in headers) == (503, True)
                assert ingest.get("/health")[0] == 503
                for pid in broker.pids.values():
                    os.kill(pid, signal.SIGCONT)
                assert eventually(
                    lambda: ingest.post("/v1/events", lines(request("held")))[0] == 202
                )
                assert "q-held" in ids(ingest.records("llm.requests"))
        finally:
            for pid in broker.pids.values():
                os.kill(pid, signal.SIGCONT)
            asyncio.run(broker.stop())


def span_ids(message: bytes) -> list[bytes]:
    return [
        span.span_id
        for resource in ExportTraceServiceRequest.FromString(message).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _answers(ingest: Ingest) -> bool:
    try:
        return ingest.get("/health")[0] == 503
    except OSError:
        return False


class TestKilled:
    def test_what_was_acknowledged_is_there_after_kill_9(
        self, broker: Broker, topic_prefix: str, tmp_path: Path
    ) -> None:
        ingest = Ingest(broker.bootstrap, topic_prefix, tmp_path)
        acknowledged: set[str] = set()
        sent: set[str] = set()
        stopped = False

        def send(sender: int) -> None:
            number = 0
            while not stopped:
                values = [request(f"{sender}-{number}-{n}") for n in range(50)]
                sent.update(value["event_id"] for value in values)
                connection = ingest.connect(timeout=10)
                try:
                    status, _, _ = ask(
                        connection, "POST", "/v1/events", lines(*values), Content_Type=LINES
                    )
                    if status == 202:
                        acknowledged.update(value["event_id"] for value in values)
                        number += 1
                except (OSError, http.client.HTTPException):
                    time.sleep(0.02)  # killed; the same events again
                finally:
                    connection.close()

        with running(ingest):
            senders = [Thread(target=send, args=(number,)) for number in range(4)]
            for sender in senders:
                sender.start()
            kills = 3
            for kill in range(1, kills + 1):
                assert eventually(lambda n=kill: len(acknowledged) > n * 1_000)  # type: ignore[misc]
                assert ingest.end(signal.SIGKILL) == -signal.SIGKILL
                ingest.start()
                ingest.until_healthy()
            stopped = True
            for sender in senders:
                sender.join(30)
        found = ids(ingest.records(f"{topic_prefix}requests"))
        print(f"{len(acknowledged):,} acknowledged, {len(found):,} in Kafka, {len(found) - len(set(found))} twice")
        assert acknowledged <= set(found)
        assert set(found) <= sent

    def test_sigterm_answers_what_is_under_way(
        self, broker: Broker, topic_prefix: str, tmp_path: Path
    ) -> None:
        ingest = Ingest(broker.bootstrap, topic_prefix, tmp_path)
        body = lines(*(request(number) for number in range(500)))
        with running(ingest):
            connection = ingest.connect()
            connection.putrequest("POST", "/v1/events")
            connection.putheader("Content-Type", LINES)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body[:1000])
            assert eventually(lambda: b"in_flight_bytes 1000.0" in ingest.get("/metrics")[2])
            ingest.process.terminate()
            connection.send(body[1000:])
            assert connection.getresponse().status == 202
            assert ingest.process.wait(20) == 0
        assert len(ids(ingest.records(f"{topic_prefix}requests"))) == 500


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_beyond_this_machine_it_needs_a_token(host: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "ingest", "--host", host, "--port", "0"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "MIRANTE_INGEST__TOKEN" in done.stderr


def test_a_taken_port_is_named(ingest: Ingest, tmp_path: Path) -> None:
    port = urlsplit(ingest.url).port
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "ingest", "--port", str(port)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "--port" in done.stderr
