"""Crashes at every step of a checkpoint, lost answers, rebalances and zombies: the tables hold what the input implies.

The real checkpointer, changelog interpretation and states of stage 1 and of the windows run over models of the broker and of ClickHouse
that can fail between any two steps. Every run is a function of its seed; ``run(seed)`` repeats it.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from aiokafka.errors import KafkaError
from faust.types import TP

import streams.changelog
import streams.checkpoint
from agents.cost.agent import cost
from agents.interactions.agent import interactions
from agents.interactions.context import Context
from schemas.outputs import DeadLetter
from streams.agent import Agent
from streams.changelog import Changelog, Overtaken, Restored, replay
from streams.checkpoint import Checkpointer
from streams.damage import Damage
from streams.effects import Headers
from streams.metrics import Metrics
from streams.partitioner import partition_of
from streams.worker import where_to_begin
from tests.unit.builders import (
    EPOCH,
    SOURCE,
    FakeBatch,
    Json,
    Logs,
    Tables,
    context,
    expected_rows,
    moment,
    request,
    response,
    settings,
    without,
)

PARTITIONS = 2
METRICS = Metrics()
TIMESTAMP = int((EPOCH.timestamp() + 400) * 1000)
"""Kafka's time of the input, in milliseconds."""
NOW = 50_000.0
"""Processing time at first, in seconds."""


class Died(Exception):
    """The process is gone: nothing it would have done next happens."""


class Cluster:
    """What outlives a process: logs, tables, dead letters, committed offsets and processing time."""

    def __init__(self, agents: Sequence[Agent] | None = None, of: Context | None = None) -> None:
        """``agents``: stage 1 and the windows if none are given. ``of``: what these share."""
        self.logs, self.tables = Logs(), Tables()
        self.letters: dict[tuple[str, int, int], DeadLetter] = {}
        self.letter_rows: set[tuple[str, int, int]] = set()
        self.begins: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.committed: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self.now, self.epoch = NOW, TIMESTAMP
        self.owner: Worker | None = None
        self.context = of or context(settings(PARTITIONS, segment=2))
        self.topics = self.context.topics
        self.agents = agents or [interactions(self.context), cost(self.topics, SOURCE)]

    @property
    def timestamp(self) -> int:
        """Kafka's time of what is written now, in milliseconds."""
        return self.epoch + int((self.now - NOW) * 1000)

    def restored(self, agent: str, partition: int) -> Restored:
        """What a reader of a changelog finds now: as Changelog.read, over the model."""
        topic = self.topics.changelog(agent)
        log, begin = self.logs.logs[topic, partition], self.begins[topic, partition]
        entries = [(r.offset, streams.changelog._decode(r.value)) for r in log[begin:] if r.value is not None]
        start = max(begin, entries[-1][1].snapshot_at) if entries else begin
        found = replay((offset, entry) for offset, entry in entries if offset >= start)
        found.end = len(log)
        return found


class Process:
    """Where a process dies, stops for a while, and what it is not told although it happened; counted in steps of I/O.

    Each act has a step before it and one after it.
    """

    def __init__(
        self, dies_at: int = -1, stops_at: int = -1, lost: frozenset[int] = frozenset(), dies_in: tuple[str, int] | None = None
    ) -> None:
        self.dies_at, self.stops_at, self.lost, self.dies_in = dies_at, stops_at, lost, dies_in
        self.steps = 0
        self.steps_in: Counter[str] = Counter()
        self.alive = True
        self.owning = False
        self.meanwhile: list[Callable[[], Awaitable[None]]] = []
        """What others do between the steps by which this process takes its partitions over."""
        self.stopped, self.woken = asyncio.Event(), asyncio.Event()

    async def step(self, act: str = "") -> None:
        self.steps += 1
        if not self.owning:
            self.steps_in[act] += 1
        if self.steps == self.dies_at or self.dies_in == (act, self.steps_in[act]):
            self.alive = False
        if not self.alive:
            raise Died
        await asyncio.sleep(0)
        if self.owning and self.meanwhile:
            await self.meanwhile.pop(0)()
        if self.steps >= self.stops_at > 0 and not self.owning and not self.stopped.is_set():
            self.stopped.set()
            await self.woken.wait()

    @property
    def answer_is_lost(self) -> bool:
        return self.steps in self.lost


class ModelBatch:
    """As of AIOKafkaProducer.create_batch; full with two records."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes | None, bytes, Headers]] = []

    def append(self, *, timestamp: int, key: bytes | None, value: bytes, headers: Headers) -> object | None:
        if len(self.records) == 2:
            return None
        self.records.append((key, value, headers))
        return self

    def close(self) -> None: ...

    def record_count(self) -> int:
        return len(self.records)


class Producer:
    """An AIOKafkaProducer whose answers can get lost after the broker has stored the record, or the whole batch."""

    def __init__(self, cluster: Cluster, process: Process) -> None:
        self.cluster, self.process = cluster, process

    async def send_and_wait(self, topic: str, value: bytes, *, partition: int) -> SimpleNamespace:
        assert topic.endswith(".state"), "everything else goes out in batches"
        return SimpleNamespace(offset=await self._append("state", topic, partition, [(None, value, ())]))

    def create_batch(self) -> ModelBatch:
        return ModelBatch()

    async def send_batch(self, batch: ModelBatch, topic: str, *, partition: int) -> asyncio.Future[int]:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        act = "dead letters" if topic == self.cluster.topics.deadletter else "messages"
        try:
            future.set_result(await self._append(act, topic, partition, batch.records))
        except KafkaError as error:
            future.set_exception(error)
        return future

    async def _append(self, act: str, topic: str, partition: int, records: Sequence[tuple[bytes | None, bytes, Headers]]) -> int:
        """Returns the offset of the last. Kafka stores a batch whole or not at all."""
        await self.process.step(act)
        offset = -1
        for key, value, headers in records:
            offset = self.cluster.logs.append(topic, partition, value, key=key, headers=headers, timestamp=self.cluster.timestamp)
            if act == "dead letters":
                letter = msgspec.json.decode(value, type=DeadLetter)
                self.cluster.letters[letter.topic, letter.partition, letter.offset] = letter
        if self.process.answer_is_lost:
            raise KafkaError("the answer is lost")
        await self.process.step(act)
        return offset


class ModelSink:
    def __init__(self, cluster: Cluster, process: Process) -> None:
        self.cluster, self.process = cluster, process

    async def write(self, rows: Mapping[str, Sequence[bytes]]) -> list[DeadLetter]:
        for table, lines in rows.items():
            await self.process.step("rows")
            self.cluster.tables.insert(table, lines)
            if self.process.answer_is_lost:
                self.cluster.tables.insert(table, lines)  # the sink tries again
            await self.process.step("rows")
        return []

    async def write_letters(self, letters: Sequence[DeadLetter]) -> None:
        await self.process.step("rows of dead letters")
        self.cluster.letter_rows |= {(x.topic, x.partition, x.offset) for x in letters}


class ModelChangelog(Changelog):
    """The changelog over the model broker."""

    def __init__(self, cluster: Cluster, process: Process, agent: str, writer: str) -> None:
        self._cluster, self._process, self._agent = cluster, process, agent
        self._producer, self._topic, self._writer = Producer(cluster, process), cluster.topics.changelog(agent), writer

    async def read(self, partitions: Sequence[int]) -> dict[int, Restored]:
        await self._process.step()
        found = {p: self._cluster.restored(self._agent, p) for p in partitions}
        await self._process.step()
        return found

    async def trim(self, before: Mapping[int, int]) -> None:
        await self._process.step()
        for partition, offset in before.items():
            begins = self._cluster.begins
            begins[self._topic, partition] = max(offset, begins[self._topic, partition])
        await self._process.step()


class Worker:
    """A worker process with all agents. It owns all partitions, as long as the group thinks so."""

    names = 0

    def __init__(self, cluster: Cluster, process: Process) -> None:
        Worker.names += 1
        self.cluster, self.process = cluster, process
        self.read_to: dict[str, dict[tuple[str, int], int]] = {agent.name: {} for agent in cluster.agents}
        self.agents = {agent.name: agent for agent in cluster.agents}
        self.checkpointers = {
            agent.name: Checkpointer(
                agent.name,
                agent.inputs,
                agent.new_state,
                changelog=ModelChangelog(cluster, process, agent.name, f"writer-{Worker.names}"),
                producer=Producer(cluster, process),
                sink=ModelSink(cluster, process),  # type: ignore[arg-type]
                metrics=METRICS,
                damage=Damage("model"),
                deadletter_topic=cluster.topics.deadletter,
                deadletter_partitions=PARTITIONS,
                interval=2.0,
                max_pending_rows=1_000,
                hold=lambda partition, topics: None,
                end=cluster.logs.end,
            )
            for agent in cluster.agents
        }

    async def own(self, partitions: Sequence[int] = range(PARTITIONS)) -> None:
        # Nobody stops in here: a process that wakes up and takes over from its successor does no harm to the tables, but the
        # successor's acknowledgements are then ahead of what the log holds.
        self.cluster.owner, self.process.owning = self, True
        next_offsets: defaultdict[TP, list[int | None]] = defaultdict(list)
        stands: dict[TP, int] = {}
        for name, checkpointer in self.checkpointers.items():
            while True:
                try:
                    offsets = await checkpointer.restore(set(partitions))
                    break
                except KafkaError:
                    continue  # the worker crashes and begins again
            for tp in self._inputs(name, partitions):
                next_offsets[tp].append(offsets[tp.partition].get(tp.topic))
                committed = self.cluster.committed.get((name, tp.topic, tp.partition), 0)
                stands[tp] = min(committed, stands.get(tp, committed))  # the last of its readers commits a record
        begins = stands | where_to_begin(next_offsets, {})
        for name in self.checkpointers:
            self.read_to[name].update({(tp.topic, tp.partition): begins[tp] for tp in self._inputs(name, partitions)})
        self.process.owning = False

    def _inputs(self, agent: str, partitions: Sequence[int]) -> list[TP]:
        return [TP(topic, p) for topic in self.agents[agent].inputs for p in partitions]

    def unread(self, agent: str) -> list[tuple[str, int]]:
        return [tp for tp, at in self.read_to[agent].items() if at < self.cluster.logs.end(*tp)]

    async def read(self, agent: str, tp: tuple[str, int], size: int) -> None:
        batch = self.cluster.logs.batch(*tp, self.read_to[agent][tp], size)
        self.read_to[agent][tp] = batch.next_offset
        await self.checkpointers[agent].apply(batch, lambda: self._acknowledge(agent, batch))

    def _acknowledge(self, agent: str, batch: FakeBatch) -> None:
        if self.cluster.owner is self:  # else the group refuses the commit
            durable = self.cluster.restored(agent, batch.partition).offsets
            assert batch.next_offset <= durable[batch.topic], "acknowledged before it was durable"
            place = agent, batch.topic, batch.partition
            self.cluster.committed[place] = max(self.cluster.committed[place], batch.next_offset)

    async def checkpoint(self, agent: str) -> None:
        # What Checkpointer.run does once per interval.
        self.checkpointers[agent]._let_time_pass()
        await self.checkpointers[agent].flush()

    async def work_off(self, rng: random.Random | None = None) -> None:
        """Read to the end of the input, topics in any order if ``rng`` is given, and wait until nothing is expected any more."""
        for passed in range(42):
            while any(self.unread(agent) for agent in self.agents):
                for agent in self.agents:
                    unread = self.unread(agent)
                    if rng is not None:
                        rng.shuffle(unread)
                    for tp in unread:
                        await self.read(agent, tp, 1_000)
                    await self.checkpoint(agent)
            if passed < 40:
                self.cluster.now += 4.0
            for agent in self.agents:
                await self.checkpoint(agent)


def publish_input(cluster: Cluster, rng: random.Random) -> tuple[list[Json], set[str], set[tuple[str, int, int]]]:
    """Calls that are answered or not, orphans, poison, feedback, repeats, some in the wrong place.

    Returns the requests and responses that count, the event ids of the orphans, and where the poison is.
    """
    counted: list[Json] = []
    orphans: set[str] = set()
    places: list[tuple[str, Json]] = []
    for n in range(rng.randint(2, 7)):
        session = rng.choice([None, "sA", "sB", "sC", "sD"])
        at = rng.choice([0.0, 5.0, 30.0, 200.0])
        asked = request(n, at, session_id=session, timeout_ms=rng.choice([1, 15_000, 100_000]))
        said = response(n, at + rng.choice([1.0, 20.0]), session_id=session, model=rng.choice([None, "gpt-4o-mini"]))
        if rng.random() < 0.3:
            said = without(said, "session_id")
        answer = rng.choice(["answered", "answered", "answered", "unanswered", "orphan"])
        if answer != "orphan":
            counted.append(asked)
            places.append(("requests", asked))
        if answer != "unanswered":
            places.append(("responses", said))
        if answer == "answered":
            counted.append(said)
        if answer == "orphan":
            orphans.add(said["event_id"])
    for n in range(rng.randint(0, 2)):
        signal = {"event_id": f"f{n}", "time": moment(n), "kind": "copy", "session_id": "sA"}
        places.append(("feedback", signal))
    rng.shuffle(places)
    for kind, event in places:
        key = event.get("session_id") or event.get("request_id") or ""
        home = partition_of(key.encode(), PARTITIONS)
        partition = home if rng.random() < 0.6 else rng.randrange(PARTITIONS)
        for _ in range(2 if rng.random() < 0.15 and "session_id" in event else 1):
            value = msgspec.json.encode(event)
            cluster.logs.append(f"llm.{kind}", partition, value, key=key.encode(), timestamp=TIMESTAMP)
    poison = set()
    for _ in range(rng.randint(0, 2)):
        topic, partition = f"llm.{rng.choice(['requests', 'responses', 'feedback'])}", rng.randrange(PARTITIONS)
        poison.add((topic, partition, cluster.logs.append(topic, partition, b"poison", timestamp=TIMESTAMP)))
    return counted, orphans, poison


def fault(rng: random.Random, agents: int) -> Process:
    """Most processes die, at any step; some answers get lost; some processes stop for a while and become zombies.

    The more ``agents``, the more steps until they have read anything.
    """
    how = rng.random()
    lost = frozenset(rng.sample(range(1, 30 * agents), rng.randint(0, 2 * agents)))
    if how < 0.55:
        return Process(dies_at=rng.randint(1, 25 * agents), lost=lost)
    if how < 0.85:
        return Process(stops_at=rng.randint(1, 25 * agents), lost=lost)
    return Process(lost=lost)


async def live(worker: Worker, rng: random.Random, actions: int) -> None:
    await worker.own()
    names = [*worker.agents, *["interactions"] * (len(worker.agents) - 2)]  # half of what happens is of stage 1
    for _ in range(actions):
        agent = rng.choice(names)
        action = rng.random()
        if action < 0.6 and (unread := worker.unread(agent)):
            await worker.read(agent, rng.choice(unread), rng.randint(1, 4))
        elif action < 0.87:
            await worker.checkpoint(agent)
        elif action < 0.9 and not worker.process.stopped.is_set():
            await cancelled(worker.checkpoint(agent), rng.randint(0, 12))  # a revoke that took too long
        elif action < 0.95 and not worker.process.stopped.is_set():
            await worker.own()  # a rebalance that changes nothing
        elif worker.cluster.now < NOW + 12:
            worker.cluster.now += rng.choice([0.5, 4.0])


async def cancelled(doing: Awaitable[None], after: int) -> None:
    """Do something for so many turns of the loop, then cancel it."""
    task = asyncio.ensure_future(doing)
    for _ in range(after):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def simulate(seed: int) -> None:
    rng = random.Random(seed)
    cluster = Cluster()
    counted, orphans, poison = publish_input(cluster, rng)
    await strike(cluster, rng)
    check(cluster, counted, orphans, poison)


async def strike(cluster: Cluster, rng: random.Random) -> None:
    """Workers that die, stop and wake up read the input, until one of them has read all of it."""

    def processing_time(longest_gap: float) -> SimpleNamespace:
        origin = rng.uniform(0.0, 50_000.0)  # another one in every process
        return SimpleNamespace(now=lambda: cluster.now - origin)

    streams.checkpoint.ProcessingTime = processing_time  # type: ignore[assignment,misc]
    zombies: list[tuple[Worker, asyncio.Task[None]]] = []
    worker: Worker | None = None
    for _ in range(rng.randint(1, 5)):
        if worker is None or rng.random() < 0.8:  # else a process that was taken for dead joins the group again, with what it had in memory
            worker = Worker(cluster, fault(rng, len(cluster.agents)))
        else:
            worker.process.stopped, worker.process.stops_at = asyncio.Event(), -1
        if zombies and rng.random() < 0.3:
            worker.process.meanwhile = [nothing] * rng.randint(0, 8) + [partial(wake, *zombies.pop(rng.randrange(len(zombies))))]
        task = asyncio.ensure_future(live(worker, random.Random(rng.random()), rng.randint(3, 15 * len(cluster.agents))))
        stopped = asyncio.ensure_future(worker.process.stopped.wait())
        await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not task.done():
            zombies.append((worker, task))
            worker = None
        elif isinstance(task.exception(), Overtaken):
            worker = None  # it crashes, as a real worker does
        elif task.exception() is not None and not isinstance(task.exception(), Died):
            raise task.exception()  # type: ignore[misc]
        elif not worker.process.alive:
            worker = None
        if zombies and rng.random() < 0.5:
            zombie, unfinished = zombies.pop(rng.randrange(len(zombies)))
            await wake(zombie, unfinished)
            worker = worker if rng.random() < 0.5 or not zombie.process.alive else zombie
    await until_done(cluster, rng, zombies)


async def until_done(cluster: Cluster, rng: random.Random, zombies: list[tuple[Worker, asyncio.Task[None]]]) -> None:
    """The last worker works everything off, while the zombies that are left wake up; overtaken by one, it begins again."""
    while True:
        last = Worker(cluster, Process())
        if zombies:
            last.process.meanwhile = [nothing] * rng.randint(0, 12) + [partial(wake, *zombies.pop())]
        try:
            await last.own()
            while zombies:
                for agent in last.agents:
                    for tp in last.unread(agent)[: rng.randint(0, 3)]:
                        await last.read(agent, tp, rng.randint(1, 4))
                await wake(*zombies.pop(0))
            await last.work_off(rng)
        except Overtaken:
            continue
        return


async def nothing() -> None:
    """A step at which nothing else happens."""


async def wake(zombie: Worker, task: asyncio.Task[None]) -> None:
    """A stopped process goes on with what it was doing, not knowing that its partitions are another's."""
    owner, zombie.cluster.owner = zombie.cluster.owner, None
    zombie.process.woken.set()
    with_faults = await asyncio.gather(task, return_exceptions=True)
    assert all(error is None or isinstance(error, Died | Overtaken) for error in with_faults), with_faults
    zombie.cluster.owner = owner


def check(cluster: Cluster, counted: list[Json], orphans: set[str], poison: set[tuple[str, int, int]]) -> None:
    rows, windows = expected_rows(counted)
    assert cluster.tables.interactions() == rows
    assert cluster.tables.windows() == windows
    letters = {where: base64.b64decode(letter.value or "") for where, letter in cluster.letters.items()}
    assert {where for where, value in letters.items() if value == b"poison"} == poison
    dead = [msgspec.json.decode(value)["event_id"] for value in letters.values() if value != b"poison"]
    assert sorted(dead) == sorted(orphans)
    assert cluster.letter_rows == set(letters)
    signals = {
        msgspec.json.decode(r.value)["event_id"]
        for p in range(PARTITIONS)
        for r in cluster.logs.logs["llm.feedback", p]
        if r.value not in (None, b"poison")
    }
    assert {row.event_id for row in cluster.tables.feedback()} == signals
    for history in cluster.tables.history.values():
        largest = max(row.version for row in history) if hasattr(history[0], "version") else 0
        complete = [row for row in history if getattr(row, "version", 0) == largest]
        assert all(row == complete[0] for row in complete), "two rows of the largest version differ"
    for (agent, topic, partition), offset in cluster.committed.items():
        assert offset <= cluster.restored(agent, partition).offsets[topic]


@pytest.fixture(autouse=True)
def small_and_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints of several pieces, frequent snapshots, no waiting; and the clock comes back."""
    monkeypatch.setattr(streams.changelog, "PIECE_BYTES", 400)
    monkeypatch.setattr(streams.changelog, "SNAPSHOT_MIN_BYTES", 2_500)
    monkeypatch.setattr(streams.changelog, "SNAPSHOT_FACTOR", 1)
    monkeypatch.setattr(streams.checkpoint, "RETRY_DELAY", 0)
    monkeypatch.setattr(streams.checkpoint, "ProcessingTime", None)  # each run sets its own


def run(seed: int) -> None:
    try:
        with asyncio.Runner() as runner:
            runner.run(simulate(seed))
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error}") from error


RUNS = 1_000


@pytest.mark.parametrize("part", range(5))
def test_whatever_dies_the_tables_hold_what_the_input_implies(part: int) -> None:
    for seed in range(part * RUNS // 5, (part + 1) * RUNS // 5):
        run(seed)


# The crash points of docs/delivery.md, by their names there

CRASH_POINTS = {
    "before 1": ("messages", 1),
    "during 1": ("messages", 3),
    "between 1 and 2": ("rows", 1),
    "during 2, or insert applied and answer lost": ("rows", 2),
    "between 2 and 3": ("dead letters", 1),
    "during 3": ("rows of dead letters", 1),
    "between 3 and 4": ("state", 1),
    "during 4, group unfinished": ("state", 2),
    "during 4, some partitions done": ("state", -2),
    "between 4 and 5": ("state", -1),
    "after 5": ("after", 1),
}
"""Name -> in which act of the first checkpoint the process dies, and at which step of it; negative: counted from its last."""


@pytest.mark.parametrize("name", CRASH_POINTS)
async def test_crash(name: str) -> None:
    streams.checkpoint.ProcessingTime = lambda longest_gap: SimpleNamespace(now=lambda: cluster.now)  # type: ignore[assignment,misc]
    act, step = CRASH_POINTS[name]
    if step < 0:
        cluster, _ = cluster_with_input()
        whole = Process()
        await first_checkpoint(Worker(cluster, whole))
        step += whole.steps_in[act] + 1
    # Given input of every kind, and a worker that dies at this point of its first checkpoint
    cluster, (counted, orphans, poison) = cluster_with_input()
    process = Process(dies_in=(act, step))
    with suppress(Died):
        await first_checkpoint(Worker(cluster, process))
    assert process.alive == (name == "after 5")
    # When another worker goes on
    last = Worker(cluster, Process())
    await last.own()
    await last.work_off()
    # Then the tables hold what the input implies
    check(cluster, counted, orphans, poison)


async def first_checkpoint(worker: Worker) -> None:
    await worker.own()
    for tp in worker.unread("interactions"):
        await worker.read("interactions", tp, 1_000)
    await worker.checkpoint("interactions")


def cluster_with_input() -> tuple[Cluster, tuple[list[Json], set[str], set[tuple[str, int, int]]]]:
    """Seed 9 has re-keyed events, answered calls, signals and poison."""
    cluster = Cluster()
    return cluster, publish_input(cluster, random.Random(9))


def test_every_crash_point_of_the_documentation_is_tried() -> None:
    page = (Path(__file__).parents[2] / "docs" / "delivery.md").read_text()
    table = page.split("| crash |")[1].split("\n\n")[0].splitlines()[2:]
    assert [row.split(" | ")[0].removeprefix("| ") for row in table] == list(CRASH_POINTS)


# The checkpointer by itself


async def test_a_batch_that_waited_through_a_rebalance_is_not_applied_behind_a_gap() -> None:
    """It was read behind others that are not durable; the restored state goes on before them."""
    cluster = Cluster()
    for n in range(4):
        value = msgspec.json.encode({"event_id": f"f{n}", "time": moment(n), "kind": "copy", "session_id": "sA"})
        cluster.logs.append("llm.feedback", partition_of(b"sA", PARTITIONS), value, key=b"sA", timestamp=TIMESTAMP)
    tp = "llm.feedback", partition_of(b"sA", PARTITIONS)
    streams.checkpoint.ProcessingTime = lambda longest_gap: SimpleNamespace(now=lambda: 0.0)  # type: ignore[assignment,misc]
    worker = Worker(cluster, Process())
    await worker.own()
    worker.checkpointers["interactions"]._max_pending_rows = 2
    await worker.read("interactions", tp, 2)
    waiting = asyncio.ensure_future(worker.read("interactions", tp, 2))
    await asyncio.sleep(0)
    assert not waiting.done(), "as many rows as may wait are waiting"
    await worker.own()
    await waiting
    assert worker.read_to["interactions"][tp] == 0
    await worker.work_off()
    assert {row.event_id for row in cluster.tables.feedback()} == {"f0", "f1", "f2", "f3"}


async def test_an_append_that_failed_for_one_partition_is_repeated_for_that_one_alone() -> None:
    cluster = Cluster()
    publish_input(cluster, random.Random(1))
    streams.checkpoint.ProcessingTime = lambda longest_gap: SimpleNamespace(now=lambda: 0.0)  # type: ignore[assignment,misc]
    worker = Worker(cluster, Process())
    await worker.own()
    for tp in worker.unread("interactions"):
        await worker.read("interactions", tp, 100)
    lengths = [len(cluster.logs.logs[cluster.topics.changelog("interactions"), p]) for p in range(PARTITIONS)]
    failing = worker.checkpointers["interactions"]._partitions[0].writer
    append, attempts = failing.append, []

    async def fail_once(offsets: Mapping[str, int], changes: bytes | None) -> None:
        attempts.append(offsets)
        if len(attempts) == 1:
            raise KafkaError("away")
        await append(offsets, changes)

    failing.append = fail_once  # type: ignore[method-assign]
    await worker.checkpoint("interactions")
    assert len(attempts) == 2
    for p, length in enumerate(lengths):
        log = [streams.changelog._decode(r.value or b"") for r in cluster.logs.logs[cluster.topics.changelog("interactions"), p]]
        assert sum(entry.offsets is not None for entry in log[length:]) == 1
