"""States that earlier versions wrote are read, or refused with what to do."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

import streams.checkpoint
from agents.alerts.lifecycle import Life, Shown
from agents.alerts.present import alert_of
from agents.alerts.settings import AlertSettings
from agents.budgets.recent import Recent, SavedLap
from agents.interactions.saved import SavedInteractions
from agents.interactions.state import InteractionsState
from schemas.events import Extra
from schemas.findings import Finding
from schemas.group_usage import UsagePart
from schemas.turns import Turns
from streams.checkpoint import ForeignState
from tests.unit.builders import EPOCH, context, moment, settings
from tests.unit.test_checkpoint_simulation import Cluster, Process, Worker
from tests.unit.test_state_conformance import content, held

AT = EPOCH.timestamp()
ASKED = {"event_id": "e1", "time": moment(0), "request_id": "r1", "tenant": "acme", "model": "gpt-4o"}
SAID = {"event_id": "e2", "time": moment(1), "request_id": "r2", "response_id": "a2", "status": "ok"}
ORIGIN = ["llm.responses", 0, 7, int(AT * 1000), None, None, []]


def piece(**fields: Any) -> bytes:
    """A piece as the version before wrote it: an array up to ``located``, an entry's second field the JSON of its unknown fields."""
    before = {
        "clocks": {"requests": AT}, "heads": [0, 0], "settled": [0, 0], "announced": [0, 0], "told": [0, False], "gone": [],
        "requests": [], "responses": [], "located": [],
    }  # fmt: skip
    return msgspec.msgpack.encode(list((before | fields).values()))


def restored(*pieces: bytes) -> InteractionsState:
    state = InteractionsState(0, context(settings(2)))
    for one in pieces:
        state.load(one)
    return state


def test_what_an_open_request_and_a_waiting_response_said_beyond_their_fields_is_kept() -> None:
    # Given the former shape: the JSON of the unknown fields, or nothing
    request = [ASKED, b'{"team":"blue"}', AT, 0, AT + 60, False, True]
    plain = [ASKED | {"event_id": "e3", "request_id": "r3"}, None, AT, 0, AT + 60, False, True]
    response = [SAID, b'{"region_hint":"eu"}', AT + 30, ORIGIN, True]
    # When it is loaded
    state = restored(piece(requests=[request, plain], responses=[response]))
    # Then the entries have today's shape, and are written in it
    saved = [msgspec.msgpack.decode(one, type=SavedInteractions) for one in state.snapshot()]
    extras = {entry.request.request_id: entry.extra for one in saved for entry in one.requests}
    assert extras == {"r1": Extra(b'{"team":"blue"}'), "r3": None}
    assert [entry.extra for one in saved for entry in one.responses] == [Extra(b'{"region_hint":"eu"}')]


def test_a_response_of_a_former_state_is_looked_for_no_more_and_holds_no_time_back() -> None:
    state = restored(piece(responses=[[SAID, None, AT + 30, ORIGIN, True]]))
    assert state._partition.strays.earliest == float("inf")


def test_what_is_of_no_known_shape_is_not_taken_for_a_former_one() -> None:
    with pytest.raises(msgspec.ValidationError):
        restored(piece(requests=[[{"request_id": 5}, b"{}", AT, 0, AT]]))


FORMER = json.loads((Path(__file__).parent / "former_states.json").read_text())
"""By agent, of one partition: the changes that the version of November 2026 wrote at its first
checkpoints, and the snapshot of a state that had read them; packed."""


@pytest.mark.parametrize("name", FORMER)
def test_what_an_agent_wrote_before_is_read_and_would_be_written_again(name: str) -> None:
    former = FORMER[name]
    changes, snapshot = (unpacked(former[what]) for what in ("changes", "snapshot"))
    today = without_lessons(snapshot) if name == "labels" else snapshot
    read = held(name, former["partition"], snapshot)
    assert held(name, former["partition"], changes) == read
    assert says(read, content(today))


def says(now: Any, then: Any) -> bool:
    """Whether every value that was said then is said now: a struct's new fields only add some."""
    return not leaves(then) - leaves(now)


def leaves(value: Any) -> Counter[str]:
    """Every single value, and how often it is there."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set):
        return sum(map(leaves, value), Counter())
    return Counter([repr(value)])


def test_what_is_said_no_more_is_noticed() -> None:
    assert says([1, [2, 3, "new"]], [1, [2, 3]])
    assert not says([1, [2]], [1, [2, 3]])
    assert not says([{"a": [1]}], [{"a": [2]}])


def without_lessons(pieces: list[bytes]) -> list[bytes]:
    """A state of ``labels`` without what it had learned: weights, which are learned anew, stand
    where counts and a slope stood, and what was about to be learned is passed over. Turns that wait
    have today's fields."""
    found = [msgspec.msgpack.decode(one) for one in pieces]
    assert any(one[8] for one in found), "it has some"
    for one in found:
        waiting = [msgspec.msgpack.decode(raw, type=Turns) for raw in one[4]]
        one[4] = [msgspec.msgpack.encode(message) for message in waiting]
    return [msgspec.msgpack.encode([4, *one[1:8], [], one[10]]) for one in found]


def unpacked(text: str) -> list[bytes]:
    return msgspec.msgpack.decode(zlib.decompress(b64decode(text)), type=list[bytes])


async def test_a_worker_refuses_a_foreign_state_and_says_what_to_do() -> None:
    streams.checkpoint.ProcessingTime = lambda longest_gap: SimpleNamespace(now=lambda: 0.0)  # type: ignore[assignment,misc]
    cluster = Cluster()
    first = Worker(cluster, Process())
    await first.own()
    writer = first.checkpointers["interactions"]._partitions[0].writer
    await writer.append({}, msgspec.msgpack.encode(["of another kind"]))
    with pytest.raises(ForeignState, match=r"interactions: another version .* partition 0.*docs/operations\.md"):
        await Worker(cluster, Process()).own()


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.checkpoint, "ProcessingTime", streams.checkpoint.ProcessingTime)


def test_an_alert_of_a_former_state_says_what_its_finding_says() -> None:
    # Given: a firing alert as it was kept before findings had facts, and lives a course
    finding = {"name": "Drift", "labels": {"feature": "f"}, "time": AT, "active": True, "summary": "answers differ", "action": "look"}
    before = ["drift", finding, AT, True, "firing", AT - 60, None, AT, None, False, [], [AT], None, 1, None, None, None]
    # When it is loaded and shown
    life = msgspec.msgpack.decode(msgspec.msgpack.encode(before), type=Life)
    alert = alert_of("f", life, Shown("ticket"), AlertSettings(language="pt"))
    # Then it has the words it had, and no facts that nobody found
    assert isinstance(life.finding, Finding) and life.course is None
    assert (alert.annotations["summary"], alert.annotations["action"]) == ("answers differ", "look")
    assert alert.labels == {"feature": "f"} and "facts" not in alert.evidence


def test_usage_that_was_kept_or_sent_before_it_said_where_it_is_from_is_read() -> None:
    lap = ["session#1", ["s1"], int(AT), 0, ["c", 0], 7, 2, 100, [0, 5], [[1, 2]], ["a1"]]
    recent = Recent("session#1", 600, 120)
    recent.load(msgspec.msgpack.decode(msgspec.msgpack.encode(lap), type=SavedLap), int(AT))
    ((saved,),) = ([*recent.all()],)
    assert (saved.requests, saved.callers, saved.dearest) == (2, (), (0, 0))
    part = [0, int(AT), ["session#1", ["s1"]], [2, 2, 0, 100, 0, 5, {1: 2}, [[5e-12, "a1"]], 0, 0], 0]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(part), type=UsagePart).usage.callers == {}
