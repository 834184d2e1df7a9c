"""How quickly state comes back, and what failures and rebalances cost. Run it: `python -m tests.bench.recovery`.

Four measurements on the embedded stack, or with `--kafka apache` on Apache Kafka:

1. *changelog*: how fast state is read back and loaded, with about 500,000 live entries over the partitions, as a worker writes them;
2. *kill*: a worker that holds as much is killed with SIGKILL and started again at once: seconds from the kill until it says it is
   ready, and until what was published at the kill is in ClickHouse. Then the open requests are answered and the results compared with
   the oracle;
3. *rebalance*: under steady traffic a third worker joins and leaves, and one restarts: the longest time without a new row. On Apache
   Kafka with static membership too, where a worker that leaves keeps its partitions until its session is over;
4. *away*: ClickHouse is killed under steady traffic and comes back later: memory of the worker, time to catch up, and the oracle.

An *entry* is an open request, a remembered event id, a window part, or the whereabouts of a request (docs/architecture.md).
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error
from rich.console import Console
from rich.table import Table
from urllib3.exceptions import HTTPError

from agents.budgets.rules import read_rules
from agents.inspection.masking import Masking
from agents.interactions.context import Context
from agents.interactions.state import InteractionsState
from agents.pricing import PriceBook
from deploy.embedded.ports import free_port
from deploy.embedded.processes import ManagedProcess
from deploy.embedded.stack import Stack, StackOptions, fetch
from deploy.traffic.publisher import MAX_SPEED, publish
from deploy.traffic.record import REQUESTS, RESPONSES, TimedRecord, in_time_order
from streams.changelog import Changelog, ChangelogWriter
from streams.clickhouse import connect
from streams.effects import Effects
from streams.garbage import spare_what_is_loaded
from streams.kafka import client_options, new_producer
from streams.partitioner import partitions_of
from streams.settings import JoinSettings
from streams.topics import Topics
from tests.bench import smoke
from tests.load import Load
from tests.unit.builders import FakeBatch, Record

SLOW = b'"operation":"chat","timeout_ms":604800000'
"""The longest timeout there is: such a request stays open while a measurement lasts."""

ROOM = {"join__max_open": "200000"}
"""For workers that hold more open requests than the default allows."""

WARM_UP = 15.0
"""Seconds until the group has come to rest after the start: the embedded broker lets new members join twice."""

Entries = dict[str, int]
Row = tuple[str, str, str]


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Kept:
    """A load of which the first ``open`` of every ``of`` pairs are not answered until told."""

    load: Load
    open: int
    of: int

    @property
    def answered(self) -> int:
        return sum(not self._is_open(pair) for pair in range(self.load.pairs))

    def first(self) -> Iterator[TimedRecord]:
        """All requests, and the answers of those that do not stay open."""
        return in_time_order(
            (_slow(request),) if self._is_open(pair) else (_slow(request), response)
            for pair, (request, response) in enumerate(self.load._pairs())
        )

    def answers(self) -> Iterator[TimedRecord]:
        """The answers that were kept back."""
        return (response for pair, (_, response) in enumerate(self.load._pairs()) if self._is_open(pair))

    def _is_open(self, pair: int) -> bool:
        return pair % self.of < self.open


def _slow(request: TimedRecord) -> TimedRecord:
    return request._replace(value=request.value.replace(b'"operation":"chat"', SLOW, 1))


@dataclass
class Traffic:
    """Steady traffic until told to stop, and what it must add up to. ``rate``: events per second."""

    run: str
    rate: float
    pairs: int = 0
    stop: bool = False
    begun: float = field(default_factory=time.time)

    def records(self) -> Iterator[TimedRecord]:
        return in_time_order(self._pairs())

    def _pairs(self) -> Iterator[tuple[TimedRecord, TimedRecord]]:
        for pair in self._load(10**8)._pairs():
            if self.stop:
                return
            self.pairs += 1
            yield pair

    @property
    def load(self) -> Load:
        """What was published so far."""
        return self._load(self.pairs)

    def _load(self, pairs: int) -> Load:
        return Load(pairs=pairs, run=self.run, start_us=int(self.begun * 1e6), rate=self.rate / 2)


@asynccontextmanager
async def stack_of(kafka: str, workers: int, **settings: str) -> AsyncIterator[Stack]:
    """A stack on a directory of its own, gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="mirante-recovery-"))
    try:
        options = StackOptions(directory, kafka=kafka, workers=workers, settings={"session_timeout": "6", **settings})
        async with Stack(options, say) as stack:
            yield stack
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", choices=["embedded", "apache"], default="embedded")
    parser.add_argument("--only", choices=["changelog", "kill", "rebalance", "away"], action="append")
    parser.add_argument("--away", type=float, default=60.0, help="seconds without ClickHouse")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the 500,000 entries to measure with")
    args = smoke.parse(parser, scale=0.01, only=["changelog"])
    wanted = args.only or ["changelog", "kill", "rebalance", "away"]
    rows: list[Row] = []
    if "changelog" in wanted:
        rows += await changelog(args.kafka, args.scale)
    if "kill" in wanted:
        rows += await kill(args.kafka, args.scale)
    if "rebalance" in wanted:
        rows += await rebalance(args.kafka, static=False)
        if args.kafka == "embedded":
            rows.append(("static members", "not measured: the embedded broker does not let a static member come back under its name", ""))
        else:
            rows += await rebalance(args.kafka, static=True)
    if "away" in wanted:
        rows += await away(args.kafka, args.away)
    table = Table("", "measured", "aim", title=f"Recovery, on {args.kafka} Kafka")
    for row in rows:
        table.add_row(*row)
    Console(width=150).print(table)


# 1. Changelog


async def changelog(kafka: str, scale: float) -> list[Row]:
    """Entries per second from the changelog into :class:`InteractionsState`."""
    pairs = int(160_000 * scale)
    kept = Kept(Load(pairs=pairs, run="log", start_us=_ago(pairs / 25), rate=25.0), 3, 8)
    spare_what_is_loaded()
    async with stack_of(kafka, workers=0) as stack:
        settings = stack.settings.model_copy(update={"dedup_window": 200_000, "join": JoinSettings(max_open=200_000)})
        topics = Topics.of(settings)
        context = Context(settings, topics, PriceBook(), "bench", read_rules(), Masking(b"bench"))
        producer = new_producer(settings, linger_ms=5)
        await producer.start()
        try:
            log = Changelog(settings, producer, topics.changelog("interactions"))
            say(f"writing the state of {pairs:,} requests ...")
            written = await _write_state(log, context, kept)
            entries = _entries(written)
            runs = [await _read_state(log, context) for _ in range(3)]
        finally:
            await producer.stop()
    for _, _, _, states in runs:
        if _entries(states) != entries:
            raise SystemExit(f"wrong state: {_entries(states)} read, {entries} written")
    reading, loading, size, _ = sorted(runs, key=lambda run: run[0] + run[1])[1]
    total, seconds = sum(entries.values()), reading + loading
    speed = f"{total / seconds:,.0f} entries/s ({seconds:.2f} s: read {reading:.2f}, load {loading:.2f})"
    return [
        ("changelog: live entries", f"{total:,}: {_mix(entries)}", ""),
        ("changelog: as stored", f"{size / 1e6:,.0f} MB in {settings.partitions} partitions", ""),
        ("changelog: read and loaded", speed, "50,000/s"),
        ("  Faust's own tables", "3,000 records/s (not measured here: FAUST-NOTES)", ""),
    ]


async def _write_state(log: Changelog, context: Context, kept: Kept) -> list[InteractionsState]:
    """Apply the records in chunks, with a checkpoint of the state after each, as streams/checkpoint.py takes them."""
    topics, n = context.topics, context.settings.partitions
    states = [InteractionsState(p, context) for p in range(n)]
    read = await log.read(range(n))
    writers = [(await log.take_over(p, read[p]))[0] for p in range(n)]
    ends: defaultdict[tuple[str, int], int] = defaultdict(int)
    rekeyed: list[Record] = []
    for chunk in _chunks(kept.first(), 8_000):
        homes = partitions_of([record.key or b"" for record in chunk], n).tolist()
        arrived: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)
        for record, home in zip(chunk, homes, strict=True):
            topic = topics.requests if record.topic == REQUESTS else topics.responses
            arrived[topic, home].append(Record(topic, home, 0, int(record.time * 1000), record.key, record.value, ()))
        for again in rekeyed:
            arrived[topics.rekeyed, again.partition].append(again)
        effects = Effects()
        for (topic, p), records in sorted(arrived.items()):
            begin = ends[topic, p]
            ends[topic, p] += len(records)
            placed = [record._replace(offset=begin + i) for i, record in enumerate(records)]
            states[p].apply(FakeBatch(topic, p, placed, ends[topic, p]), effects)
        moved = [message for message in effects.messages if message.topic == topics.rekeyed]
        rekeyed = [Record(m.topic, m.partition, 0, int(time.time() * 1000), m.key, m.value, m.headers) for m in moved]
        offsets = [{topic: end for (topic, p), end in ends.items() if p == number} for number in range(n)]
        await asyncio.gather(*(_checkpoint(state, writer, at) for state, writer, at in zip(states, writers, offsets, strict=True)))
    return states


async def _checkpoint(state: InteractionsState, writer: ChangelogWriter, offsets: Mapping[str, int]) -> None:
    state.close_interval(Effects())
    changes = state.changes()
    if writer.snapshot_due:
        await writer.append_snapshot(offsets, list(state.snapshot()))
    else:
        await writer.append(offsets, changes)


async def _read_state(log: Changelog, context: Context) -> tuple[float, float, int, list[InteractionsState]]:
    """(seconds to read, seconds to load, bytes, the states)."""
    begun = time.perf_counter()
    read = await log.read(range(context.settings.partitions))
    middle = time.perf_counter()
    states = []
    for p, restored in read.items():
        state = InteractionsState(p, context)
        for piece in restored.pieces:
            state.load(piece)
        states.append(state)
    return middle - begun, time.perf_counter() - middle, sum(restored.log_bytes for restored in read.values()), states


def _entries(states: Sequence[InteractionsState]) -> Entries:
    gauges = [state.gauges() for state in states]
    counts = {name: int(sum(gauge[name] for gauge in gauges)) for name in ("open_requests", "seen_ids", "window_parts")}
    return {**counts, "whereabouts": sum(len(state._whereabouts) for state in states)}


def _mix(entries: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in entries.items())


def _chunks(records: Iterator[TimedRecord], size: int) -> Iterator[list[TimedRecord]]:
    chunk: list[TimedRecord] = []
    for record in records:
        chunk.append(record)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


# 2. Kill


async def kill(kafka: str, scale: float) -> list[Row]:
    """Seconds from SIGKILL to serving again, and that nothing was lost."""
    pairs = int(170_000 * scale)
    kept = Kept(Load(pairs=pairs, run="kill", start_us=_ago(pairs / 25), rate=25.0), 10, 17)
    async with stack_of(kafka, workers=1, **ROOM) as stack:
        say(f"publishing {pairs:,} requests and {kept.answered:,} answers ...")
        await publish(kept.first(), speed=MAX_SPEED, **client_options(stack.settings))
        await _until_durable(stack, {REQUESTS: pairs, RESPONSES: kept.answered})
        entries = await _gauges(stack)
        if entries["open_requests"] != pairs - kept.answered:
            raise SystemExit(f"wrong state: {entries}, expected {pairs - kept.answered:,} open requests")
        say(f"killing a worker that holds {_mix(entries)}")
        worker = stack.workers[0]
        begun = time.monotonic()
        await worker.kill()
        starting = asyncio.ensure_future(_started(worker, begun))
        probes = Load(pairs=64, run="probe", start_us=int(time.time() * 1e6), rate=64.0, session_pairs=1)
        await publish(probes.records(), speed=MAX_SPEED, **client_options(stack.settings))
        ready, visible = await asyncio.gather(starting, _visible(stack, probes, begun))
        own = restore_seconds(worker)
        say(f"ready {ready:.1f} s and serving {visible:.1f} s after the kill; publishing the missing answers ...")
        await publish(kept.answers(), speed=MAX_SPEED, **client_options(stack.settings))
        exact = await asyncio.to_thread(check, stack, [kept.load, probes])
    return [
        ("kill -9: state held", f"{sum(entries.values()):,} entries: {_mix(entries)}", ""),
        ("kill -9 to /health ready", f"{ready:.1f} s (of which the state: {own:.1f} s)", "15 s"),
        ("kill -9 to new interactions in ClickHouse", f"{visible:.1f} s", "15 s"),
        ("  results after answering all open requests", exact, "exact"),
    ]


async def _started(worker: ManagedProcess, begun: float) -> float:
    await worker.start()
    return time.monotonic() - begun


async def _visible(stack: Stack, probes: Load, begun: float) -> float:
    """Seconds until every probe, on every partition, is a row."""
    client = connect(stack.settings.clickhouse_url)
    sql = f"SELECT uniqExact(request_id) FROM mirante.interactions_data WHERE request_id LIKE 'req-{probes.run}-%' AND outcome = 'ok'"
    while await asyncio.to_thread(_count, client, sql) < probes.pairs:
        if time.monotonic() - begun > 120:
            raise SystemExit("not serving again after 120 s")
        await asyncio.sleep(0.05)
    return time.monotonic() - begun


def restore_seconds(worker: ManagedProcess) -> float:
    """How long the worker says it took to restore the state of `interactions`."""
    found = re.findall(r"interactions: owns partitions .*, state restored in ([\d.]+) s", worker.log_file.read_text(errors="replace"))
    return float(found[-1])


async def _until_durable(stack: Stack, counts: Mapping[str, int], within: float = 300.0) -> None:
    """Wait until so many records of the topics are durable, and what was forwarded too."""
    deadline, said = time.monotonic() + within, 0.0
    wanted = {f"{stack.settings.topic_prefix}{topic}": count for topic, count in counts.items()}
    while True:
        status = await stack.status()
        durable = {topic: sum(sum(worker["durable"].get(topic, {}).values()) for worker in status) for topic in wanted}
        if durable == wanted and all(worker["quiet_seconds"] > 3 for worker in status):
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"after {within:.0f} s {durable} of {wanted} durable")
        if time.monotonic() - said > 10:
            said = time.monotonic()
            say(f"durable: {durable}")
        await asyncio.sleep(0.5)


async def _gauges(stack: Stack) -> Entries:
    """The entries that the workers say they hold."""
    counts: Entries = {"open_requests": 0, "seen_ids": 0, "window_parts": 0}
    for url in stack.metrics_urls:
        text = (await asyncio.to_thread(fetch, f"{url}/metrics") or b"").decode()
        for name in counts:
            for line in text.splitlines():
                if line.startswith("mirante_state{") and 'agent="interactions"' in line and f'"{name}"' in line:
                    counts[name] += int(float(line.rsplit(" ", 1)[1]))
    return counts


# 3. Rebalance


class Growth:
    """When new interactions appeared in ClickHouse, by home partition; samples until cancelled."""

    def __init__(self, stack: Stack) -> None:
        self._client = connect(stack.settings.clickhouse_url)
        self._partitions = stack.settings.partitions
        self._times: defaultdict[int, list[float]] = defaultdict(list)

    async def run(self) -> None:
        sql = f"SELECT kafkaMurmurHash(session_id) % {self._partitions} AS p, count() FROM mirante.interactions_data GROUP BY p"
        counts: dict[int, int] = {}
        while True:
            for p, count in (await asyncio.to_thread(self._client.query, sql)).result_rows:
                if count > counts.get(p, 0):
                    counts[p] = count
                    self._times[p].append(time.monotonic())
            await asyncio.sleep(0.05)

    def longest(self, begin: float, end: float) -> tuple[float, float]:
        """(longest time without any new row, longest time without one of some partition) that ended or lasted in a stretch of time."""
        every = sorted(moment for times in self._times.values() for moment in times)
        return _longest(every, begin, end), max(_longest(times, begin, end) for times in self._times.values())


def _longest(times: Sequence[float], begin: float, end: float) -> float:
    before = max((t for t in times if t < begin), default=begin)
    inside = [before, *(t for t in times if begin <= t <= end), *([end] if not any(t > end for t in times) else [])]
    return max((b - a for a, b in pairwise(inside)), default=0.0)


async def rebalance(kafka: str, *, static: bool) -> list[Row]:
    """The longest time without a new row when a worker joins, leaves, restarts."""
    # With 4 partitions two workers of three would keep all: Faust's assignor moves none while nobody has more than its share, rounded up.
    async with stack_of(kafka, workers=0, partitions="6") as stack:
        workers = [_worker(stack, number, f"worker-{number}" if static else None) for number in (1, 2, 3)]
        try:
            return await _rebalances(stack, workers, "static members" if static else "dynamic members")
        finally:
            await asyncio.gather(*(worker.stop() for worker in workers))


async def _rebalances(stack: Stack, workers: Sequence[ManagedProcess], what: str, settle: float = 15.0) -> list[Row]:
    first, second, third = workers
    await asyncio.gather(first.start(), second.start())
    traffic, growth = Traffic("steady", 1_000.0), Growth(stack)
    publishing = asyncio.ensure_future(publish(traffic.records(), speed=1.0, **client_options(stack.settings)))
    sampling = asyncio.ensure_future(growth.run())
    await asyncio.sleep(WARM_UP + settle)
    spans: dict[str, tuple[float, float]] = {"nothing happens": (time.monotonic() - settle, time.monotonic())}

    async def restart() -> None:
        await second.stop()
        await second.start()

    for name, action in (("a third worker joins", third.start), ("it leaves", third.stop), ("a worker restarts", restart)):
        say(f"{what}: {name}")
        begin = time.monotonic()
        await action()
        await asyncio.sleep(settle)
        spans[name] = begin, time.monotonic()
    traffic.stop = True
    await publishing
    exact = await asyncio.to_thread(check, stack, [traffic.load])
    sampling.cancel()
    with suppress(asyncio.CancelledError):
        await sampling
    rows: list[Row] = []
    for name, (begin, end) in spans.items():
        any_row, of_partition = growth.longest(begin, end)
        rows.append((f"{what}: {name}", f"{any_row:.1f} s without any new row; {of_partition:.1f} s without one of some partition", ""))
    rows.append(("  results", exact, "exact"))
    return rows


def _worker(stack: Stack, number: int, instance_id: str | None) -> ManagedProcess:
    """A worker on a stack that has none of its own, with its own name in the group."""
    worker = stack._worker(number, free_port())
    if instance_id is not None:
        worker._env["MIRANTE_INSTANCE_ID"] = instance_id
    return worker


# 4. ClickHouse away


@dataclass
class Memory:
    """Resident memory of a process in MB, sampled until cancelled."""

    pid: int
    samples: list[tuple[float, float]] = field(default_factory=list)

    async def run(self) -> None:
        while True:
            self.samples.append((time.monotonic(), _resident_mb(self.pid)))
            await asyncio.sleep(0.25)

    def between(self, begin: float, end: float) -> list[float]:
        return [size for moment, size in self.samples if begin <= moment <= end]


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


async def away(kafka: str, seconds: float, rate: float = 2_000.0) -> list[Row]:
    """Kill ClickHouse under traffic, start it again later: memory, time to catch up, results."""
    async with stack_of(kafka, workers=1) as stack:
        assert stack.clickhouse is not None and stack.workers[0].pid is not None
        traffic, memory = Traffic("away", rate), Memory(stack.workers[0].pid)
        publishing = asyncio.ensure_future(publish(traffic.records(), speed=1.0, **client_options(stack.settings)))
        sampling = asyncio.ensure_future(memory.run())
        await asyncio.sleep(30)
        say(f"killing ClickHouse for {seconds:.0f} s")
        gone = time.monotonic()
        await stack.clickhouse.kill()
        while (left := gone + seconds - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 30.0))
            say(f"away for {time.monotonic() - gone:.0f} s: worker at {memory.samples[-1][1]:,.0f} MB")
        back = time.monotonic()
        await stack.clickhouse.start()
        answering = time.monotonic()
        caught_up = await _caught_up(stack, traffic, rate)
        say(f"caught up after {caught_up - answering:.1f} s")
        await asyncio.sleep(20)
        traffic.stop = True
        await publishing
        exact = await asyncio.to_thread(check, stack, [traffic.load])
        sampling.cancel()
        with suppress(asyncio.CancelledError):
            await sampling
    before = statistics.mean(memory.between(gone - 5, gone))
    end = memory.samples[-1][0]
    halves = gone, (gone + back) / 2, back
    during = " and ".join(f"{max(memory.between(a, b)):,.0f}" for a, b in pairwise(halves))
    return [
        (f"ClickHouse away for {seconds:.0f} s: memory before", f"{before:,.0f} MB", ""),
        ("  highest while away (first half and second half)", f"{during} MB", "bounded"),
        ("  highest while catching up", f"{max(memory.between(back, caught_up), default=0):,.0f} MB", "bounded"),
        ("  20 s later", f"{statistics.mean(memory.between(end - 5, end)):,.0f} MB", ""),
        ("  time to catch up (rows less than 3 s behind)", f"{caught_up - answering:.1f} s", ""),
        ("  results", exact, "exact"),
    ]


async def _caught_up(stack: Stack, traffic: Traffic, rate: float, within: float = 600.0) -> float:
    client, deadline = connect(stack.settings.clickhouse_url), time.monotonic() + within
    while time.monotonic() < deadline:
        due = (time.time() - traffic.begun - 3.0 - 1.3) * rate / 2  # an answer comes up to 1.3 s after its request
        if await asyncio.to_thread(_count, client, "SELECT count() FROM mirante.interactions") >= due:
            return time.monotonic()
        await asyncio.sleep(0.2)
    rows = await asyncio.to_thread(_count, client, "SELECT count() FROM mirante.interactions")
    raise SystemExit(f"not caught up {within:.0f} s after ClickHouse came back: {rows:,} of {traffic.pairs:,} interactions")


# Common


def check(stack: Stack, loads: Sequence[Load], within: float = 120.0) -> str:
    """Wait until the public tables hold exactly what was published; says what that is. Ends the program if they never do."""
    client = connect(stack.settings.clickhouse_url)
    totals = [load.totals() for load in loads]
    expected = tuple(sum(getattr(t, name) for t in totals) for name in ("requests", "input_tokens", "output_tokens"))
    sums = "sum(input_tokens), sum(output_tokens), sum(cost_usd)"
    deadline = time.monotonic() + within
    while True:
        ok = "countIf(outcome = 'ok'), uniqExact(request_id)"
        count, answered, distinct, *tokens, cost = client.query(f"SELECT count(), {ok}, {sums} FROM mirante.interactions").result_rows[0]
        windows = client.query(f"SELECT sum(requests), {sums} FROM mirante.cost_windows WHERE window_seconds = 60").result_rows[0]
        once = count == answered == distinct == expected[0]
        if once and tuple(tokens) == expected[1:] and tuple(windows) == (*expected, cost):
            return f"exact: {count:,} interactions once each, {tokens[0]:,} + {tokens[1]:,} tokens, ${cost}"
        if time.monotonic() > deadline:
            found = f"interactions {count} ({answered} ok, {distinct} distinct) {tokens} ${cost}, windows {windows}"
            raise SystemExit(f"wrong result: {found}, expected {expected}")
        time.sleep(0.5)


def _count(client: Client, sql: str) -> int:
    """One number; 0 while the server is away."""
    try:
        return int(str(client.command(sql)))
    except (Error, HTTPError, OSError):
        return 0


def _ago(seconds: float) -> int:
    return int((time.time() - seconds - 60) * 1e6)


if __name__ == "__main__":
    asyncio.run(main())
