"""The SDK over HTTP through `mirante ingest` to ClickHouse, and switches on their way back."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from signal import SIGKILL

import mirante as sdk
import pytest

from deploy.cli.doctor import _ingest
from deploy.dashboard.actions import Switch, switch
from deploy.embedded.broker_api import Broker
from tests.installation import Installation, unique


@pytest.fixture(scope="module")
def mirante(
    broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("http")
    with Installation(broker.bootstrap, folder, ingest=True) as installation:
        yield installation


@pytest.fixture
def client(mirante: Installation) -> Iterator[sdk.Client]:
    with sdk.Client(mirante.stack.ingest_url, feature=unique("http"), linger=0.01) as client:
        yield client


def command(mirante: Installation, *arguments: str) -> str:
    """What a command of `mirante` says, run as an operator runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments, "--data", str(mirante.directory)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "MIRANTE_TOPIC_PREFIX": mirante.prefix},
    )
    return done.stdout


def ask(request: sdk.Request) -> str:
    return f"{request.model} is fine"


def test_a_call_becomes_a_row_with_its_feedback(mirante: Installation, client: sdk.Client) -> None:
    tenant = unique("tenant")
    answer = client.call(ask, model="gpt-4o-mini", tenant=tenant, session_id="Recife", user_id="u")
    client.feedback("thumbs_up", response_id=answer.response_id, tenant=tenant)
    assert client.flush(20)
    mirante.eventually(
        "SELECT outcome, output, session_id FROM mirante.interactions WHERE tenant = {t:String}",
        [("ok", "gpt-4o-mini is fine", "Recife")],
        t=tenant,
    )
    mirante.eventually(
        "SELECT kind FROM mirante.feedback WHERE tenant = {t:String}", [("thumbs_up",)], t=tenant
    )


def until_refused(client: sdk.Client, feature: str) -> sdk.Killed | None:
    """Call until a call is refused, for five seconds at most."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            client.call(ask, model="m", feature=feature)
            time.sleep(0.002)
        except sdk.Killed as refused:
            return refused
    return None


def test_a_kill_refuses_calls_until_it_is_restored(
    mirante: Installation, client: sdk.Client
) -> None:
    feature = unique("stopped")
    assert client.wait_for_controls(20)
    assert client.call(ask, model="m", feature=feature).text
    command(mirante, "kill", f"feature:{feature}", "--reason", "a test")
    refused = until_refused(client, feature)
    assert refused is not None
    assert refused.detail == f"feature:{feature}: a test"
    command(mirante, "restore", f"feature:{feature}", "--reason", "over")
    deadline = time.monotonic() + 10
    while until_refused(client, feature) is not None:
        assert time.monotonic() < deadline, "not restored"


def test_from_a_switch_in_kafka_to_the_refused_call(
    mirante: Installation, client: sdk.Client
) -> None:
    assert client.wait_for_controls(20)
    delays = []
    for _ in range(5):
        feature = unique("timed")
        wanted = Switch(scope=f"feature:{feature}", action="kill", reason="a test")
        asyncio.run(switch(mirante.stack.settings, wanted))
        written = time.monotonic()
        assert until_refused(client, feature) is not None
        delays.append(time.monotonic() - written)
    told = ", ".join(f"{delay * 1000:.0f}" for delay in delays)
    print(f"refused {told} ms after Kafka had the switch")


def test_nothing_is_lost_or_doubled_when_ingest_is_killed(
    mirante: Installation, client: sdk.Client
) -> None:
    tenant, calls = unique("killed"), 600
    (ingest,) = mirante.stack.pages
    for number in range(calls):
        client.call(ask, model="gpt-4o-mini", tenant=tenant, session_id=f"s{number % 50}")
        if number % 200 == 100:
            time.sleep(0.05)
            os.kill(ingest.pids["ingest"], SIGKILL)
            asyncio.run(ingest.stop())
            asyncio.run(ingest.start())
    assert client.flush(60)
    assert client.stats.dropped == 0
    mirante.eventually(
        "SELECT count(), uniqExact(request_id), countIf(outcome = 'ok') FROM mirante.interactions "
        "WHERE tenant = {t:String}",
        [(calls, calls, calls)],
        t=tenant,
    )
    mirante.eventually(
        "SELECT sum(requests) FROM mirante.cost_windows WHERE window_seconds = 60 AND tenant = {t:String}",
        [(calls,)],
        t=tenant,
    )


def test_doctor_and_endpoints_know_the_ingest(mirante: Installation) -> None:
    endpoints = json.loads((mirante.directory / "endpoints.json").read_bytes())
    assert endpoints["ingest"] == mirante.stack.ingest_url
    (finding,) = _ingest(mirante.directory)
    assert (finding.state, mirante.stack.ingest_url in finding.detail) == ("ok", True)
