"""One input of spans gives the same events and steps, by id and content, however it is read and whatever dies on the way.

Partitions are read in any interleaving and in batches of any size, checkpoints are taken at any moment, workers die before and after
the commit point, and live input falls silent in between. Every run is a function of its seed.

``MIRANTE_SIMULATIONS=5000 pytest tests/unit/test_otlp_replay.py`` tries so many seeds.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import Any, NamedTuple

from schemas.otlp import decode_spans
from tests.unit.builders import Json
from tests.unit.telemetry import LOGS, SPANS, Telemetry, agent, chat, message, shuffled, span, tool

RUNS = int(os.environ.get("MIRANTE_SIMULATIONS", "24"))


class Record(NamedTuple):
    at: float
    partition: int
    topic: str
    value: bytes


def history(rng: random.Random, partitions: int) -> list[Record]:
    """Traces of agents, wrapped calls, tools that call models, lone calls told by two libraries; in pieces over partitions, late,
    twice, incomplete; poison."""
    records: list[Record] = []
    now = 0.0
    for trace in range(rng.randint(4, 9)):
        now += rng.choice([0.0, 0.4, 3.0, 20.0, 90.0])
        for part in shuffled(rng, spans_of(trace, now, rng), rng.randint(1, 4)):
            at = now + rng.choice([0.0, 0.0, 0.5, 2.0, 9.0, 14.0, 60.0])
            value = message(part, scope=rng.choice(["one", "two"]))
            for _ in range(rng.choice([1, 1, 1, 2])):
                records.append(Record(at, rng.randrange(partitions), SPANS, value))
        if rng.random() < 0.1:
            records.append(Record(now, rng.randrange(partitions), rng.choice([SPANS, LOGS]), b"poison %d" % trace))
    return sorted(records, key=lambda record: record.at)


def spans_of(trace: int, at: float, rng: random.Random) -> list[Json]:
    kind = rng.choice(["agent", "agent", "wrapped", "alone", "twins"])
    if kind == "alone":
        return [chat("call", trace=trace, at=at, answer=rng.choice(["", f"id-{trace}", "same"]))]
    if kind == "twins":
        return [
            chat("outer", trace=trace, at=at, took=3, answer=f"id-{trace}"),
            chat("inner", trace=f"{trace}b", at=at + 1, took=1, answer=f"id-{trace}"),
        ]
    if kind == "wrapped":
        asked = [{"role": "user", "parts": [{"type": "text", "content": "Hello?"}]}]
        return [
            chat("outer", trace=trace, at=at, took=3, gen_ai__input__messages=asked),
            span("POST /", "outer", trace=trace, at=at, took=2),
            chat("inner", "POST /", trace=trace, at=at, took=2),
        ]
    found = [agent("agent", trace=trace, at=at, took=30, session__id=f"s{trace}")]
    for n in range(rng.randint(1, 4)):
        found += [chat(f"call{n}", "agent", trace=trace, at=at + n), tool(f"tool{n}", "agent", trace=trace, at=at + n + 0.5)]
        if rng.random() < 0.3:
            found.append(chat(f"nested{n}", f"tool{n}", trace=trace, at=at + n + 0.6))
    return found[rng.choice([0, 0, 1]) :]  # some never tell of their root


def undisturbed(records: list[Record], partitions: int) -> Telemetry:
    """All of it is there, and read at once."""
    world = Telemetry(partitions)
    for record in records:
        world.write(record.value, partition=record.partition, at=record.at, topic=record.topic)
    world.settle(200)
    return world


def disturbed(records: list[Record], partitions: int, rng: random.Random, *, live: bool) -> Telemetry:
    """Read in any order, with crashes; ``live``: while it is written, at the pace of its times."""
    world = Telemetry(partitions)
    left = list(records)
    begun = world.now
    if not live:
        write(world, left, float("inf"))
    away = [0.0] * partitions
    for _ in range(rng.randint(50, 900)):
        world.now += rng.choice([0.01, 0.1, 0.5])
        write(world, left, world.now - begun)
        p = rng.randrange(partitions)
        if away[p] > world.now:
            continue
        unread, action = world.unread(p), rng.random()
        if unread and action < 0.6:
            world.step(p, rng.choice(unread), rng.choice([1, 2, 1_000]))
        elif action < 0.9:
            world.checkpoint(p, dies_before_state=rng.random() < 0.1, snapshot=rng.random() < 0.1)
        elif action < 0.93:
            world.restore(p)
            away[p] = world.now + rng.choice([0.0, 8.0])
    while left:  # the pace of the wall clock, looked at often enough
        write(world, left, world.now - begun)
        world.settle(1)
    world.settle(200)
    return world


def write(world: Telemetry, left: list[Record], until: float) -> None:
    while left and left[0].at <= until:
        record = left.pop(0)
        world.write(record.value, partition=record.partition, at=record.at, topic=record.topic)


def simulate(seed: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    rng = random.Random(seed)
    partitions = rng.choice([1, 2, 3])
    records = history(rng, partitions)
    expected = undisturbed(records, partitions)
    found = disturbed(records, partitions, rng, live=rng.random() < 0.4)
    for world in (expected, found):
        assert sum(state.gauges()["spans_waiting"] for state in world.states) == 0, f"seed {seed}: something still waits"
    return expected.published(), found.published()


def test_whatever_dies_and_however_it_is_read_the_same_is_published() -> None:
    for seed in range(RUNS):
        expected, found = simulate(seed)
        for name, one, other in zip(("requests", "responses", "steps", "letters"), expected, found, strict=True):
            assert one.keys() == other.keys(), f"seed {seed}: {name}: {one.keys() ^ other.keys()}"
            assert one == other, f"seed {seed}: {name}: {[key for key in one if one[key] != other[key]]}"


def test_every_span_ends_as_something() -> None:
    """And the input has everything in it, else the runs above would show nothing of it."""
    counts = Counter[str]()
    for seed in range(20):
        rng = random.Random(seed)
        partitions = rng.choice([1, 2, 3])
        records = history(rng, partitions)
        world = undisturbed(records, partitions)
        written = sum(len(decode_spans(record.value)) for record in records if not record.value.startswith(b"poison"))
        became = {name: count for name, count in world.counts.items() if name.startswith("otlp_")}
        assert sum(became.values()) == written, f"seed {seed}: {became}"
        counts += world.counts
    for name in ("call", "step", "part", "counted_before", "repeat"):
        assert counts[f"otlp_spans {name}"] > 5, counts
    assert counts["otlp_ignored span"] and counts["dead_letter otlp"]
