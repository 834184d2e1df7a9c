"""The same input gives the same public rows, however it is processed: speed, number of workers, checkpoints, restarts.

Whoever adds a public table adds its query to PUBLIC; whoever adds an agent that decides by time adds input that makes it decide.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.broker_api import Broker
from deploy.embedded.stack import fetch
from tests.installation import NOW, Installation, Sent, request, response, rfc3339
from tests.replays import SETTINGS, Written, incidents, traced

VARIABLE = "MIRANTE_REPLAYS"
EVERYTHING = os.environ.get(VARIABLE) == "all"
"""All inputs in all ways, which takes a quarter of an hour. Otherwise those that take a minute."""

SHARED = Path(os.environ.get("MIRANTE_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
TRACE = SHARED / "azure_llm_2023" / "AzureLLMInferenceTrace_code.csv"

PUBLIC = {
    "interactions": "SELECT * FROM mirante.interactions ORDER BY tenant, request_id",
    "feedback": "SELECT * FROM mirante.feedback ORDER BY event_id",
    "evaluations": "SELECT * FROM mirante.evaluations ORDER BY event_id",
    "cost_windows": "SELECT * FROM mirante.cost_windows ORDER BY ALL",
    "alerts": "SELECT * FROM mirante.alerts ORDER BY alert_id",
    "drift": "SELECT * FROM mirante.drift ORDER BY ALL",
    # Without where its record lies: topics differ, and what several rules decide at once may be written in any order.
    "controls": "SELECT * EXCEPT (cluster, topic, partition, offset) FROM mirante.controls ORDER BY ALL",
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
    mirante.publish_at_once(records)


def in_small_pieces(mirante: Installation, records: list[Sent]) -> None:
    for begin in range(0, len(records), 150):
        mirante.publish(records[begin : begin + 150])
        time.sleep(0.3)


def with_kills(mirante: Installation, records: list[Sent]) -> None:
    part = -(-len(records) // 4)
    for number, begin in enumerate(range(0, len(records), part)):
        mirante.publish_at_once(records[begin : begin + part])
        worker = mirante.stack.workers[number % len(mirante.stack.workers)]
        worker.signal(signal.SIGKILL)
        asyncio.run(worker.kill())
        asyncio.run(worker.start())


Way = tuple[int, dict[str, Any], Callable[[Installation, list[Sent]], None]]
FREQUENT = {"checkpoint_interval": "0.2", "max_pending_rows": "1000"}
WAYS: dict[str, Way] = {
    "one worker, at once": (1, {}, at_once),
    "three workers, small pieces, frequent checkpoints": (3, FREQUENT, in_small_pieces),
    "two workers, four kills": (2, {}, with_kills),
}
MORE_WAYS: dict[str, Way] = WAYS | {
    "two workers, at once": (2, {}, at_once),
    "one worker, four kills": (1, {}, with_kills),
}


def settled_tables(mirante: Installation) -> dict[str, list[tuple[Any, ...]]]:
    """The public tables once everything has been processed. Nothing of an orderly input was late."""
    deadline = time.monotonic() + 240
    while not mirante.at_rest(quiet=2):
        assert time.monotonic() < deadline, f"not settled: {mirante.status()}"
        time.sleep(1)
    return {name: mirante.query(sql) for name, sql in PUBLIC.items()}


LATE = (
    "mirante_anomaly_late_total",
    "mirante_drift_late_total",
    "mirante_behaviour_late_total",
    'mirante_label_exceptions_total{what="late"}',
)


def late(mirante: Installation) -> dict[str, float]:
    """What workers count as too late for a detector or a label, beside zeros."""
    found: dict[str, float] = {}
    for url in mirante.stack.metrics_urls:
        for line in (fetch(f"{url}/metrics") or b"").decode().splitlines():
            name, _, value = line.rpartition(" ")
            if name.startswith(LATE) and float(value):
                found[name] = float(value)
    return found


def compare(broker: Broker, path: Path, records: list[Sent], ways: dict[str, Way], **settings: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Process the same records in all ways; returns the tables, which must be the same."""
    results = {}
    for number, (way, (workers, own, publish)) in enumerate(ways.items()):
        with Installation(broker.bootstrap, path / str(number), workers=workers, **{**settings, **own}) as mirante:
            publish(mirante, records)
            results[way] = settled_tables(mirante)
            assert late(mirante) == {}, way
    first, *others = results
    for way in others:
        for table in PUBLIC:
            rows, expected = Counter(map(repr, results[way][table])), Counter(map(repr, results[first][table]))
            missing, added = list((expected - rows).elements()), list((rows - expected).elements())
            told = f"{table}: {way!r} lacks {len(missing)} rows of {first!r}, and has {len(added)} others"
            assert not missing and not added, "\n".join([told, *missing[:3], "others:", *added[:3]])
    return results[first]


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_the_same_input_gives_the_same_rows_in_whatever_way_it_is_processed(broker: Broker, tmp_path: Path) -> None:
    tables = compare(broker, tmp_path, recorded(), WAYS, segment_requests="256", budgets=BUDGETS, labels=LABELS)
    assert tables["deadletter"] and tables["alerts"]
    assert len(tables["labels"]) > CALLS // 2


def sent(history: list[Written]) -> list[Sent]:
    return [Sent(item.topic, item.event, item.key) for item in history]


ENOUGH = {"one worker, at once", "two workers, four kills"}
LONG_AGO = (NOW - timedelta(days=2)).timestamp()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_alerts_drift_labels_and_switches_of_a_history_full_of_incidents_are_the_same(broker: Broker, tmp_path: Path) -> None:
    ways = MORE_WAYS if EVERYTHING else {way: WAYS[way] for way in ENOUGH}
    tables = compare(broker, tmp_path, sent(incidents(LONG_AGO)), ways, **SETTINGS)
    names = {row[2] for row in tables["alerts"]}
    assert names >= {"BudgetExhausted", "RateLimitExceeded", "RunawayLoop", "RefusalRate", "ErrorRate", "Drift", "QualityDrop"}
    assert tables["controls"] and tables["drift"]


@pytest.mark.skipif(not EVERYTHING, reason=f"takes minutes: {VARIABLE}=all")
@pytest.mark.shared_data
@pytest.mark.skipif(not TRACE.exists(), reason="needs the development data beside the repository")
@pytest.mark.timeout(1_200)
def test_alerts_of_recorded_traffic_are_the_same(broker: Broker, tmp_path: Path) -> None:
    tables = compare(broker, tmp_path, sent(traced(TRACE, LONG_AGO)), MORE_WAYS, **SETTINGS)
    assert len({row[2] for row in tables["alerts"]}) > 3 and tables["controls"]
