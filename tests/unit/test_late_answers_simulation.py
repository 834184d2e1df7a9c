"""Answers of the next hours and days, wrong clocks, repeats and crashes: every call is counted once, with its answer.

Records are written while workers read, die and read again, so that an answer meets its request now before that is closed, now after it.
Every run is a function of its seed; ``run(seed)`` repeats it. ``MIRANTE_SIMULATIONS=5000`` tries so many seeds.
"""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import replace
from types import SimpleNamespace
from typing import NamedTuple

import msgspec
import pytest

import streams.changelog
import streams.checkpoint
from streams.partitioner import partition_of
from tests.unit.builders import EPOCH, Json, context, request, response, settings, without
from tests.unit.test_checkpoint_simulation import PARTITIONS, Cluster, Died, Process, Worker, check

RUNS = int(os.environ.get("MIRANTE_SIMULATIONS", "80"))
PARTS = 4
HOUR, DAY = 3_600.0, 86_400.0


class Record(NamedTuple):
    """``at``: when it is written, in seconds after EPOCH. ``created``: what Kafka holds of that."""

    at: float
    created: float
    kind: str
    event: Json
    key: bytes
    partition: int


def traffic(rng: random.Random) -> tuple[list[Record], list[Json]]:
    """What is written, in order, and the requests and responses that count."""
    records: list[Record] = []
    counted: list[Json] = []

    def write(kind: str, at: float, event: Json, host: float) -> None:
        key = (event.get("session_id") or event["request_id"]).encode()
        home = partition_of(key, PARTITIONS)
        record = Record(at, at + host, kind, event, key, home if rng.random() < 0.6 else rng.randrange(PARTITIONS))
        records.append(record)
        counted.append(event)
        while rng.random() < 0.2:  # a retry, under another key
            later, partition = rng.choice([0.0, 5.0, 60.0]), rng.randrange(PARTITIONS)
            records.append(record._replace(at=at + later, created=record.created + later, partition=partition))

    begin, brief = 0.0, rng.random() < 0.5
    steps, waits = ([0.0, 0.5, 1.0], [0.5, 5.0, 20.0]) if brief else ([0.0, 1.0, 30.0, HOUR / 2], [0.5, 20.0, 2 * HOUR, 30 * HOUR])
    for n in range(rng.randint(4, 10)):
        begin += rng.choice(steps)
        asked_at, wait, clock, host = begin, rng.choice(waits), 0.0, 0.0
        said_at = begin + wait
        odd = rng.random()
        if odd < 0.25 or (brief and n < 2):  # both are written a day later than they say
            clock = -DAY
        elif odd < 0.35:  # the answer is written hours later than it says
            said_at += 3 * HOUR
        elif odd < 0.45:
            clock, host = rng.choice([(-HOUR, -HOUR), (-DAY, -DAY), (-HOUR, 0.0), (HOUR, 0.0)])
        elif odd < 0.55:  # the answer is written first
            asked_at, wait = begin + rng.choice([0.5, 20.0]), 0.0
            said_at = begin
        session, model = rng.choice([None, "sA", "sB", "sC"]), rng.choice([None, "gpt-4o-mini"])
        asked = request(n, begin + clock, session_id=session, timeout_ms=rng.choice([1, 15_000]))
        said = response(n, begin + wait + clock, session_id=session, model=model)
        write("requests", asked_at, without(asked, *(["session_id"] if session is None else [])), host)
        if rng.random() < 0.9:
            write("responses", said_at, without(said, *(["session_id"] if session is None or rng.random() < 0.3 else [])), host)
    last = max(record.at for record in records)
    for n in range(40 if brief else 16):  # time goes on
        at, session = rng.uniform(0.0, last + (10.0 if brief else HOUR)), rng.choice(["sA", "sB", "sC", "sD"])
        write("requests", at, request(f"x{n}", at, session_id=session), 0.0)
        write("responses", at, response(f"x{n}", at, session_id=session), 0.0)
    return sorted(records, key=lambda record: record.at), counted


class Hours(Cluster):
    """A cluster into which services write while workers read."""

    def __init__(self, records: list[Record]) -> None:
        super().__init__(of=replace(context(settings(PARTITIONS, segment=2, join={"orphan": 300.0})), wall=lambda: self.timestamp / 1000))
        self.unwritten = records[::-1]
        self.epoch = int(EPOCH.timestamp() * 1000)

    def write(self, most: int) -> None:
        """The next records, and the time that passes until then."""
        for _ in range(min(most, len(self.unwritten))):
            at, created, kind, event, key, partition = self.unwritten.pop()
            self.epoch += max(0, int((EPOCH.timestamp() + at) * 1000) - self.timestamp)
            created_ms = int((EPOCH.timestamp() + created) * 1000)
            self.logs.append(f"llm.{kind}", partition, msgspec.json.encode(event), key=key, timestamp=created_ms)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds


async def work(worker: Worker, cluster: Hours, rng: random.Random, rounds: int) -> None:
    """Some of what there is to read, in any order; all of it now and then."""
    for _ in range(rounds):
        whole = rng.random() < 0.5
        for agent in worker.agents:
            unread = worker.unread(agent)
            rng.shuffle(unread)
            for tp in unread if whole else unread[:2]:
                await worker.read(agent, tp, 1_000 if whole else rng.randint(1, 4))
            await worker.checkpoint(agent)
        cluster.pass_time(4.0)


async def simulate(seed: int) -> None:
    rng = random.Random(seed)
    records, counted = traffic(rng)
    cluster = Hours(records)
    streams.checkpoint.ProcessingTime = lambda longest_gap: SimpleNamespace(now=lambda: cluster.now)  # type: ignore[assignment,misc]
    while cluster.unwritten:
        before_state = rng.random() < 0.7  # what it has found out is told, and forgotten
        worker = Worker(cluster, Process(dies_in=("state", rng.randint(1, 60))) if before_state else Process(dies_at=rng.randint(30, 600)))
        try:
            await worker.own()
            while cluster.unwritten:
                await work(worker, cluster, rng, rng.choice([1, 1, 12]))
                cluster.write(rng.choice([1, 4, 40]))
        except Died:
            continue
    last = Worker(cluster, Process())
    await last.own()
    await last.work_off(rng)
    check(cluster, counted, set(), set())


def run(seed: int) -> None:
    try:
        with asyncio.Runner() as runner:
            runner.run(simulate(seed))
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error}") from error


@pytest.fixture(autouse=True)
def small_and_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frequent snapshots, no waiting; and the clock comes back."""
    monkeypatch.setattr(streams.changelog, "SNAPSHOT_MIN_BYTES", 10_000)
    monkeypatch.setattr(streams.changelog, "SNAPSHOT_FACTOR", 1)
    monkeypatch.setattr(streams.checkpoint, "RETRY_DELAY", 0)
    monkeypatch.setattr(streams.checkpoint, "ProcessingTime", None)  # each run sets its own


@pytest.mark.parametrize("part", range(PARTS))
def test_a_late_answer_is_counted_once_wherever_a_crash_lets_it_find_its_request(part: int) -> None:
    for seed in range(part, RUNS, PARTS):
        run(seed)
