"""Kill switches and throttles as the SDK folds and obeys them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from importlib.resources import files
from typing import Any

import mirante
import pytest
from mirante.controls import Control, Controls, Throttle

from tests.sdk.fakes import Ingest

NewClient = Callable[..., mirante.Client]
VECTORS = json.loads((files("mirante") / "controls_vectors.json").read_bytes())["cases"]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_the_sdk_decides_as_the_examples_say(case: dict[str, Any]) -> None:
    controls = Controls()
    for record in case["records"]:
        key = None if record["key"] is None else record["key"].encode()
        try:
            controls.record(
                key, None if record["value"] is None else json.dumps(record["value"]).encode()
            )
        except ValueError:
            continue
    decision = controls.decide(
        datetime.fromisoformat(case["now"].replace("Z", "+00:00")).timestamp(), **case["call"]
    )
    assert (decision.action, decision.scope, decision.limit) == (
        case["decision"],
        case.get("scope", ""),
        case.get("limit"),
    )


def throttle(scope: str, limit: float) -> Control:
    return Control(scope, "throttle", limit, "", None)


@pytest.mark.parametrize(
    ("limit", "at", "passes"),
    [
        (2, [0, 1, 2, 61, 61.5, 62], [True, True, False, True, True, False]),
        (2.9, [0, 1, 2], [True, True, False]),
        (0, [0, 1000], [False, False]),
        (0.5, [0, 60, 119, 120], [True, False, False, True]),
    ],
)
def test_a_throttle_lets_its_limit_pass_in_any_minute(
    limit: float, at: list[float], passes: list[bool]
) -> None:
    counter = Throttle()
    assert [counter.refuses([throttle("global", limit)], now) is None for now in at] == passes


def test_a_refused_call_counts_against_no_throttle() -> None:
    counter = Throttle()
    wide, narrow = throttle("global", 2), throttle("user:u", 1)
    assert counter.refuses([wide, narrow], 0) is None
    refusal = counter.refuses([wide, narrow], 1)
    assert refusal is not None and refusal.scope == "user:u"
    assert counter.refuses([wide], 2) is None
    assert counter.refuses([wide], 3) is not None


def ask(request: mirante.Request) -> str:
    return "fine"


def calls_until(client: mirante.Client, deadline: float) -> None:
    while time.monotonic() < deadline:
        client.call(ask, model="m")


@pytest.mark.parametrize(
    "waits", [True, False], ids=["the server waits for a change", "the server only answers"]
)
def test_a_kill_refuses_the_next_call_within_a_second(waits: bool) -> None:
    ingest = Ingest(waits=waits)
    client = mirante.Client(ingest.url, token="secret-token", feature="search", linger=0.005)
    try:
        assert client.call(ask, model="m").text == "fine"
        ingest.control("feature:search", "kill", reason="too dear")
        begun = time.monotonic()
        with pytest.raises(mirante.Killed) as refused:
            calls_until(client, begun + 5)
        delay = time.monotonic() - begun
        assert (
            refused.value.by == "kill_switch" and refused.value.detail == "feature:search: too dear"
        )
        ingest.control("feature:search", "restore")
        while time.monotonic() < begun + 10:
            try:
                assert client.call(ask, model="m").text == "fine"
                break
            except mirante.Killed:
                continue
        assert delay < 1.0, f"{delay:.2f} s from kill to refusal"
    finally:
        client.close(1)
        ingest.close()


def test_what_is_known_holds_while_the_server_is_away(
    ingest: Ingest, new_client: NewClient
) -> None:
    ingest.control("global", "kill")
    client = new_client(controls_every=0.02)
    assert client.wait_for_controls()
    ingest.controls_status = 503
    time.sleep(0.2)
    with pytest.raises(mirante.Killed):
        client.call(ask, model="m")


@pytest.mark.parametrize(("unknown", "made"), [("open", True), ("closed", False)])
def test_the_user_says_what_an_unknown_state_means(
    unknown: Any, made: bool, ingest: Ingest, new_client: NewClient
) -> None:
    ingest.controls_status = 503
    client = new_client(controls_unknown=unknown, controls_wait=0.05)
    if made:
        assert client.call(ask, model="m").text == "fine"
    else:
        with pytest.raises(mirante.Killed) as refused:
            client.call(ask, model="m")
        assert refused.value.by == "controls_unknown"
    ingest.controls_status = 200
    assert client.wait_for_controls(10)
    assert client.call(ask, model="m").text == "fine"


def test_a_loop_is_stopped_by_its_throttle(ingest: Ingest, new_client: NewClient) -> None:
    ingest.control("user:u1", "throttle", limit=3)
    client = new_client()
    made = []
    for _ in range(100):
        try:
            made.append(client.call(ask, model="m", user_id="u1"))
        except mirante.Throttled:
            continue
    assert len(made) == 3
    assert client.call(ask, model="m", user_id="u2").text == "fine"
    assert client.flush()
    outcomes = [response["status"] for response in ingest.of("responses")]
    assert outcomes.count("ok") == 4 and outcomes.count("blocked") == 97
