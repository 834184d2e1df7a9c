"""What stage 1 tells of users: whose turns, which text, to whom, and up to when everything has been told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from agents.common.taps import Head
from agents.interactions.state import InteractionsState
from agents.labels.tap import PIECE, LabelsTap
from schemas.events import Feedback
from schemas.turns import MAX_TEXT, FeedbackSignal, Turn, Turns
from streams.effects import Effects
from tests.unit.builders import EPOCH, World, moment, request, response, settings

TURNS = "llm.internal.turns"


class Tapped(World):
    """Stage 1 whose messages for ``labels`` are kept."""

    def __init__(self) -> None:
        super().__init__(settings(3))
        self.context = replace(self.context, taps=(lambda: LabelsTap(TURNS, 3),))
        self.interactions = [InteractionsState(p, self.context) for p in range(3)]

    def told(self) -> list[tuple[int, Turns]]:
        """(partition, message) in the order in which they were sent."""
        found = []
        for (topic, partition), log in self.logs.logs.items():
            if topic == TURNS:
                found += [(partition, msgspec.msgpack.decode(record.value or b"", type=Turns)) for record in log]
        return found

    def turns(self) -> dict[str, Turn]:
        return {turn.request_id: turn for _, message in self.told() for turn in message.turns}

    def signals(self) -> list[tuple[int, FeedbackSignal]]:
        return [(partition, signal) for partition, message in self.told() for signal in message.signals]

    def call(self, n: int | str, at: float = 0.0, **fields: Any) -> None:
        self.publish("requests", request(n, at, **fields))
        self.publish("responses", response(n, at + 1, output="four"))


def user(text: object) -> list[dict[str, object]]:
    return [{"role": "system", "content": "be kind"}, {"role": "user", "content": text}]


def test_an_answered_call_of_a_user_is_a_turn_with_their_last_message() -> None:
    world = Tapped()
    further = [{"role": "assistant", "content": "hi"}, {"role": "user", "content": "and now?"}]
    world.call(1, messages=[*user("hello"), *further], user_id="ana")
    world.run()
    world.wait(30)
    [turn] = world.turns().values()
    assert turn == Turn(
        "r1", "a1", "s1", "default", "chat", "gpt-4o-2024-08-06", EPOCH.timestamp(), EPOCH.timestamp() + 1, "and now?", 4, "req-1",
    )  # fmt: skip
    assert {partition for partition, message in world.told() if message.turns} == {world.home("s1")}


def test_personal_data_do_not_leave_stage_1() -> None:
    world = Tapped()
    world.call(1, messages=user("meu CPF é 529.982.247-25, e o e-mail ana@example.com"))
    about = {"response_id": "a1", "session_id": "s1"}
    world.publish("feedback", {"event_id": "f", "time": moment(2), "kind": "comment", "comment": "write to ana@example.com", **about})
    world.run()
    world.wait(30)
    said = world.turns()["r1"].question + world.signals()[0][1].comment
    assert "529" not in said and "ana@" not in said and "<CPF:" in said and said.count("<EMAIL:") == 2


@pytest.mark.parametrize(
    ("content", "question"),
    [
        ([{"type": "text", "text": "what is"}, {"type": "image_url", "url": "x"}, {"type": "text", "text": "this?"}], "what is this?"),
        ("x" * 5_000, "x" * MAX_TEXT),
        (None, ""),
    ],
)  # fmt: skip
def test_questions_in_parts_and_long_ones(content: object, question: str) -> None:
    world = Tapped()
    world.call(1, messages=user(content))
    world.run()
    world.wait(30)
    assert world.turns()["r1"].question == question


@pytest.mark.parametrize(
    "fields",
    [
        {"variant": "shadow"},
        {"operation": "embeddings"},
        {"operation": "execute_tool"},
        {"messages": [*user("hello"), {"role": "tool", "content": "42"}]},
    ],
)
def test_what_no_user_asked_or_saw_is_no_turn(fields: dict[str, Any]) -> None:
    world = Tapped()
    world.call(1, **{"messages": user("hello"), **fields})
    world.run()
    world.wait(30)
    assert world.turns() == {}


def test_a_signal_without_a_session_goes_to_all_partitions_and_one_with_a_session_to_its_own() -> None:
    world = Tapped()
    for n, of in enumerate(({"session_id": "s1"}, {"response_id": "a1"})):
        world.publish("feedback", {"event_id": f"f{n}", "time": moment(n), "kind": "copy", **of})
    world.run()
    world.wait(30)
    assert sorted((signal.event_id, partition) for partition, signal in world.signals()) == [
        ("f0", world.home("s1")), ("f1", 0), ("f1", 1), ("f1", 2),
    ]  # fmt: skip


def test_many_turns_are_sent_in_pieces_of_which_the_last_moves_the_clock() -> None:
    tap, effects = LabelsTap(TURNS, 1), Effects()
    for n in range(2 * PIECE + 1):
        tap.feedback(Feedback(event_id=f"f{n}", time=EPOCH, kind="copy", session_id="s"), b"{}")
    tap.close(Head("test", 0, 100.0, False, 90.0), False, effects)
    sent = [msgspec.msgpack.decode(message.value, type=Turns) for message in effects.messages]
    assert [(len(message.signals), message.clock) for message in sent] == [(PIECE, 0.0), (PIECE, 0.0), (1, 90.0)]


def test_the_clock_does_not_pass_an_event_that_another_partition_still_has_to_forward() -> None:
    """given a request in a wrong partition that is read later than all others, then no message says more than what was told before it."""
    world = Tapped()
    home = world.home("s1")
    wrong = (home + 1) % 3
    world.publish("requests", request(1, 5.0, messages=user("hello")), "s1", partition=wrong)
    world.publish("responses", response(1, 6.0), "s1")
    for n in range(100, 160):
        world.call(n, 10.0 * (n - 100), messages=user("hi"))
    behind = [tp for tp in world.inputs if tp == ("llm.requests", wrong)]
    for tp in [tp for tp in world.inputs if tp not in behind]:
        world.step(*tp)
    for state in world.interactions:
        effects = Effects()
        state.close_interval(effects)
        world._do(lambda into, effects=effects: into.messages.extend(effects.messages))
    world.run()
    world.wait(30)
    clock = 0.0
    for partition, message in world.told():
        if partition != home:
            continue
        for turn in message.turns:
            assert turn.request_id != "r1" or clock <= turn.ended
        clock = max(clock, message.clock)
    assert "r1" in world.turns() and clock > EPOCH.timestamp() + 500
