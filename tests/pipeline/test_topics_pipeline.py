"""From questions to topics: tables, and what `mirante topics` says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.dashboard.queries import QUERIES
from deploy.embedded.broker_api import Broker
from tests.installation import Installation, Sent, request, response

ASKED = (
    ("my card was stolen", "someone has stolen my card"),
    ("what is the weather tomorrow", "weather forecast for tomorrow"),
    ("onde vejo a segunda via da fatura", "quero a segunda via da fatura"),
    ("a recipe for lasagna", "how do I cook lasagna"),
    ("book a flight to Paris", "a cheap flight to Paris"),
)


def call(n: int, question: str, *, failed: bool) -> list[Sent]:
    session = f"s{n}"
    common = {"session_id": session, "tenant": "acme"}
    messages = [{"role": "user", "content": question}]
    asked = request(str(n), at=1.2 * n, messages=messages, **common)
    status = "error" if failed else "ok"
    said = response(str(n), at=1.2 * n + 0.5, output="fine", cost_usd=0.01, status=status, **common)
    return [Sent("requests", asked, session), Sent("responses", said, session)]


def later(at: float) -> list[Sent]:
    """Other calls in every partition, so that event time goes on."""
    sent = []
    for n in range(8):
        name = f"t{n}"
        asked = request(name, at=at, feature="other", session_id=name)
        sent.append(Sent("requests", asked, name))
        sent.append(Sent("responses", response(name, at=at + 1, session_id=name), name))
    return sent


@pytest.mark.timeout(300)
def test_questions_of_five_kinds_are_five_topics(broker: Broker, tmp_path: Path) -> None:
    with Installation(broker.bootstrap, tmp_path, partitions=1, topics={"enabled": True}) as mirante:
        # Given 300 questions of five kinds, of which those about invoices fail, and later traffic
        sent = []
        for n in range(300):
            sent += call(n, ASKED[n % 5][n // 5 % 2], failed=n % 5 == 2)
        mirante.publish_at_once([*sent, *later(800)])
        # Then there are five topics, named in the language of their questions
        topics = "SELECT count() FROM mirante.topics WHERE feature = 'support' AND merged_into = ''"
        mirante.eventually(topics, [(5,)], within=60)
        [(names,)] = mirante.query("SELECT groupUniqArrayArray(terms) FROM mirante.topics")
        assert {"stolen", "weather", "fatura", "lasagna", "flight"} <= set(names)
        # And their windows have every call, what it cost, and which failed
        sums = (
            "SELECT sum(requests), toFloat64(sum(cost_usd)), sum(errors) FROM mirante.topic_windows"
            " WHERE feature = 'support'"
        )
        mirante.eventually(sums, [(300, 3.0, 60)], within=60)
        failed = (
            "SELECT t.terms FROM mirante.topic_windows AS w INNER JOIN mirante.topics AS t"
            " ON t.topic_id = w.topic_id WHERE w.errors > 0"
        )
        assert all("fatura" in terms for (terms,) in mirante.query(failed))
        # And the dashboard's page asks for them
        page = QUERIES["topics"]
        values = {"since": 0, "until": 4_000_000_000, "tenant": "", "feature": "support"}
        rows = mirante.query(page.statement(values), **page.bound(values))
        assert sum(row[6] for row in rows) == 300
        # And the command says so
        command = [sys.executable, "-m", "deploy.cli", "topics", "--feature", "support", "--json"]
        said = subprocess.run(
            [*command, "--data", str(tmp_path)], capture_output=True, text=True, check=True
        ).stdout
        assert sum(row["requests"] for row in json.loads(said)) == 300
