"""What users thought, through the whole pipeline: from events to labels on the topic and in the table."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from deploy.cli.app import app
from deploy.embedded.broker_api import Broker
from schemas.outputs import Label
from tests.installation import Installation, Sent, request, response, rfc3339
from tests.kafka_clients import read_all

GAP = 60.0
EARLY = -9_000.0
"""When the sessions are: before the traffic whose quality falls, which ends now."""


def turn(name: str, session: str, at: float, question: str, **fields: Any) -> list[Sent]:
    """A question and its answer, which takes a second."""
    said = [{"role": "system", "content": "be kind"}, {"role": "user", "content": question}]
    return [
        Sent("requests", request(name, at=EARLY + at, session_id=session, messages=said, **fields), session),
        Sent("responses", response(name, at=EARLY + at + 1, session_id=session, output="..." * 100), session),
    ]


def feedback(name: str, session: str | None, at: float, kind: str, **fields: Any) -> Sent:
    event = {"event_id": f"f-{name}-{kind}", "time": rfc3339(EARLY + at), "kind": kind, "response_id": f"r-{name}", **fields}
    return Sent("feedback", event | ({} if session is None else {"session_id": session}), session)


def falling(minutes: int, after: int) -> Iterator[Sent]:
    """Four answers a minute that please their users, and from minute ``after`` on none does."""
    for n in range(4 * minutes):
        at, name = 15.0 * n - 60.0 * minutes - EARLY, f"faq{n}"
        yield from turn(name, f"s-{name}", at, "what are your opening hours?", feature="faq")
        yield feedback(name, f"s-{name}", at + 3, "thumbs_up" if n < 4 * after else "thumbs_down")


@pytest.mark.timeout(300)
def test_thumbs_repetitions_complaints_and_thanks_become_labels(broker: Broker, tmp_path: Path) -> None:
    settings = {"enabled": True, "gap": GAP, "settle": 0.0, "judged_after": 10.0, "drop": 0.2}
    with Installation(broker.bootstrap, tmp_path, labels=settings) as mirante:
        # Given sessions in English and Portuguese, whose users tell what they think in one way each
        mirante.publish(
            [
                *turn("up", "s-up", 0, "how do I export my invoices?"),
                feedback("up", "s-up", 5, "thumbs_up"),
                *turn("down", "s-down", 0, "como exporto minhas faturas?"),
                feedback("down", None, 5, "thumbs_down"),  # names no session
                *turn("again", "s-again", 0, "how do I reset my password? I am ana@example.com"),
                *turn("again2", "s-again", 20, "how can i reset my passwrod"),
                *turn("denovo", "s-denovo", 0, "como emitir a segunda via do boleto?"),
                *turn("denovo2", "s-denovo", 20, "quero emitir a 2ª via do meu boleto"),
                *turn("wrong", "s-wrong", 0, "How do I export my invoices?"),
                *turn("wrong2", "s-wrong", 20, "that's not what I asked"),
                *turn("errado", "s-errado", 0, "Como exporto minhas faturas?"),
                *turn("errado2", "s-errado", 20, "não foi isso que pedi"),
                *turn("thanks", "s-thanks", 0, "How do I export my invoices?"),
                *turn("thanks2", "s-thanks", 20, "thanks, that worked"),
                *turn("valeu", "s-valeu", 0, "Como exporto minhas faturas?"),
                *turn("valeu2", "s-valeu", 20, "obrigado, funcionou!"),
                # a tool's result and a shadow's answer are nobody's turn
                *turn("tool", "s-tool", 0, "go on", operation="execute_tool"),
                *turn("shadow", "s-shadow", 0, "how do I export my invoices?", variant="shadow"),
            ]
        )
        # When other users, of features in all partitions, come later than the gap
        mirante.publish(
            sent for n in range(40) for sent in turn(f"later{n}", f"s-later{n}", 200, "hello, is this open today?", feature=f"f{n}")
        )
        # Then every answer has its final label, with the evidence
        labels = (
            "SELECT response_id, label, explicit, arrayFilter(k -> k NOT IN ('session_end', 'topic_change'), "
            "JSONExtract(signals, 'Array(Tuple(kind String))').kind) AS kinds "
            "FROM mirante.labels WHERE final AND notEmpty(kinds) ORDER BY response_id"
        )
        mirante.eventually(
            labels,
            [
                ("r-again", "negative", False, ["reformulation"]),
                ("r-denovo", "negative", False, ["reformulation"]),
                ("r-down", "negative", True, ["thumbs_down"]),
                ("r-errado", "negative", False, ["complaint"]),
                ("r-thanks", "positive", False, ["acceptance"]),
                ("r-up", "positive", True, ["thumbs_up"]),
                ("r-valeu", "positive", False, ["acceptance"]),
                ("r-wrong", "negative", False, ["complaint"]),
            ],
            within=60,
        )
        assert mirante.query("SELECT count() FROM mirante.labels WHERE response_id IN ('r-tool', 'r-shadow')") == [(0,)]
        # When the user of a final label changes their mind
        mirante.publish([feedback("up", "s-up", 210, "thumbs_down")])
        mirante.eventually("SELECT label, final FROM mirante.labels WHERE response_id = 'r-up'", [("negative", True)], within=90)
        # Then the topic has every version once, the last of which is the table's row
        records = asyncio.run(read_all(mirante.bootstrap, f"{mirante.prefix}labels"))
        versions = defaultdict(list)
        for record in records:
            label = msgspec.json.decode(record.value, type=Label)
            assert record.key == label.response_id.encode()
            versions[label.response_id].append(label)
        for response_id, found in versions.items():
            assert [label.version for label in found] == list(range(1, len(found) + 1))
            row = mirante.query("SELECT label, score, version FROM mirante.labels WHERE response_id = {r:String}", r=response_id)
            assert row == [(found[-1].label, found[-1].score, found[-1].version)]
        # And what users did not accept becomes tests and pairs, without personal data
        for kind, files in (("regression", 1), ("preference", 2), ("sft", 2)):
            answer = CliRunner().invoke(
                app, ["export", kind, "-o", str(tmp_path / kind), "--url", mirante.stack.settings.clickhouse_url, "--json"]
            )
            assert answer.exit_code == 0, answer.output
            assert len(list((tmp_path / kind).glob("*.jsonl"))) == files
        cases = [json.loads(line) for line in (tmp_path / "regression/test.jsonl").read_text("utf-8").splitlines()]
        surest = {"r-again", "r-denovo", "r-down", "r-up"}  # of those who asked the same in the same words
        assert {case["metadata"]["response_id"] for case in cases} == surest
        text = "".join(path.read_text("utf-8") for path in tmp_path.glob("*/*.jsonl"))
        assert "ana@example.com" not in text and "<EMAIL:" in text
        chats = [json.loads(line) for path in (tmp_path / "sft").glob("*.jsonl") for line in path.read_text("utf-8").splitlines()]
        assert {chat["metadata"]["response_id"] for chat in chats} >= {"r-thanks", "r-valeu"}
        assert mirante.query("SELECT sum(answers) FROM mirante.satisfaction WHERE feature = 'support'") == [
            (mirante.query("SELECT count() FROM mirante.labels")[0][0],)
        ]
        # When the answers of a feature cease to please
        mirante.publish(falling(minutes=90, after=70))
        # Then that is one alert
        drops = (
            "SELECT labels['tenant'], labels['feature'], labels['metric'], status"
            " FROM mirante.alerts WHERE name = 'QualityDrop' AND severity != 'info'"
        )
        mirante.eventually(drops, [("default", "faq", "satisfaction", "firing")], within=60)
