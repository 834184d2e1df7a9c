"""What every agent of a worker gets: recorded once from demo traffic, to be played to new states.

A *tape* is what one partition of one agent reads, with the moments at which time passes and a
checkpoint is taken. ``record`` runs all agents over a model of the broker, each reading what those
before it have written; ``do`` gives a step of a tape to a state.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from deploy.registry import agents as registered
from deploy.traffic.demo import demo
from streams.agent import Agent
from streams.checkpoint import SILENT_AFTER
from streams.effects import Effects
from streams.partitioner import partition_of
from streams.settings import Settings
from streams.state import InPieces, PartitionState
from streams.topics import Topics
from tests.replays import STYLES, TOPICS
from tests.unit.builders import (
    EPOCH,
    SOURCE,
    FakeBatch,
    Json,
    Logs,
    Record,
    moment,
    request,
    response,
)
from tests.unit.test_every_agent_simulation import PARTITIONS, SETTINGS, Place, history, traced

NARROW = {
    "anomaly": {"max_series": 4, "settle": 5.0},
    "guards": {**SETTINGS.guards, "window": 60.0},
    "drift": {"max_series": 3},
    "topics": {**SETTINGS.topics, "max_topics": 12, "per_feature": 10, "merge": 0.7, "fade": 120.0},
    "watch": [
        *SETTINGS.watch,
        {
            "name": "style",
            "field": "bullets",
            "interval": 30,
            "detector": "river:drift.binary.HDDMA",
            "parameters": {"drift_confidence": 0.3},
        },
    ],
    "labels": {
        **SETTINGS.labels,
        "sessions": 20,
        "turns": 8,
        "series": 6,
        "settle": 2.0,
        "judged_after": 10.0,
        "false_alarms": 10.0,
    },
}
"""So narrow that things give way, and are not there any more when the state is read back."""

REQUESTS = 160
"""Of the demo's traffic: some minutes of it."""
DECLINE = 360
"""Calls of a feature that gets worse, one a second."""
ROUND = 5.0
"""Seconds of event time after which everybody reads what there is, and takes a checkpoint."""
SILENCE = 45
"""Rounds after the last event."""


class Read(NamedTuple):
    """Records of one topic, which follow each other."""

    records: tuple[Record, ...]


class Tick(NamedTuple):
    """Processing time has come to ``now``. ``silent``: topic -> seconds since its last record."""

    now: float
    silent: dict[str, float]


class Checkpoint(NamedTuple):
    """What has happened becomes durable."""


Step = Read | Tick | Checkpoint
Tape = list[Step]


@cache
def tape_settings() -> Settings:
    return SETTINGS.model_copy(update=NARROW)


@cache
def tape_agents() -> dict[str, Agent]:
    """Every agent of a worker with everything switched on, by name."""
    return {agent.name: agent for agent in registered(tape_settings(), SOURCE)}


def _traffic() -> list[Place]:
    """Demo traffic, and calls, attempts and traces that make every agent say something."""
    epoch = EPOCH.timestamp()
    rng = random.Random(2)
    places = history(rng, with_spans=True)
    places += [place for n in range(100, 112) for place in traced(n, 10.0 * (n - 100), rng)]
    for event in demo(start=EPOCH, rate=1.0, count=REQUESTS):
        key = event.key or b""
        places.append(
            Place(
                event.time - epoch,
                f"llm.{event.topic}",
                event.value,
                key,
                partition_of(key, PARTITIONS),
            )
        )
    return sorted([*places, *_decline()], key=lambda place: place.at)


def _decline() -> Iterator[Place]:
    """A feature whose answers change their style, please no more, and then fail."""

    def place(kind: str, at: float, event: Json) -> Place:
        key = str(event["session_id"]).encode()
        return Place(
            at, f"llm.{kind}", msgspec.json.encode(event), key, partition_of(key, PARTITIONS)
        )

    for n in range(DECLINE):
        at, is_bad, who = (
            1.0 * n,
            5 * n > 2 * DECLINE,
            {"session_id": f"decline{n}", "tenant": "acme"},
        )
        topic = TOPICS[n % len(TOPICS)]
        yield place(
            "requests",
            at,
            request(
                f"d{n}", at, feature="decline", messages=[{"role": "user", "content": topic}], **who
            ),
        )
        failed = (
            {"status": "error", "error": {"type": "server_error"}}
            if 3 * n > 2 * DECLINE and n % 3
            else {}
        )
        said = STYLES["lists" if is_bad else "plain"].format(topic=topic)
        yield place(
            "responses",
            at + 0.5,
            response(f"d{n}", at + 0.5, output=said, bullets=is_bad, **who, **failed),
        )
        thumb = {
            "event_id": f"thumb{n}",
            "kind": "thumbs_down" if is_bad else "thumbs_up",
            "response_id": f"ad{n}",
        }
        yield place("feedback", at + 1.0, {**thumb, "time": moment(at + 1.0), **who})


class _Recorder:
    """One partition of an agent, which notes what it is given."""

    def __init__(self, agent: Agent, partition: int) -> None:
        self.agent, self.partition = agent, partition
        self.state = agent.new_state(partition)
        self.tape: Tape = []
        self.read = dict.fromkeys(agent.inputs, 0)
        self.heard = dict.fromkeys(agent.inputs, 0.0)

    def take(self, logs: Logs, now: float, effects: Effects) -> bool:
        """Read everything there is; whether there was anything."""
        some = False
        for topic in self.agent.inputs:
            batch = logs.batch(topic, self.partition, self.read[topic])
            if batch.records and topic not in self.state.ahead():
                step = Read(tuple(batch.records))
                self.read[topic], self.heard[topic], some = batch.next_offset, now, True
                self.tape.append(step)
                do(self.state, step, effects)
        return some

    def pause(self, now: float, effects: Effects) -> None:
        silent = {
            topic: now - heard for topic, heard in self.heard.items() if now - heard > SILENT_AFTER
        }
        for step in (Tick(now, silent), Checkpoint()):
            self.tape.append(step)
            do(self.state, step, effects)
        self.state.changes()


@cache
def record() -> dict[tuple[str, int], Tape]:
    """The tapes of all agents, by name and partition."""
    logs, places, epoch = Logs(), _traffic(), EPOCH.timestamp()
    recorders = [_Recorder(agent, p) for agent in tape_agents().values() for p in range(PARTITIONS)]
    at, rounds_left = 0.0, SILENCE
    while places or rounds_left:
        at += ROUND
        while places and places[0].at <= at:
            place = places.pop(0)
            stamp = int((epoch + place.at) * 1_000)
            logs.append(place.topic, place.partition, place.value, key=place.key, timestamp=stamp)
        rounds_left -= not places
        some = True
        while some:
            some = False
            for one in recorders:
                effects = Effects()
                some |= one.take(logs, at, effects)
                _publish(effects, logs, at)
        for one in recorders:
            effects = Effects()
            one.pause(at, effects)
            _publish(effects, logs, at)
    return {(one.agent.name, one.partition): one.tape for one in recorders}


def _publish(effects: Effects, logs: Logs, at: float) -> None:
    stamp = int((EPOCH.timestamp() + at) * 1_000)
    for topic, partition, key, value, headers in effects.messages:
        logs.append(topic, partition, value, key=key, headers=headers, timestamp=stamp)


# Playing


def do(
    state: PartitionState,
    step: Step,
    effects: Effects,
    between: Callable[[], object] = lambda: None,
) -> None:
    """One step, with all the work it makes. ``between``: called between the pieces of the work."""
    begin(state, step, effects)
    while proceed(state, effects):
        between()


def begin(state: PartitionState, step: Step, effects: Effects) -> None:
    match step:
        case Read(records):
            first, last = records[0], records[-1]
            batch = FakeBatch(first.topic, first.partition, records, last.offset + 1)
            state.apply(batch, effects)
        case Tick(now, silent):
            state.tick(now, silent, effects)
        case Checkpoint():
            state.close_interval(effects)


def proceed(state: PartitionState, effects: Effects) -> bool:
    """A piece of the work that steps have made; whether there is more."""
    return isinstance(state, InPieces) and state.proceed(effects)


def intervals(tape: Iterable[Step]) -> Iterator[list[Step]]:
    """A tape cut after its checkpoints."""
    steps: list[Step] = []
    for step in tape:
        steps.append(step)
        if isinstance(step, Checkpoint):
            yield steps
            steps = []


def recut(tape: Sequence[Step], size: Callable[[], int]) -> Tape:
    """The same records in other batches, of ``size()`` at most, across what were batches."""
    cut: Tape = []
    run: list[Record] = []

    def flush() -> None:
        while run:
            count = size()
            cut.append(Read(tuple(run[:count])))
            del run[:count]

    for step in tape:
        if not isinstance(step, Read):
            flush()
            cut.append(step)
            continue
        if run and run[0].topic != step.records[0].topic:
            flush()
        run.extend(step.records)
    flush()
    return cut


def topics() -> Topics:
    return Topics.of(tape_settings())
