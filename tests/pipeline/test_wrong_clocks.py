"""A tenth of the traffic has a wrong clock: the others' calls keep their answers, its own are counted, and it is named."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest

from deploy.embedded.broker_api import Broker
from tests.installation import NOW, Installation, Sent, request, response, unique

CALLS, HOUR, DAY = 500, 3_600.0, 86_400.0
COST = Decimal("0.00021")
"""1,000 input and 100 output tokens of gpt-4o-mini."""


@pytest.fixture(scope="module")
def mirante(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of its own: what it says of clocks concerns these tests alone."""
    with Installation(broker.bootstrap, tmp_path_factory.mktemp("clocks")) as installation:
        yield installation


def traffic(tenant: str, skew: float, begun: float) -> list[Sent]:
    """A call a second, in the order in which a service would have written them; ``begun``: seconds after NOW."""
    rng, records = random.Random(tenant), []
    for n in range(CALLS):
        wrong = skew if n % 10 == 7 else 0.0
        call, session, feature = f"{tenant}-{n:03}", f"{tenant}-s{n % 29}", "mobile" if wrong else "chat"
        asked, took = begun + n, rng.uniform(0.2, 12.0)
        fields = {"tenant": tenant, "session_id": session}
        records.append((asked, Sent("requests", request(call, at=asked + wrong, feature=feature, **fields), session)))
        answered = response(call, at=asked + took + wrong, **fields)
        records.append((asked + took, Sent("responses", answered, session)))
    return [record for _, record in sorted(records, key=lambda item: item[0])]


@pytest.mark.parametrize("skew", [HOUR, DAY, -DAY], ids=["hour ahead", "day ahead", "day behind"])
@pytest.mark.parametrize("live", [True, False], ids=["live", "history"])
def test_given_a_tenth_of_wrong_clocks_then_no_call_is_unanswered(mirante: Installation, skew: float, live: bool) -> None:
    # Given: the newest events are of a moment before they reach Kafka, or of an hour
    tenant = unique("clocks")
    begun = time.time() - NOW.timestamp() - CALLS - (20 if live else HOUR)
    # When
    mirante.publish_at_once(traffic(tenant, skew, begun))
    # Then: not at the end, and not even for a moment if its own clock is right
    mirante.eventually(
        "SELECT outcome, count(), sum(cost_usd) FROM mirante.interactions WHERE tenant = {tenant:String} GROUP BY outcome",
        [("ok", CALLS, COST * CALLS)], tenant=tenant, within=60,
    )  # fmt: skip
    mirante.eventually(
        "SELECT sum(requests), sum(ok), sum(cost_usd) FROM mirante.cost_windows "
        "WHERE tenant = {tenant:String} AND window_seconds = 60",
        [(CALLS, CALLS, COST * CALLS)], tenant=tenant, within=60,
    )  # fmt: skip
    early = "SELECT count() FROM mirante.interactions_data WHERE tenant = {tenant:String} AND feature = 'chat' AND version = 1"
    mirante.eventually(early, [(0,)], tenant=tenant)
    mirante.eventually("SELECT count() FROM mirante.deadletter", [(0,)])
    # And
    said = [finding for finding in doctor(mirante) if f"tenant {tenant}" in finding]
    assert all("feature mobile" in finding for finding in said)
    if skew > 0 and live:  # a history's Kafka times are all later than its events
        assert len(said) == 1 and " ahead " in said[0] and f"({CALLS // 10} calls)" in said[0]


def doctor(mirante: Installation) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "doctor", "--data", str(mirante.directory), "--json"],
        capture_output=True, text=True, env={**os.environ, "MIRANTE_TOPIC_PREFIX": mirante.prefix}, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return [finding["detail"] for finding in json.loads(done.stdout) if finding["check"] == "service clocks"]


def test_given_a_late_answer_of_a_call_whose_sums_are_closed_then_row_and_windows_are_completed(mirante: Installation) -> None:
    # Given: a request of the night, and a morning of other traffic
    tenant, session = unique("batch"), unique("session")
    asked = request("batch-" + tenant, tenant=tenant, session_id=session, at=-20 * HOUR)
    morning = []
    for n in range(120):
        fields = {"tenant": tenant, "session_id": session}
        at = -2 * HOUR + 60.0 * n
        morning.append(Sent("requests", request(f"{tenant}-{n}", at=at, **fields), session, written=at))
        morning.append(Sent("responses", response(f"{tenant}-{n}", at=at + 1, **fields), session, written=at + 1))
    mirante.publish([Sent("requests", asked, session, written=-20 * HOUR), *morning])
    outcomes = "SELECT outcome, count() FROM mirante.interactions WHERE tenant = {tenant:String} GROUP BY outcome ORDER BY outcome"
    mirante.eventually(outcomes, [("ok", 120), ("unanswered", 1)], tenant=tenant, within=60)
    windows = (
        "SELECT sum(requests), sum(ok), sum(unanswered), sum(cost_usd) FROM mirante.cost_windows "
        "WHERE tenant = {tenant:String} AND window_seconds = 86400"
    )
    mirante.eventually(windows, [(121, 120, 1, COST * 120)], tenant=tenant, within=60)
    time.sleep(15)  # so that the request is let go: partitions have told each other what they have read
    # When
    mirante.publish([Sent("responses", response("batch-" + tenant, tenant=tenant, session_id=session), session)])
    # Then
    mirante.eventually(outcomes, [("ok", 121)], tenant=tenant, within=60)
    mirante.eventually(windows, [(121, 121, 0, COST * 121)], tenant=tenant, within=60)
