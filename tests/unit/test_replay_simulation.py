"""Every agent, over models of the broker and of processing time: one history gives one set of tables, in whatever order it is read.

Partitions are read in any interleaving and in batches of any size, checkpoints are taken at any moment, workers stop for a while, and
states are lost and restored. Every run is a function of its seed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec
import pytest

from deploy.registry import agents
from streams.agent import Agent
from streams.checkpoint import SILENT_AFTER
from streams.effects import Effects
from streams.partitioner import partition_of
from streams.settings import Settings
from streams.state import InPieces, PartitionState
from streams.topics import Topics
from tests.replays import SETTINGS, Written, incidents
from tests.unit.builders import Logs

PARTITIONS = 3
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
WALL = datetime(2026, 3, 3, 9, tzinfo=UTC).timestamp()
"""When the history is published."""

IDENTITY = {
    "alerts_data": ("alert_id",), "labels_data": ("label_id",), "interactions_data": ("request_id",),
    "drift_data": ("feature", "model", "metric", "time", "detector", "window_n", "reference_version"),
    "label_quality_data": ("tenant", "feature", "time"),
    "controls_data": ("status", "time", "scope", "action", "reason"),
}  # fmt: skip

Tables = dict[str, dict[tuple[Any, ...], dict[str, Any]]]


class Processor:
    """One partition of an agent, with its changelog."""

    def __init__(self, sim: Simulation, agent: Agent, partition: int) -> None:
        self.sim, self.agent, self.partition = sim, agent, partition
        self.pieces: list[bytes] = []
        self.stored: dict[str, int] = dict.fromkeys(agent.inputs, 0)
        self.away_until = 0.0
        self.restore()

    def restore(self) -> None:
        self.state: PartitionState = self.agent.new_state(self.partition)
        for piece in self.pieces:
            self.state.load(piece)
        self.read = dict(self.stored)
        self.heard = dict.fromkeys(self.agent.inputs, self.sim.now)
        self.effects, self.dirty = Effects(), True

    def unread(self) -> list[str]:
        ahead = self.state.ahead()
        return [t for t in self.agent.inputs if t not in ahead and self.read[t] < self.sim.logs.end(t, self.partition)]

    def step(self, topic: str, size: int) -> None:
        batch = self.sim.logs.batch(topic, self.partition, self.read[topic], size)
        self.state.apply(batch, self.effects)
        self.read[topic], self.heard[topic], self.dirty = batch.next_offset, self.sim.now, True
        while isinstance(self.state, InPieces) and self.state.proceed(self.effects):
            pass

    def checkpoint(self) -> None:
        now, logs = self.sim.now, self.sim.logs
        silent = {
            t: now - heard
            for t, heard in self.heard.items()
            if now - heard > SILENT_AFTER and self.read[t] >= logs.end(t, self.partition) and t not in self.state.ahead()
        }
        self.dirty |= self.state.tick(now, silent, self.effects)
        if not self.dirty:
            return
        self.state.close_interval(self.effects)
        changes = self.state.changes()
        self.sim.carry_out(self.effects)
        if changes is not None:
            self.pieces.append(changes)
        self.stored, self.effects, self.dirty = dict(self.read), Effects(), False


class Simulation:
    """``kills``: how many states are lost on the way. ``pieces``: into how many the history is cut, with pauses between them."""

    def __init__(self, history: list[Written], seed: int, *, kills: int = 0, pieces: int = 1) -> None:
        self.chance, self.now = Random(seed), 0.0
        self.logs, self.tables, self.counts = Logs(), Tables(), Counter[str]()
        self.settings = Settings(partitions=PARTITIONS, segment_requests=64, **SETTINGS)
        self.topics = Topics.of(self.settings)
        self.processors = [Processor(self, agent, p) for agent in agents(self.settings, "cluster") for p in range(PARTITIONS)]
        size = -(-len(history) // pieces)
        for at in range(0, len(history), size):
            self.publish(history[at : at + size])
            for _ in range(kills):
                self.run(self.chance.randrange(50, 2_000))
                for processor in self.chance.sample(self.processors, len(self.processors) // 2):
                    processor.restore()
                    processor.away_until = self.now + self.chance.choice([0.0, 8.0])
            if at + size < len(history):
                self.run(self.chance.randrange(10, 400))
        self.rest()

    def publish(self, history: list[Written]) -> None:
        for item in history:
            partition = partition_of((item.key or "").encode(), PARTITIONS)
            value, time = msgspec.json.encode(item.event), int((WALL + self.now) * 1_000)
            self.logs.append(f"{self.topics.prefix}{item.topic}", partition, value, key=(item.key or "").encode(), timestamp=time)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.act()

    def act(self) -> None:
        processor = self.chance.choice(self.processors)
        self.now += 0.01
        if processor.away_until > self.now:
            return
        if (unread := processor.unread()) and self.chance.random() < 0.8:
            processor.step(self.chance.choice(unread), self.chance.choice([1, 7, 60, 1_000]))
        elif self.chance.random() < 0.5:
            processor.checkpoint()

    def rest(self) -> None:
        """Go on until the input is at rest, as a stack says it is; from then on nothing more may come of it."""
        quiet = 0
        while quiet < 3:
            self.go_on()
            waiting = sum(p.state.waiting() for p in self.processors)
            quiet = 0 if waiting or any(p.unread() for p in self.processors if p.agent.name != "interactions") else quiet + 1
            assert self.now < 4_000, "it does not come to rest"
        rows = self.counts["rows"]
        for _ in range(30):
            self.go_on()
        assert self.counts["rows"] == rows

    def go_on(self) -> None:
        """Some seconds in which everybody reads all there is."""
        self.run(200)
        for processor in self.processors:
            for topic in processor.unread():
                processor.step(topic, 100_000)
            processor.checkpoint()
        self.now += 1.0

    def carry_out(self, effects: Effects) -> None:
        for topic, partition, key, value, headers in effects.messages:
            self.logs.append(topic, partition, value, key=key, headers=headers, timestamp=int((WALL + self.now) * 1_000))
        for table, lines in effects.rows.items():
            for line in lines:
                row = msgspec.json.decode(line)
                rows = self.tables.setdefault(table, {})
                identity = tuple(row.get(name) for name in IDENTITY[table]) if table in IDENTITY else (line,)
                if identity not in rows or row.get("version", 0) >= rows[identity].get("version", 0):
                    rows[identity] = row
            self.counts["rows"] += len(lines)
        for (metric, label), by in effects.counts.items():
            self.counts[metric] += by
            self.counts[f"{metric}/{label}"] += by


def content(tables: Tables, table: str) -> dict[str, dict[str, Any]]:
    """By identity; without the version and, of switches, where their records lie."""
    left_out = {"version", "partition", "offset"}
    return {str(key): {name: value for name, value in row.items() if name not in left_out} for key, row in tables.get(table, {}).items()}


COMPARED = (
    "alerts_data", "drift_data", "labels_data", "label_quality_data", "controls_data",
    "interactions_data",
)  # fmt: skip


@pytest.fixture(scope="module")
def history() -> list[Written]:
    return incidents(BEGIN)


@pytest.fixture(scope="module")
def first(history: list[Written]) -> Simulation:
    return Simulation(history, 0)


def test_every_detector_has_something_to_say(first: Simulation) -> None:
    names = Counter(row["name"] for row in first.tables["alerts_data"].values())
    assert names.keys() >= {"ErrorRate", "CostAnomaly", "RefusalRate", "TrafficAnomaly", "Drift", "QualityDrop"}, names
    assert names.keys() >= {"BudgetExhausted", "BudgetBurn", "RateLimitExceeded", "RunawayLoop"}, names
    assert all(first.tables[table] for table in COMPARED)


def test_nothing_of_an_orderly_history_is_late(first: Simulation) -> None:
    assert {name: count for name, count in first.counts.items() if "late" in name.split("/")[0]} == {}


@pytest.mark.parametrize(("seed", "ways"), [(1, {}), (3, {"kills": 4}), (4, {"kills": 1, "pieces": 8})])
def test_the_tables_do_not_depend_on_the_way_of_reading(history: list[Written], first: Simulation, seed: int, ways: dict[str, int]) -> None:
    other = Simulation(history, seed, **ways)
    assert {name: count for name, count in other.counts.items() if "late" in name.split("/")[0]} == {}
    for table in COMPARED:
        one, two = content(first.tables, table), content(other.tables, table)
        assert one.keys() == two.keys(), (table, sorted(one.keys() ^ two.keys())[:6])
        differing = defaultdict(list)
        for key in one:
            for name in one[key].keys() | two[key].keys():
                if one[key].get(name) != two[key].get(name):
                    differing[name].append((key, one[key].get(name), two[key].get(name)))
        assert not differing, (table, {name: (len(found), found[:2]) for name, found in differing.items()})
