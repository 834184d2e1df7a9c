"""Drift through the whole pipeline: from events to the table `drift`, the alert, and `mirante drift accept`."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.embedded.broker_api import Broker
from tests.installation import Installation, Sent, request, response
from tests.unit.drift_data import LISTS, PLAIN, sample


def answers(first: int, number: int, style: str, rng: random.Random) -> list[Sent]:
    """One every second, about orders and invoices."""
    sent = []
    for n in range(first, first + number):
        made = sample(n, rng, style=style)
        session = f"s{n}"
        messages = [{"role": "user", "content": made.question}]
        common = {"session_id": session, "tenant": "acme"}
        sent.append(Sent("requests", request(str(n), at=float(n), messages=messages, prompt={"name": "p", "sha": "p1"}, **common), session))
        sent.append(Sent("responses", response(str(n), at=n + 0.5, output=made.answer, **common), session))
    return sent


def later(at: float) -> list[Sent]:
    """Other calls in every partition, so that event time goes on."""
    sent = []
    for n in range(8):
        name = f"t{at:g}-{n}"
        sent.append(Sent("requests", request(name, at=at, feature="other", session_id=name), name))
        sent.append(Sent("responses", response(name, at=at + 1, session_id=name), name))
    return sent


@pytest.mark.timeout(300)
def test_a_silent_change_is_one_alert_until_it_is_accepted(broker: Broker, tmp_path: Path) -> None:
    rng = random.Random(1)
    with Installation(broker.bootstrap, tmp_path, partitions=1) as mirante:
        # Given 200 answers of one style, and then others under the same model name
        mirante.publish(answers(0, 200, PLAIN, rng))
        mirante.publish([*answers(200, 60, LISTS, rng), *later(460)])
        # Then there is one alert, with its cause
        columns = ", ".join(f"labels['{name}']" for name in ("feature", "model", "metric", "cause"))
        alerts = f"SELECT {columns}, status FROM mirante.alerts WHERE name = 'Drift'"
        labels = ("support", "gpt-4o-mini", "answer_text", "silent_provider_change")
        mirante.eventually(alerts, [(*labels, "firing")], within=120)
        # And every test is in the table
        drifted = "SELECT DISTINCT feature, model, metric, cause FROM mirante.drift WHERE drifted"
        mirante.eventually(drifted, [labels])
        [(tests, metrics)] = mirante.query("SELECT count(), uniq(metric) FROM mirante.drift")
        assert tests > metrics >= 2
        # When the change is accepted
        settings = {
            "MIRANTE_KAFKA_BOOTSTRAP": mirante.bootstrap, "MIRANTE_TOPIC_PREFIX": mirante.prefix, "MIRANTE_PARTITIONS": "1",
        }  # fmt: skip
        command = [sys.executable, "-m", "deploy.cli", "drift", "accept", "--feature", "support", "--reason", "lists are better", "--json"]
        said = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=True).stdout
        assert json.loads(said)["feature"] == "support"
        # Then the alert ends, and there is no other, although answers remain as they are now
        mirante.publish([*answers(470, 60, LISTS, rng), *later(760)])
        mirante.eventually(alerts, [(*labels, "resolved")], within=120)
