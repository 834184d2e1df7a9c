"""Bursts of attempts and the first personal data of a feature: what the agent `guards` makes of what stage 1 saw."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from builders import SOURCE, FakeBatch, Record
from hypothesis import given
from hypothesis import strategies as st

from agents.guards.seen import Appeared, Attempted, AttemptsKey, PiiPlace, Seen
from agents.guards.settings import GuardSettings, guard_settings
from agents.guards.state import SECONDS, GuardsState
from schemas.findings import Finding, Findings
from streams.effects import Effects
from tests.unit.said import said

START = 1_788_739_200.0
ANA = AttemptsKey("user", "acme", "ana")
MANUAL = AttemptsKey("document", "acme", "kb-7")


def new_state(sources: int = 1, **settings: Any) -> GuardsState:
    return GuardsState(0, SOURCE, "llm.internal.findings", GuardSettings(**settings), sources)


def attempt(n: int, at: float, key: AttemptsKey = ANA, by: str = "ana") -> Attempted:
    return Attempted(key, START + at, f"r{n}", f"a{n}", "chat", by)


def batch(*messages: Seen | bytes) -> FakeBatch:
    values = [m if isinstance(m, bytes) else msgspec.msgpack.encode(m) for m in messages]
    return FakeBatch("llm.internal.guarded", 0, [Record("llm.internal.guarded", 0, n, 0, None, v, ()) for n, v in enumerate(values)], 0)


def seen(clock: float, attempted: Iterable[Attempted] = (), appeared: Iterable[Appeared] = (), partition: int = 0) -> Seen:
    return Seen(SOURCE, partition, START + clock, False, list(attempted), list(appeared))


def findings(effects: Effects) -> list[Finding]:
    return [f for m in effects.messages for f in msgspec.msgpack.decode(m.value, type=Findings).findings]


def fed(state: GuardsState, *messages: Seen | bytes) -> list[Finding]:
    effects = Effects()
    for message in messages:
        state.apply(batch(message), effects)
    return findings(effects)


def clocks(last: float, first: float = 0.0) -> list[Seen]:
    return [seen(float(at)) for at in range(int(first), int(last) + 1, SECONDS)]


def test_a_burst_of_one_user_is_told_of_while_it_lasts_and_once_when_it_is_over() -> None:
    state = new_state()
    found = fed(state, seen(60, [attempt(n, n) for n in range(4)]))
    assert found == []  # four are not enough
    found = fed(state, seen(120, [attempt(4, 70)]), *clocks(900, 120))
    told, ends = [f for f in found if f.active], [f for f in found if not f.active]
    first = told[0]
    assert (first.name, first.labels, first.severity) == ("PromptInjection", {"tenant": "acme", "user": "ana"}, "ticket")
    assert first.since == START and first.time == START + 90 and first.value == 5.0 and first.threshold == 5.0
    assert first.response_ids == ["a0", "a1", "a2", "a3", "a4"] and "mirante kill user:ana" in said(first)["action"]
    assert len(ends) == 1 and START + 600 <= ends[0].time <= START + 660


def test_before_anything_was_read_nothing_is_said() -> None:
    effects = Effects()
    new_state(sources=2).apply(batch(Seen(SOURCE, 0, 0.0, True, [], [])), effects)
    assert not effects.messages


def test_a_document_that_many_retrieve_is_named_with_how_many_users() -> None:
    found = fed(new_state(), seen(60, [attempt(n, n, MANUAL, f"user-{n}") for n in range(6)]))
    assert found and all(f.active and f.labels == {"tenant": "acme", "document": "kb-7"} for f in found)
    assert found[0].users == 6 and "index" in said(found[0])["action"]


def test_attempts_spread_over_time_or_users_are_no_burst() -> None:
    spread = [attempt(n, n * 200) for n in range(10)]
    others = [attempt(100 + n, n, AttemptsKey("user", "acme", f"u{n}")) for n in range(20)]
    assert fed(new_state(), seen(0, [*spread, *others]), *clocks(3000)) == []


def test_one_call_counts_once_however_often_it_is_told() -> None:
    state = new_state()
    assert fed(state, seen(60, [attempt(1, 1)] * 9), *[seen(90 + 30 * n, [attempt(1, 1)]) for n in range(9)]) == []


def test_the_first_personal_data_of_a_kind_and_direction_is_told_of_once() -> None:
    answer, question = PiiPlace("acme", "chat", "answer", "CPF"), PiiPlace("acme", "chat", "question", "CPF")
    state = new_state()
    found = fed(
        state, seen(60, (), [Appeared(answer, START + 9, "late"), Appeared(answer, START + 2, "a1"), Appeared(question, START, "q1")])
    )
    assert [(f.labels["direction"], f.active, f.severity) for f in found if f.active] == [
        ("question", True, "info"),
        ("answer", True, "ticket"),
    ]
    assert [f.response_ids for f in found if f.active] == [["q1"], ["a1"]]
    assert sum(not f.active for f in found) == 2
    assert fed(state, seen(120, (), [Appeared(answer, START + 100, "a9")]), *clocks(300, 120)) == []


def test_a_span_waits_for_every_source_and_bad_input_is_a_dead_letter() -> None:
    state, effects = new_state(sources=2), Effects()
    assert fed(state, seen(60, [attempt(n, n) for n in range(5)])) == []
    assert len(fed(state, seen(31, partition=1))) == 1
    state.apply(batch(b"\xc1"), effects)
    assert [letter.stage for letter in effects.letters] == ["guards"]


@given(st.randoms(), st.integers(1, 4))
def test_the_order_and_grouping_of_messages_do_not_show(rng: random.Random, sources: int) -> None:
    items = [attempt(n, rng.randint(0, 500), rng.choice([ANA, MANUAL])) for n in range(30)]
    whole = fed(new_state(attempts=4), seen(600, items), *clocks(1500, 600))
    state, parts = new_state(sources, attempts=4), []
    shuffled = items.copy()
    rng.shuffle(shuffled)
    for item in shuffled:
        parts.append(Seen(SOURCE, rng.randrange(sources), START, False, [item]))
    ends = [seen(float(at), partition=p) for at in range(0, 1530, SECONDS) for p in range(sources)]
    assert fed(state, *parts, *ends) == whole


@pytest.mark.parametrize("whole", [False, True], ids=["changes", "snapshot"])
def test_a_state_that_is_loaded_goes_on_as_if_nothing_had_happened(whole: bool) -> None:
    place = Appeared(PiiPlace("acme", "chat", "answer", "CPF"), START + 61, "a1")
    first = [seen(60, [attempt(n, n * 15) for n in range(5)]), seen(65, [attempt(9, 61)], [place])]
    then = [seen(95, [attempt(1, 15)], [place]), *clocks(1500, 120)]
    kept, stored = new_state(), new_state()
    pieces: list[bytes] = []
    for message in first:
        fed(kept, message)
        fed(stored, message)
        if (piece := stored.changes()) is not None:
            pieces.append(piece)
    loaded = new_state()
    for piece in [*stored.snapshot()] * 2 if whole else [p for p in pieces for _ in range(2)]:
        loaded.load(piece)
    assert loaded.changes() is None
    assert fed(loaded, *then) == fed(kept, *then)
    assert loaded.gauges() == kept.gauges()


def test_memory_is_bounded_and_who_gives_way_is_withdrawn() -> None:
    state = new_state(max_keys=100)
    found = fed(state, seen(30, [attempt(n, n) for n in range(5)]))
    assert [f.active for f in found] == [True]
    crowd = [attempt(1000 + n, 31 + n / 100, AttemptsKey("user", "acme", f"u{n}")) for n in range(500)]
    found = fed(state, seen(60, crowd))
    assert state.gauges()["guard_bursts"] == 100
    assert [f.labels["user"] for f in found if not f.active] == ["ana"]


def test_what_waits_for_a_slow_source_is_bounded_too() -> None:
    state, effects = new_state(sources=2, max_keys=100), Effects()
    crowd = [attempt(n, n / 10, AttemptsKey("user", "acme", f"u{n % 70}")) for n in range(3000)]
    state.apply(batch(seen(300, crowd)), effects)
    assert state.gauges()["guard_pending"] <= 1000
    assert effects.counts["guards_closed_early", ""] > 0 and {f.labels["user"] for f in findings(effects)} >= {"u0", "u1"}


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(ValueError, match=r"\[guards\].*atempts"):
        guard_settings({"atempts": 3})
