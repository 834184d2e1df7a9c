"""Publishing `TimedRecord`s to Kafka: at their recorded speed, N times faster, or as fast as the broker takes them.

Records are handed to the producer as whole batches per partition (streams/batches.py). Within a partition the order of the
iterator is kept. Every batch is acknowledged by all replicas (`acks=all`) before `publish` returns, and a batch that is
refused ends it with an error.

The Kafka timestamp is the moment of publishing and not the event's time: a broker that expires segments by age would
delete a replay of last year's trace as soon as it arrives.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from deploy.traffic.record import SUFFIXES, TimedRecord, TrafficError
from streams.batches import Record, send_records
from streams.partitioner import partitions_of

MAX_SPEED = math.inf
"""The `speed` that means: as fast as possible."""

_CHUNK_RECORDS = 4096
_CHUNK_SECONDS = 0.05
"""Longest stretch of taking records from the source without giving the event loop a turn."""
_CHECK_EVERY = 32
_TICK_SECONDS = 0.05
"""Shortest pause when pacing: records due within it share their batches. The embedded broker looks through all batches at each fetch."""
_LONGEST_NAP_SECONDS = 0.5
_PROGRESS_SECONDS = 0.25
_METADATA_SECONDS = 5.0
"""How long a topic may take to appear: it may just have been created."""
_BATCH_BYTES = 512 * 1024
_REQUEST_BYTES = 32 * 1024 * 1024


class PublishError(TrafficError):
    """Publishing failed; what was acknowledged before stays published."""


@dataclass(frozen=True, slots=True)
class PublishProgress:
    """How far publishing is. `event_time`: epoch seconds of the last record sent, None before there is one."""

    published: int
    """Records acknowledged."""
    total: int | None
    event_time: float | None
    rate: float
    """Records per second since the call before (the last call: over the whole run)."""
    seconds: float


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What was published, all of it acknowledged: records per topic (full names), the time it took, the run name."""

    published: dict[str, int]
    seconds: float
    run: str = ""
    stopped: bool = False
    """True if `stop` ended it before the records did."""

    @property
    def total(self) -> int:
        """Records published to all topics."""
        return sum(self.published.values())

    @property
    def rate(self) -> float:
        """Records per second."""
        return self.total / self.seconds if self.seconds > 0 else 0.0


OnProgress = Callable[[PublishProgress], None]


def parse_speed(text: str) -> float:
    """`max` or a number above 0 (1 = recorded speed, 2 = twice as fast) as the `speed` of `publish`."""
    if text.strip().lower() == "max":
        return MAX_SPEED
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 < speed < math.inf:
        raise TrafficError(f"{text!r} is not a speed; use a number above 0 (1 is the recorded speed) or max.")
    return speed


class _Pace:
    """When a record is due: its distance from the first timed record, divided by the speed."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._origin: float | None = None
        self._started = 0.0

    def wait(self, record: TimedRecord) -> float:
        """Seconds until the record is due; 0 or less if it is."""
        if self._speed == MAX_SPEED or record.time == -math.inf:
            return 0.0
        now = time.perf_counter()
        if self._origin is None:
            self._origin, self._started = record.time, now
        return self._started + (record.time - self._origin) / self._speed - now


class _Source:
    """Takes from the iterator the records that are due."""

    def __init__(self, records: Iterable[TimedRecord], speed: float) -> None:
        self._records: Iterator[TimedRecord] = iter(records)
        self._pace = _Pace(speed)
        self._next: TimedRecord | None = None
        self.ended = False

    def take(self) -> tuple[list[TimedRecord], float]:
        """(records due now, seconds until the next is due). Empty and 0 when `ended`."""
        chunk: list[TimedRecord] = []
        until = time.perf_counter() + _CHUNK_SECONDS
        while len(chunk) < _CHUNK_RECORDS:
            record = self._next
            if record is None:
                record = next(self._records, None)
                if record is None:
                    self.ended = True
                    return chunk, 0.0
            wait = self._pace.wait(record)
            if wait > 0:
                self._next = record
                return chunk, wait
            self._next = None
            chunk.append(record)
            if len(chunk) % _CHECK_EVERY == 0 and time.perf_counter() > until:
                break
        return chunk, 0.0


class _Sender:
    """Fills batches per partition, sends them and counts what is acknowledged."""

    def __init__(self, producer: AIOKafkaProducer, prefix: str) -> None:
        self._producer = producer
        self._prefix = prefix
        self._partitions: dict[str, int] = {}
        self._unkeyed = 0
        self._in_flight: deque[tuple[str, int, asyncio.Future[Any]]] = deque()
        self.acknowledged = 0
        self.per_topic: dict[str, int] = {}

    async def send(self, chunk: list[TimedRecord]) -> None:
        """Sends a chunk. Waits where a partition already has a full batch queued, which bounds what is in flight."""
        for suffix in SUFFIXES:
            records = [record for record in chunk if record.topic == suffix]
            if records:
                await self._send_topic(self._prefix + suffix, records)

    async def _send_topic(self, topic: str, records: list[TimedRecord]) -> None:
        count = self._partitions.get(topic) or await self._partition_count(topic)
        homes = partitions_of([record.key or b"" for record in records], count).tolist()
        by_home: dict[int, list[Record]] = defaultdict(list)
        for record, home in zip(records, homes, strict=True):
            if record.key is None:
                home = self._unkeyed = (self._unkeyed + 1) % count
            by_home[home].append(Record(record.key, record.value))
        for home, each in by_home.items():
            sent = await send_records(self._producer, TopicPartition(topic, home), each)
            self._in_flight += [(topic, batch.records, batch.stored) for batch in sent]

    async def _partition_count(self, topic: str) -> int:
        # Asking for this topic by name would create it on many brokers, with a partition count of their own.
        until = time.monotonic() + _METADATA_SECONDS
        while True:
            partitions = (await self._producer.client.fetch_all_metadata()).partitions_for_topic(topic)
            if partitions:
                self._partitions[topic] = len(partitions)
                return len(partitions)
            if time.monotonic() > until:
                raise PublishError(
                    f"the broker has no topic {topic}. Start a Mirante worker, which creates its topics, or create it; "
                    "check the topic prefix."
                )
            await asyncio.sleep(0.2)

    def collect(self) -> None:
        """Counts the batches acknowledged so far; raises the error of one that was refused."""
        while self._in_flight and self._in_flight[0][2].done():
            topic, count, future = self._in_flight.popleft()
            future.result()
            self.acknowledged += count
            self.per_topic[topic] = self.per_topic.get(topic, 0) + count

    async def drain(self, tick: Callable[[], None]) -> None:
        """Waits until every batch is acknowledged, calling `tick` meanwhile."""
        while self._in_flight:
            await asyncio.wait({self._in_flight[0][2]}, timeout=_PROGRESS_SECONDS)
            self.collect()
            tick()


async def publish(
    records: Iterable[TimedRecord],
    *,
    prefix: str = "llm.",
    speed: float = 1.0,
    total: int | None = None,
    on_progress: OnProgress | None = None,
    stop: asyncio.Event | None = None,
    run: str = "",
    **producer_options: Any,
) -> ReplayResult:
    """Publishes records to the topics `prefix + record.topic` and waits until all are acknowledged.

    `speed`: event seconds per second, or `MAX_SPEED`. `total`: passed on to `on_progress`, which is called about four
    times a second and once at the end. `stop`: when set, no further record is sent; what was sent is still awaited.
    `run`: passed on to the result. `producer_options`: of `AIOKafkaProducer`, first of all `bootstrap_servers`.

    Raises `PublishError` with what to do next. Topics must exist.
    """
    options: dict[str, Any] = {
        "acks": "all",
        "max_batch_size": _BATCH_BYTES,
        "max_request_size": _REQUEST_BYTES,
        "request_timeout_ms": 30_000,
        # Batches are built here, so the producer has nothing to wait for.
        "linger_ms": 0,
        **producer_options,
    }
    where = options.get("bootstrap_servers", "localhost")
    producer = AIOKafkaProducer(**options)
    try:
        await producer.start()
    except (KafkaError, OSError) as error:
        await producer.stop()
        raise PublishError(
            f"no Kafka broker answers at {where} ({error}). Check its address, and that it runs."
        ) from error
    try:
        return await _publish(producer, records, prefix, speed, total, on_progress, stop, run)
    except KafkaError as error:
        raise PublishError(
            f"the broker at {where} refused or lost a batch ({type(error).__name__}: {error}). Check the broker, then "
            "publish again under the same run name: what arrived already is counted once."
        ) from error
    finally:
        await producer.stop()


async def _publish(
    producer: AIOKafkaProducer,
    records: Iterable[TimedRecord],
    prefix: str,
    speed: float,
    total: int | None,
    on_progress: OnProgress | None,
    stop: asyncio.Event | None,
    run: str,
) -> ReplayResult:
    sender, source = _Sender(producer, prefix), _Source(records, speed)
    started = time.perf_counter()
    event_time: float | None = None
    last_seconds, last_count = 0.0, 0

    def tick(final: bool = False) -> None:
        nonlocal last_seconds, last_count
        seconds = time.perf_counter() - started
        if on_progress is None or not (final or seconds - last_seconds >= _PROGRESS_SECONDS):
            return
        since, count = seconds, sender.acknowledged
        if not final:
            since, count = since - last_seconds, count - last_count
        last_seconds, last_count = seconds, sender.acknowledged
        rate = count / since if since > 0 else 0.0
        on_progress(PublishProgress(sender.acknowledged, total, event_time, rate, seconds))

    stopped = False
    while not source.ended:
        if stop is not None and stop.is_set():
            stopped = True
            break
        chunk, wait = source.take()
        if chunk:
            await sender.send(chunk)
            if math.isfinite(chunk[-1].time):
                event_time = chunk[-1].time
        sender.collect()
        tick()
        await _nap(min(max(wait, _TICK_SECONDS), _LONGEST_NAP_SECONDS) if wait > 0 else 0.0, stop)
    await sender.drain(tick)
    tick(final=True)
    return ReplayResult(sender.per_topic, time.perf_counter() - started, run, stopped)


async def _nap(seconds: float, stop: asyncio.Event | None) -> None:
    """Sleeps, or less if `stop` is set meanwhile. Even 0 seconds give the producer's own task its turn."""
    if stop is None or seconds == 0:
        await asyncio.sleep(seconds)
        return
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return  # the nap is over and nobody asked to stop
