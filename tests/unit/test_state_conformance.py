"""What streams/state.py asks of the state of an agent, of every agent of a worker.

Each is given what it gets from demo traffic (tests/unit/tapes.py): in other batches, restored from
what it has saved, and with a crash after every single thing that it does. What it writes must be
the same.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, zip_longest
from math import inf
from typing import Any

import msgspec
import pytest

from schemas.findings import Findings
from schemas.opinions import JudgedUpTo
from streams.effects import Effects
from streams.state import PartitionState
from tests.unit.tapes import (
    Read,
    Step,
    Tape,
    begin,
    do,
    intervals,
    proceed,
    record,
    recut,
    tape_agents,
    topics,
)
from tests.unit.test_every_agent_simulation import PARTITIONS, EveryTable

NAMES = sorted(tape_agents())
every_agent = pytest.mark.parametrize("name", NAMES)
Pieces = list[bytes]


# What can be seen of a state


def written(effects: Iterable[Effects], *, clocks: bool = True) -> dict[str, Any]:
    """What is there once effects are carried out: of rows and messages with one identity the last.
    How findings were divided among messages does not count. ``clocks``: whether it counts how far
    others were told that the agent is."""
    tables, said, letters, names = (
        EveryTable(),
        defaultdict[Any, dict[Any, Any]](dict),
        {},
        topics(),
    )
    public = {
        names.alerts,
        names.labels,
        names.controls,
        names.judge_tasks,
        names.switches,
        names.requests,
        names.responses,
    }
    reached: dict[tuple[str, int], float] = {}
    for one in effects:
        for table, lines in one.rows.items():
            tables.insert(table, lines)
        for letter in one.letters:
            letters[letter.topic, letter.partition, letter.offset] = letter
        for topic, partition, key, value, headers in one.messages:
            clock: float | None = 0.0
            if topic == names.findings:
                findings = msgspec.msgpack.decode(value, type=Findings)
                clock = findings.clock
                said[topic] |= dict.fromkeys(map(msgspec.msgpack.encode, findings.findings))
            elif topic == names.satisfaction:
                judged = msgspec.msgpack.decode(value, type=JudgedUpTo)
                clock = None if judged.rests else judged.clock
                said[topic] |= {
                    (partition, window.window, window.series): window for window in judged.windows
                }
            elif topic in public:
                said[topic][partition, key, value, tuple(headers)] = None
            reached[topic, partition] = (
                inf if clock is None else max(clock, reached.get((topic, partition), 0.0))
            )
    return {
        "rows": tables.shown(),
        "said": {topic: found for topic, found in said.items() if found},
        "letters": letters,
        "reached": reached if clocks else {},
    }


def exactly(effects: Effects) -> tuple[Any, ...]:
    """Everything that effects are, to be compared."""
    messages = [
        message._replace(value=_NONCE.sub(b"", message.value)) for message in effects.messages
    ]
    return messages, dict(effects.rows), effects.letters, dict(effects.counts)


_NONCE = re.compile(rb'"nonce":"\w+"')
"""By which stage 1 tells its states apart; no two are the same."""


def content(pieces: Iterable[bytes]) -> Any:
    """What pieces hold, field by field, in whatever order and however it is divided among them."""
    whole = []
    for values in zip_longest(*map(msgspec.msgpack.decode, pieces), fillvalue=()):
        lists = chain.from_iterable(value for value in values if isinstance(value, list))
        others = {
            repr(value) for value in map(_in_order, values) if not isinstance(value, list | tuple)
        }
        whole.append((_in_order(list(lists)), others))
    return whole


def _in_order(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(map(_in_order, value), key=repr)
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return value


# What is done with it


def tapes(name: str) -> Iterator[tuple[int, Tape]]:
    return (
        (partition, tape) for partition in range(PARTITIONS) if (tape := record()[name, partition])
    )


def new(name: str, partition: int, pieces: Iterable[bytes] = ()) -> PartitionState:
    """A new state, with what was written before."""
    state = tape_agents()[name].new_state(partition)
    for piece in pieces:
        state.load(piece)
    return state


def changes_of(state: PartitionState) -> Pieces:
    """One piece, or none."""
    return [piece for piece in [state.changes()] if piece is not None]


def saved(state: PartitionState) -> Pieces:
    return list(state.snapshot())


def play(state: PartitionState, steps: Iterable[Step]) -> Effects:
    effects = Effects()
    for step in steps:
        do(state, step, effects)
    return effects


def played(state: PartitionState, tape: Iterable[Step]) -> dict[str, Any]:
    """What a state writes, given a tape, with its checkpoints."""
    effects = []
    for steps in intervals(tape):
        effects.append(play(state, steps))
        state.changes()
    return written(effects)


# The tapes


def test_every_agent_gets_something_and_has_something_to_say() -> None:
    """Else what follows would show nothing of it."""
    for name in NAMES:
        seen = [(tape, played(new(name, partition), tape)) for partition, tape in tapes(name)]
        reads = [step for tape, _ in seen for step in tape if isinstance(step, Read)]
        assert sum(len(step.records) for step in reads) > 50, name
        assert any(what["said"] or any(what["rows"].values()) for _, what in seen), name


# The properties


@every_agent
@pytest.mark.parametrize("size", ["one", "some", "all"])
def test_how_batches_are_cut_does_not_matter(name: str, size: str) -> None:
    rng = random.Random(3)
    sizes = {"one": lambda: 1, "some": lambda: rng.randint(1, 7), "all": lambda: 1_000_000}
    for partition, tape in tapes(name):
        one, other = new(name, partition), new(name, partition)
        assert played(other, recut(tape, sizes[size])) == played(one, tape)
        assert content(other.snapshot()) == content(one.snapshot())


def twice(pieces: Pieces) -> Pieces:
    return [piece for piece in pieces for _ in range(2)]


def held(name: str, partition: int, pieces: Pieces) -> Any:
    """What a worker holds that has read ``pieces``, as one does that reads its snapshot: a state
    may drop what nothing can come of any more only when it is loaded."""
    return content(new(name, partition, new(name, partition, pieces).snapshot()).snapshot())


BEHIND = {
    "controls": "the clock is saved once a minute, and goes on with the next record or tick",
    "otlp": "that the body of a span is not needed any more is told by its age",
    "interactions": "usage that has been sent, of which nothing more is expected",
}
"""Agents whose changes may say less than a snapshot, and what: they do the same all the same."""

COUNTS_REPEATS = {
    "interactions": "ids that are read twice are subtracted from the number of those before them"
}
"""Agents that hold something else when they have read their changes twice, and do the same."""


@every_agent
def test_what_changed_adds_up_to_a_snapshot_and_twice_is_as_once(name: str) -> None:
    for partition, tape in tapes(name):
        living, changes = new(name, partition), Pieces()
        for number, steps in enumerate(intervals(tape)):
            play(living, steps)
            changes += changes_of(living)
            if number % 9:
                continue
            snapshot = saved(living)
            whole = held(name, partition, snapshot)
            assert held(name, partition, twice(snapshot)) == whole
            if name not in COUNTS_REPEATS:
                assert held(name, partition, twice(changes)) == held(name, partition, changes)
            if name not in BEHIND:
                assert held(name, partition, changes) == whole


LEARNS_FIELDS = {"anomaly": "the sums of a season that has just begun are written with all fields"}
"""Agents that write the same otherwise when they have been restored."""

SAVES_AT_ONCE = {"interactions"}
"""Agents that write their clocks again when they are restored."""

Log = Callable[[Pieces, Pieces], Pieces]
"""Of all changes and the snapshot after them, what a worker finds."""


def changes_after_a_snapshot(changes: Pieces, snapshot: Pieces) -> Pieces:
    """Every few checkpoints a snapshot takes the place of all that was before."""
    return snapshot if len(changes) > 6 else changes


LOGS: dict[str, Log] = {
    "changes": lambda changes, snapshot: changes,
    "changes twice": lambda changes, snapshot: twice(changes),
    "a snapshot": lambda changes, snapshot: snapshot,
    "a snapshot twice": lambda changes, snapshot: twice(snapshot),
    "changes after a snapshot": changes_after_a_snapshot,
}


@every_agent
@pytest.mark.parametrize("log", LOGS.values(), ids=LOGS)
def test_a_state_that_is_restored_has_nothing_to_save_and_goes_on_as_the_one_that_wrote_it(
    name: str, log: Log
) -> None:
    for partition, tape in tapes(name):
        living, changes, pieces = new(name, partition), Pieces(), Pieces()
        for number, steps in enumerate(intervals(tape)):
            expected = play(living, steps)
            changed = changes_of(living)
            if number % 3 == 0:
                restored = new(name, partition, pieces)
                assert not pieces or name in SAVES_AT_ONCE or restored.changes() is None
                found = play(restored, steps)
                assert written([found], clocks=False) == written([expected], clocks=False)
                if name not in BEHIND and name not in LEARNS_FIELDS:
                    assert content(changes_of(restored)) == content(changed)
            changes += changed
            pieces = log(changes, saved(living))
            changes = pieces if log is changes_after_a_snapshot else changes


@every_agent
def test_a_snapshot_changes_nothing(name: str) -> None:
    for partition, tape in tapes(name):
        one, other = new(name, partition), new(name, partition)
        for steps in intervals(tape):
            effects, look = Effects(), partial(saved, other)
            for step in steps:
                do(other, step, effects, between=look)
                assert look() == look()
            assert exactly(effects) == exactly(play(one, steps))
            assert other.changes() == one.changes()


@every_agent
@pytest.mark.parametrize("batch", [1, 1_000])
def test_a_crash_after_every_record_and_every_piece_of_work_does_not_show(
    name: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each of them a checkpoint is taken, and another worker goes on from it. Before every
    second one another worker has died that had done the same."""
    expected = {partition: played(new(name, partition), tape) for partition, tape in tapes(name)}
    for least in ("drift.state.AT_A_TIME", "otlp.state.PIECE"):
        monkeypatch.setattr(f"agents.{least}", 1)
    for partition, tape in tapes(name):
        state, pieces, effects = new(name, partition), Pieces(), list[Effects]()
        for number, step in enumerate(recut(tape, lambda: batch)):
            if number % 2:
                play(new(name, partition, pieces), [step])
            now = Effects()
            begin(state, step, now)
            more = True
            while more:
                state.close_interval(now)
                pieces += changes_of(state)
                if len(pieces) > 8:
                    pieces = saved(state)
                effects.append(now)
                state, now = new(name, partition, pieces), Effects()
                more = proceed(state, now)
            effects.append(now)
        assert written(effects) == expected[partition]
