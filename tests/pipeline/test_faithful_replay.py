"""The same input gives the same public rows, however it is processed: speed, number of workers, checkpoints, restarts.

Whoever adds a public table adds its query to PUBLIC; whoever adds an agent that decides by time adds input that makes it decide.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.broker_api import Broker
from tests.installation import Installation, Sent, request, response, rfc3339

PUBLIC = {
    "interactions": "SELECT * FROM mirante.interactions ORDER BY tenant, request_id",
    "feedback": "SELECT * FROM mirante.feedback ORDER BY event_id",
    "evaluations": "SELECT * FROM mirante.evaluations ORDER BY event_id",
    "cost_windows": "SELECT * FROM mirante.cost_windows ORDER BY ALL",
    # Not when: a budget is reported when it is crossed, and then which calls have been counted depends on the order of reading.
    "alerts": "SELECT alert_id, fingerprint, name, severity, status, labels FROM mirante.alerts ORDER BY ALL",
    "labels": "SELECT * FROM mirante.labels ORDER BY label_id",
    "prompt_versions": "SELECT * FROM mirante.prompt_versions ORDER BY ALL",
    # Without its position: a record without a key goes to any partition.
    "deadletter": "SELECT key, value, headers, stage, reason FROM mirante.deadletter ORDER BY ALL",
}
CALLS = 1_500

SAID = ("how do I reset my password?", "how can i change my passwrod", "não foi isso que pedi", "obrigado, funcionou!")
LABELS = {"enabled": True, "gap": 120.0}
"""Sessions end while there is traffic, all but the last ones, which end after the tables are read."""

BUDGETS = [{"name": "day", "by": "tenant", "limit": "0.02", "window": "day", "burn": False}]


def recorded() -> list[Sent]:
    """Ten minutes of traffic: several series, late and missing answers, wrong keys, repeats, orphans, poison."""
    records: list[tuple[float, Sent]] = []
    for n in range(CALLS):
        at, session = n * 0.4 - 1_200, f"s{n // 4}"
        common = {"tenant": f"t{n % 3}", "session_id": session}
        asked = request(f"c{n:05}", at=at, feature=f"f{n % 4}", prompt={"name": "p", "sha": f"{n % 2:040}"}, timeout_ms=2_000,
                        messages=[{"role": "user", "content": SAID[n // 2 % 4]}], **common)  # fmt: skip
        delay = 60.0 if n % 50 == 7 else 1.0  # some answers come after they were given up
        said = response(f"c{n:05}", at=at + delay, usage={"input_tokens": 100 + n, "output_tokens": n % 90}, **common)
        if n % 60 != 13:
            records.append((at, Sent("requests", asked, f"wrong{n}" if n % 41 == 0 else session)))
        if n % 70 != 11:
            records.append((at + delay, Sent("responses", said, None if n % 43 == 0 else session)))
        if n % 30 == 0:
            records.append((at + 0.1, Sent("requests", asked, session)))
            records.append((at + 2, Sent("feedback", {"event_id": f"f{n}", "time": rfc3339(at + 2), "kind": "copy", **common}, session)))
        if n % 7 == 0:  # what users thought: soon, and after the answer's session has ended; some do not say which session
            late, kind = (200.0, "thumbs_up") if n % 2 else (3.0, "thumbs_down")
            thumb = {
                "event_id": f"u{n}",
                "time": rfc3339(at + delay + late),
                "kind": kind,
                "response_id": f"r-c{n:05}",
                "tenant": f"t{n % 3}",
            }
            whose = {} if n % 3 else {"session_id": session}
            records.append((at + delay + late, Sent("feedback", thumb | whose, None if n % 5 == 0 else session)))
        if n % 100 == 0:
            records.append((at, Sent("responses", b"{poison %d" % n, session)))
    for n in range(40):  # time goes on for everybody
        of = {"session_id": f"e{n}"}
        unknown = {"event_id": f"f-end{n}", "time": rfc3339(0), "kind": "copy", "response_id": "unknown", **of}
        ends = {"requests": request(f"end{n}", at=0, **of), "feedback": unknown, "responses": response(f"end{n}", at=1, **of)}
        records += [(1.0, Sent(topic, event, f"e{n}")) for topic, event in ends.items()]
    return [record for _, record in sorted(records, key=lambda pair: pair[0])]


def at_once(mirante: Installation, records: list[Sent]) -> None:
    mirante.publish(records)


def in_small_pieces(mirante: Installation, records: list[Sent]) -> None:
    for begin in range(0, len(records), 150):
        mirante.publish(records[begin : begin + 150])
        time.sleep(0.3)


def with_restarts(mirante: Installation, records: list[Sent]) -> None:
    third = len(records) // 3
    for number, begin in enumerate(range(0, len(records), third)):
        mirante.publish(records[begin : begin + third])
        worker = mirante.stack.workers[number % len(mirante.stack.workers)]
        worker.signal(signal.SIGKILL)
        asyncio.run(worker.kill())
        asyncio.run(worker.start())


WAYS: dict[str, tuple[int, dict[str, Any], Callable[[Installation, list[Sent]], None]]] = {
    "one worker, at once": (1, {}, at_once),
    "three workers, small pieces, frequent checkpoints": (3, {"checkpoint_interval": "0.2", "max_pending_rows": "1000"}, in_small_pieces),
    "two workers, killed and restarted": (2, {}, with_restarts),
}


def settled_tables(mirante: Installation) -> dict[str, list[tuple[Any, ...]]]:
    """The public tables once everything has been processed."""
    deadline = time.monotonic() + 150
    while not mirante.at_rest(quiet=2):
        assert time.monotonic() < deadline, f"not settled: {mirante.status()}"
        time.sleep(1)
    return {name: mirante.query(sql) for name, sql in PUBLIC.items()}


@pytest.mark.timeout(420)
def test_the_same_input_gives_the_same_rows_in_whatever_way_it_is_processed(broker: Broker, tmp_path: Path) -> None:
    records = recorded()
    results = {}
    for number, (way, (workers, settings, publish)) in enumerate(WAYS.items()):
        settings = {"segment_requests": "256", "budgets": BUDGETS, "labels": LABELS, **settings}
        with Installation(broker.bootstrap, tmp_path / str(number), workers=workers, **settings) as mirante:
            publish(mirante, records)
            results[way] = settled_tables(mirante)
    first, *others = results
    assert results[first]["deadletter"] and results[first]["alerts"]
    assert len(results[first]["labels"]) > CALLS // 2
    for way in others:
        for table in PUBLIC:
            differing = [pair for pair in zip_longest(results[first][table], results[way][table]) if pair[0] != pair[1]]
            assert not differing, f"{table}: {way!r} differs from {first!r} in {len(differing)} rows, such as {differing[:3]}"
