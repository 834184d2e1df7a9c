"""Events from the caller to Mirante: nothing blocks, nothing is lost in silence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mirante
import pytest

from tests.sdk.fakes import Ingest

NewClient = Callable[..., mirante.Client]


def comments(ingest: Ingest) -> list[str]:
    return [value["comment"] for value in ingest.of("feedback")]


def say(client: mirante.Client, numbers: Any) -> None:
    for number in numbers:
        client.feedback("comment", response_id="r", comment=str(number))


def eventually(holds: Callable[[], bool], timeout: float = 15.0) -> bool:
    deadline = time.monotonic() + timeout
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )


def test_events_arrive_once_in_order_and_in_batches(ingest: Ingest, new_client: NewClient) -> None:
    client = new_client()
    say(client, range(1200))
    assert client.flush()
    assert comments(ingest) == [str(number) for number in range(1200)]
    assert len({event["event_id"] for event in ingest.of("feedback")}) == 1200
    assert ingest.posts < 50
    assert client.stats.published == 1200 and client.stats.queued == 0


@pytest.mark.parametrize(
    ("status", "retry_after"), [(503, None), (429, "0.1"), (500, None), (401, None), (404, None)]
)
def test_while_mirante_is_away_events_wait(
    status: int, retry_after: str | None, ingest: Ingest, new_client: NewClient
) -> None:
    client = new_client()
    ingest.status, ingest.retry_after = status, retry_after
    say(client, range(20))
    assert not client.flush(0.3)
    ingest.status = 202
    assert client.flush(10)
    assert sorted(comments(ingest)) == sorted(map(str, range(20)))
    assert client.stats.retries >= 1 and client.stats.dropped == 0


def test_retry_after_is_heeded(ingest: Ingest, new_client: NewClient) -> None:
    client = new_client()
    ingest.status, ingest.retry_after = 503, "30"
    say(client, range(1))
    assert eventually(lambda: client.stats.retries == 1)
    time.sleep(0.5)
    assert client.stats.retries == 1
    ingest.status = 202
    assert client.flush(5), "who flushes does not wait for so long"


def test_a_full_queue_drops_what_is_new_and_counts_it(
    ingest: Ingest, new_client: NewClient
) -> None:
    client = new_client(queue_events=50)
    ingest.status = 503
    begun = time.monotonic()
    say(client, range(10_000))
    assert time.monotonic() - begun < 10
    stats = client.stats
    assert stats.dropped + stats.queued == 10_000 and stats.queued <= 600
    ingest.status = 202
    assert client.flush(10)
    assert client.stats.published == len(comments(ingest)) == stats.queued


def test_an_event_that_is_refused_does_not_take_others_with_it(
    ingest: Ingest, new_client: NewClient
) -> None:
    ingest.refuses = "poison"
    client = new_client(linger=0.2)
    say(client, [*range(10), "poison", *range(10, 20)])
    assert client.flush(10)
    assert sorted(comments(ingest), key=int) == list(map(str, range(20)))
    assert client.stats.refused == 1 and client.stats.published == 20


def test_nobody_there_costs_the_caller_nothing() -> None:
    client = mirante.Client("http://127.0.0.1:9", controls_wait=0.05, exit_timeout=0.1)
    begun = time.monotonic()
    assert client.call(lambda request: "fine", model="m").text == "fine"
    assert time.monotonic() - begun < 5
    assert not client.flush(0.2) and not client.close(0.1)


def test_without_an_address_rails_hold_and_nothing_is_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("MIRANTE_ENDPOINT", "MIRANTE_TOKEN", "MIRANTE_KAFKA_BOOTSTRAP"):
        monkeypatch.delenv(name, raising=False)
    client = mirante.Client(input_rails=[mirante.PersonalData()])
    assert (
        client.call(lambda request: request.messages, model="m", messages="CPF 529.982.247-25").text
        == "CPF <CPF>"
    )
    assert client.stats.dropped == 2


def test_the_environment_says_where_to(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRANTE_ENDPOINT", ingest.url)
    monkeypatch.setenv("MIRANTE_TOKEN", "secret-token")
    client = mirante.Client()
    say(client, [1])
    assert client.close(5) and comments(ingest) == ["1"]


@pytest.mark.parametrize("endpoint", ["localhost:1", "ftp://x", "http://", "http://user:pw@host"])
def test_a_wrong_address_is_told_at_once(endpoint: str) -> None:
    with pytest.raises(ValueError):
        mirante.Client(endpoint)


def test_neither_logs_nor_repr_hold_the_token(
    ingest: Ingest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    ingest.status = 503
    client = mirante.Client(ingest.url, token="secret-token", exit_timeout=0.1)
    say(client, ["private words"])
    client.flush(0.3)
    client.close(0.1)
    assert (
        caplog.text
        and "secret-token" not in caplog.text + repr(client)
        and "private words" not in caplog.text
    )


def test_events_are_flushed_when_the_program_ends(ingest: Ingest) -> None:
    done = run(
        """
        import sys, mirante
        client = mirante.Client(sys.argv[1], token="secret-token")
        for number in range(300):
            client.feedback("comment", response_id="r", comment=str(number))
    """,
        ingest.url,
    )
    assert done.returncode == 0, done.stderr
    assert len(comments(ingest)) == 300


def test_a_program_with_a_hanging_call_ends_in_time(ingest: Ingest) -> None:
    begun = time.monotonic()
    done = run(
        """
        import sys, time, mirante
        client = mirante.Client(sys.argv[1], token="secret-token", timeout=0.2)
        try:
            client.call(lambda request: time.sleep(60), model="m")
        except TimeoutError:
            print("timeout")
    """,
        ingest.url,
    )
    assert done.stdout == "timeout\n" and time.monotonic() - begun < 20
    assert ingest.response["status"] == "timeout"


def test_children_of_a_fork_publish_their_own_events_once(ingest: Ingest) -> None:
    done = run(
        """
        import os, sys, mirante
        client = mirante.Client(sys.argv[1], token="secret-token", linger=0.2)
        client.call(lambda request: "fine", model="m", session_id="parent")
        children = []
        for number in range(3):
            pid = os.fork()
            if pid == 0:
                for _ in range(20):
                    client.call(lambda request: "fine", model="m", session_id=f"child{number}")
                sys.exit(0)
            children.append(pid)
        for pid in children:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    """,
        ingest.url,
    )
    assert done.returncode == 0, done.stderr
    sessions = [request["session_id"] for request in ingest.of("requests")]
    assert {session: sessions.count(session) for session in set(sessions)} == {
        "parent": 1,
        "child0": 20,
        "child1": 20,
        "child2": 20,
    }


def test_a_forked_child_obeys_switches_that_come_later(ingest: Ingest) -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent("""
        import os, sys, time, mirante
        client = mirante.Client(sys.argv[1], token="secret-token")
        client.wait_for_controls()
        if os.fork() == 0:
            print("ready", flush=True)
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                try:
                    client.call(lambda request: "fine", model="m")
                except mirante.Killed:
                    print("killed", flush=True)
                    break
                time.sleep(0.01)
            sys.exit(0)
        os.wait()
        """),
            ingest.url,
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    ingest.control("global", "kill")
    assert parent.stdout.readline() == "killed\n"
    assert parent.wait(20) == 0


def spooled(folder: Path) -> list[str]:
    return [
        json.loads(line)["value"]["comment"]
        for file in sorted(folder.rglob("*.jsonl"))
        for line in file.read_bytes().splitlines()
    ]


def test_the_spool_is_empty_when_all_is_stored(
    ingest: Ingest, new_client: NewClient, tmp_path: Path
) -> None:
    client = new_client(spool=tmp_path)
    say(client, range(100))
    assert client.flush(10) and client.close()
    assert comments(ingest) == list(map(str, range(100)))
    assert eventually(lambda: list(tmp_path.iterdir()) == [])


def test_a_killed_process_loses_nothing_that_was_spooled(
    ingest: Ingest, new_client: NewClient, tmp_path: Path
) -> None:
    ingest.status = 503
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent("""
        import sys, time, mirante
        client = mirante.Client(sys.argv[1], token="secret-token", spool=sys.argv[2], linger=0.005)
        for number in range(500):
            client.feedback("comment", response_id="r", comment=str(number))
        time.sleep(60)
        """),
            ingest.url,
            str(tmp_path),
        ],
    )
    assert eventually(lambda: len(spooled(tmp_path)) == 500)
    process.send_signal(signal.SIGKILL)
    process.wait()
    ingest.status = 202
    client = new_client(spool=tmp_path)
    assert eventually(lambda: len(comments(ingest)) == 500)
    assert sorted(comments(ingest), key=int) == list(map(str, range(500)))
    assert client.flush(5) and client.close()
    assert eventually(lambda: spooled(tmp_path) == [])


def test_living_processes_leave_each_others_spool_alone(
    ingest: Ingest, new_client: NewClient, tmp_path: Path
) -> None:
    ingest.status = 503
    first = new_client(spool=tmp_path)
    say(first, range(10))
    assert eventually(lambda: len(spooled(tmp_path)) == 10)
    second = new_client(spool=tmp_path)
    say(second, ["other"])
    assert eventually(lambda: len(spooled(tmp_path)) == 11)
    ingest.status = 202
    assert first.flush(10) and second.flush(10)
    assert sorted(comments(ingest)) == sorted([*map(str, range(10)), "other"])


def test_the_spool_holds_what_the_queue_can_not_while_mirante_is_away(
    ingest: Ingest, new_client: NewClient, tmp_path: Path
) -> None:
    ingest.status = 503
    client = new_client(spool=tmp_path, queue_events=100)
    for start in range(0, 2000, 50):
        say(client, range(start, start + 50))
        assert eventually(lambda: client.stats.queued < 50)
    assert client.stats.dropped == 0 and client.stats.spooled > 0
    ingest.status = 202
    assert client.flush(20)
    assert sorted(comments(ingest), key=int) == list(map(str, range(2000)))


def test_a_full_spool_drops_and_counts(
    ingest: Ingest, new_client: NewClient, tmp_path: Path
) -> None:
    ingest.status = 503
    client = new_client(spool=tmp_path, spool_bytes=2000, queue_events=20)
    for number in range(200):
        say(client, [number])
        time.sleep(0.002)
    assert eventually(lambda: client.stats.dropped > 0)
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.jsonl")) <= 2000
    ingest.status = 202
    assert client.flush(20)
    assert (
        client.stats.published + client.stats.dropped == 200
        and len(comments(ingest)) == client.stats.published
    )


def test_a_damaged_spool_file_hinders_nothing(
    ingest: Ingest, new_client: NewClient, tmp_path: Path
) -> None:
    old = tmp_path / "0123"
    old.mkdir()
    good = b'{"topic":"feedback","key":"","value":{"comment":"kept","kind":"comment"}}\n'
    (old / "000000000001.jsonl").write_bytes(b'{"topic":"feed\n\xff\xfe\n' + good + b"[1]\n")
    client = new_client(spool=tmp_path)
    assert eventually(lambda: comments(ingest) == ["kept"])
    assert client.close()


def test_many_threads_publish_at_once(ingest: Ingest, new_client: NewClient) -> None:
    client = new_client(queue_events=100_000)
    threads = [
        threading.Thread(target=say, args=(client, range(n * 100, n * 100 + 100))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush(20)
    assert sorted(comments(ingest), key=int) == list(map(str, range(800)))


def test_feedback_and_evaluations_say_what_the_contract_says(
    ingest: Ingest, new_client: NewClient
) -> None:
    client = new_client(tenant="acme", feature="f", environment="prod")
    with mirante.context(user_id="u1", session_id="s1"):
        assert client.feedback("rating", response_id="r1", value=0.5)
        assert client.evaluation("r1", "cites a source", 1.0, source="human")
    assert not client.feedback("thumbs_up")
    assert client.flush()
    (feedback,), (evaluation,) = ingest.of("feedback"), ingest.of("evaluations")
    known = {"event_id", "time"}
    assert {k: v for k, v in feedback.items() if k not in known} == {
        "kind": "rating",
        "response_id": "r1",
        "value": 0.5,
        "user_id": "u1",
        "session_id": "s1",
        "tenant": "acme",
    }
    assert {k: v for k, v in evaluation.items() if k not in known} == {
        "response_id": "r1",
        "name": "cites a source",
        "score": 1.0,
        "source": "human",
        "session_id": "s1",
        "tenant": "acme",
    }
