"""The story of a response from the tables of a server: all that was said of it, found by the table of ids, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from deploy.cli.trace import asking
from deploy.trace import ANY_KIND, MAX_RELATED, Kind, Story, story
from schemas.behaviour_rows import ShadowPairRow
from schemas.migrate import migrate, migrations
from schemas.rows import (
    DATABASE,
    INSERT_SETTINGS,
    AlertRow,
    EvaluationRow,
    FeedbackRow,
    InteractionRow,
    LabelRow,
)
from streams.clickhouse import connect

pytest.importorskip("chdb")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
IDS_OF_WHAT_IS_SAID = 10
"""The migration that tells the table of ids of labels, shadow pairs and alerts."""


class Database:
    """A server's tables, and the stories they tell."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.client: Client = connect(url)

    def insert(self, *rows: Any) -> None:
        table = f"{DATABASE}.{rows[0].TABLE}"
        lines = msgspec.json.Encoder().encode_lines(rows)
        self.client.raw_insert(table, insert_block=lines, fmt="JSONEachRow", settings=dict(INSERT_SETTINGS))

    def story(self, value: str, *kinds: Kind) -> Story:
        with asking(Path("/nonexistent"), self._url) as ask:
            found = story(ask, kinds or ["response_id"], value, json.loads)
        assert found is not None
        return found


@contextmanager
def served(directory: Path) -> Iterator[Database]:
    port = directory / "port"
    options = ["--path", str(directory / "data"), "--port", "0", "--port-file", str(port)]
    process = subprocess.Popen([sys.executable, "-m", "deploy.embedded.clickhouse", *options], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not port.exists():
            assert process.poll() is None, "the server has ended"
            assert time.monotonic() < until, "the server does not start"
            time.sleep(0.05)
        database = Database(f"http://127.0.0.1:{port.read_text().strip()}")
        yield database
        database.client.close()
    finally:
        process.terminate()
        assert process.wait(30) == 0


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """With all tables; tests keep apart by their ids."""
    with served(tmp_path_factory.mktemp("served")) as opened:
        migrate(opened.client)
        yield opened


def call(name: str, *, at: float = 0, **fields: Any) -> InteractionRow:
    defaults = {"session_id": f"s-{name}", "feature": "chat", "tenant": "acme"}
    return InteractionRow(
        time=NOON + timedelta(seconds=at), request_id=name, response_id=f"r-{name}", version=2, outcome="ok", **defaults | fields
    )


def opinion(event_id: str, at: float, **fields: Any) -> FeedbackRow:
    return FeedbackRow(time=NOON + timedelta(seconds=at), event_id=event_id, kind="thumbs_down", tenant="acme", **fields)


def label(name: str, version: int, label: str) -> LabelRow:
    return LabelRow(
        time=NOON + timedelta(seconds=1), label_id=f"l-{name}", response_id=f"r-{name}", version=version, label=label, score=0.2,
        tenant="acme", feature="chat",
    )  # fmt: skip


def pair(shadow: str, live: str) -> ShadowPairRow:
    return ShadowPairRow(
        time=NOON + timedelta(seconds=2), request_id=shadow, version=1, tenant="acme", feature="chat", variant="shadow",
        response_id=f"r-{shadow}", live_request_id=live, live_response_id=f"r-{live}",
    )  # fmt: skip


def alert(name: str, version: int, responses: Sequence[str]) -> AlertRow:
    return AlertRow(
        alert_id=name, version=version, fingerprint=name, name="RefusalRate", severity="ticket", status="firing",
        starts_at=NOON + timedelta(minutes=5), updated_at=NOON + timedelta(minutes=5 + version),
        labels={"feature": "chat"}, annotations={}, evidence=json.dumps({"response_ids": responses}),
    )  # fmt: skip


def test_a_response_of_a_session_with_thousands_of_opinions_shows_its_own(database: Database) -> None:
    # Given a session of which more is said than is shown: of its other answers, and of it as a whole
    session = {"session_id": "s-long"}
    many = 2 * MAX_RELATED + 200
    database.insert(call("long", **session), *(call(f"long-{n}", at=n, **session) for n in range(1, 4)))
    database.insert(
        *(opinion(f"f-other-{n}", n, response_id=f"r-long-{n % 3 + 1}", **session) for n in range(many)),
        *(opinion(f"f-whole-{n}", n, **session) for n in range(many)),
        # And opinions of one answer, given after all others
        opinion("f-own", many + 1, response_id="r-long", **session),
        opinion("f-own-by-request", many + 2, request_id="long", **session),
    )
    # When its story is told, then they are in it, and what was said of other answers is not
    told = database.story("r-long")
    [own] = told.calls
    assert [said["event_id"] for said in own["feedback"]] == ["f-own", "f-own-by-request"]
    assert {said["event_id"][:8] for said in told.session_feedback} == {"f-whole-"}


def test_all_that_was_said_of_a_response_is_in_its_story_in_its_newest_version(database: Database) -> None:
    # Given answers of one time and place, one of them with everything
    database.insert(call("all"), call("beside"), call("shadow", at=2, variant="shadow", shadow_of="all"))
    database.insert(EvaluationRow(time=NOON, event_id="e-all", response_id="r-all", name="helpfulness", score=0.7, tenant="acme"))
    database.insert(label("all", 1, "neutral"), label("beside", 1, "positive"))
    database.insert(label("all", 2, "negative"))
    database.insert(pair("shadow", "all"))
    database.insert(alert("al-shown", 1, ["r-all"]), alert("al-once", 1, ["r-all", "r-beside"]))
    database.insert(alert("al-once", 2, ["r-beside"]))
    # When the story is told
    told = database.story("r-all")
    # Then it has each thing once, as it is now, and nothing of its neighbour
    [own] = told.calls
    assert [said["event_id"] for said in own["evaluations"]] == ["e-all"]
    assert [(said["label"], said["version"]) for said in own["labels"]] == [("negative", 2)]
    assert [said["alert_id"] for said in own["alerts"]] == ["al-shown"]
    assert [said["request_id"] for said in own["shadow_pairs"]] == ["shadow"]
    assert "version" not in own["shadow_pairs"][0]
    assert own["feedback"] == told.session_feedback == told.absent == []
    # And the shadow knows of the pair too, the neighbour of its alert
    assert len(database.story("shadow", "request_id").calls[0]["shadow_pairs"]) == 1
    assert [said["alert_id"] for said in database.story("r-beside").calls[0]["alerts"]] == ["al-once"]


def test_ids_may_hold_any_characters(database: Database) -> None:
    name = 'it\'s \\ "50%" %(ids)s\n📦'
    database.insert(call(name, trace_id=f"t-{name}"))
    database.insert(opinion("f-any", 1, response_id=f"r-{name}"))
    told = database.story(f"r-{name}")
    assert [said["event_id"] for said in told.calls[0]["feedback"]] == ["f-any"]
    assert [step["request_id"] for step in told.steps] == [name]


def test_of_a_long_session_the_earliest_calls_are_shown_with_all_that_was_said(database: Database) -> None:
    session = {"session_id": "s-hundred"}
    database.insert(*(call(f"hundred-{n:03}", at=n, trace_id=f"t-{n}", **session) for n in range(130)))
    database.insert(*(opinion(f"f-hundred-{n}", 200, response_id=f"r-hundred-{n:03}", **session) for n in range(130)))
    told = database.story("s-hundred", "session_id")
    assert told.truncated
    assert [shown["request_id"] for shown in told.calls] == [f"hundred-{n:03}" for n in range(100)]
    assert all(len(shown["feedback"]) == 1 for shown in told.calls)
    assert len(told.steps) == 100


def test_an_older_database_says_what_it_cannot_tell_until_it_is_migrated(tmp_path: Path) -> None:
    with served(tmp_path) as database:
        # Given a database before labels, pairs and alerts were in the table of ids
        migrate(database.client, migrations()[: IDS_OF_WHAT_IS_SAID - 1])
        database.insert(call("old"))
        database.insert(opinion("f-old", 1, response_id="r-old"))
        database.insert(label("old", 1, "negative"))
        database.insert(pair("shadow", "old"))
        database.insert(alert("al-old", 1, ["r-old"]))
        # Then a story tells the rest and says so
        told = database.story("r-old")
        assert told.absent == ["labels", "shadow_pairs", "alerts"]
        assert [said["event_id"] for said in told.calls[0]["feedback"]] == ["f-old"]
        # When it is migrated, with a crash before the migration was recorded
        [migration] = [migration for migration in migrations() if migration.version == IDS_OF_WHAT_IS_SAID]
        for statement in migration.statements:
            database.client.command(statement)
        migrate(database.client)
        # Then what was there before is in the story, once, and so is what comes later
        database.insert(alert("al-new", 1, ["r-old"]))
        told = database.story("r-old")
        [own] = told.calls
        assert told.absent == []
        assert [len(own[name]) for name in ("feedback", "labels", "shadow_pairs")] == [1, 1, 1]
        assert [said["alert_id"] for said in own["alerts"]] == ["al-new", "al-old"]


@pytest.mark.parametrize(
    ("value", "kind", "calls"),
    [
        ("r-told", "response_id", ["told"]),
        ("told", "request_id", ["told"]),
        ("t-told", "trace_id", ["told", "told-next"]),
        ("s-told", "session_id", ["told", "told-next", "told-odd"]),
    ],
)
def test_an_id_is_of_the_first_kind_that_has_it(database: Database, value: str, kind: Kind, calls: list[str]) -> None:
    # Given calls of a session and a trace, and another session that is named like one of their answers
    session = {"session_id": "s-told"}
    database.insert(
        call("told", trace_id="t-told", **session),
        call("told-next", at=1, trace_id="t-told", **session),
        call("told-odd", at=2, **session),
        call("told-other", at=-5, session_id="r-told"),
    )
    # When it is asked for by an id alone, then that is taken to be of an answer first, of a session last
    found = database.story(value, *ANY_KIND)
    assert found.kind == kind
    assert [one["request_id"] for one in found.calls] == calls
