"""Records into Kafka: what requests bring at the same time goes out together, and each learns when
its own records are stored."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from deploy.ingest.otlp import LOGS, TRACES, topic_of
from deploy.ingest.problems import HttpProblem
from streams.batches import Record, send_records
from streams.kafka import (
    BrokerUnavailable,
    TopicMismatch,
    ensure_topics,
    message_limits,
    new_producer,
)
from streams.partitioner import partitions_of
from streams.settings import Settings
from streams.topics import MAX_MESSAGE_BYTES, Topic, Topics

log = logging.getLogger(__name__)

WRITE_SECONDS = 5.0
"""Until the broker must have taken a batch."""

PROBE_SECONDS = 2.0
RECONNECT_SECONDS = 1.0
RETRY_AFTER = 2
OVERHEAD = 1024
"""Bytes that a record and its batch add to a value, with room to spare."""


class ToWrite(NamedTuple):
    """A record and where it goes: the key says which partition, without one they take turns."""

    topic: str
    record: Record


class _Request(NamedTuple):
    records: Sequence[ToWrite]
    stored: asyncio.Future[None]


class EventWriter:
    """``run`` connects and writes until it is cancelled; ``store`` waits for Kafka's word."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._waiting: list[_Request] = []
        self._arrived = asyncio.Event()
        self._turn = itertools.count()
        self._limits: dict[str, int] = {}
        self._partitions: dict[str, int] = {}
        self._problem = f"not connected to Kafka at {settings.kafka_bootstrap} yet"
        self.connected = asyncio.Event()

    def limit(self, topic: str) -> int:
        """Bytes that the value of a message in this topic may have."""
        return min(self._limits.get(topic, MAX_MESSAGE_BYTES), MAX_MESSAGE_BYTES) - OVERHEAD

    async def store(self, records: Sequence[ToWrite]) -> None:
        """Return when all replicas have all of it. Raises Problem: 413 for a record that is too
        large for its topic, 503 otherwise; then some of it may be stored."""
        if not self.connected.is_set():
            raise _away(self._problem)
        if not records:
            return
        request = _Request(records, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self._arrived.set()
        await request.stored

    async def problem(self) -> str:
        """Why nothing can be written now; empty when it can."""
        if not self.connected.is_set() or self._producer is None:
            return self._problem
        try:
            await asyncio.wait_for(self._producer.client.fetch_all_metadata(), PROBE_SECONDS)
        except (KafkaError, OSError, TimeoutError) as error:
            where = self._settings.kafka_bootstrap
            return f"Kafka at {where} does not answer ({error or 'no answer in time'})"
        return ""

    async def run(self) -> None:
        """Connect, as often as it takes, then write."""
        try:
            self._producer = await self._connect()
            self.connected.set()
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                together, self._waiting = self._waiting, []
                await self._write(self._producer, together)
        finally:
            self.connected.clear()
            self._problem = "this ingest is stopping"
            self._give_up(_away(self._problem))
            if self._producer is not None:
                await self._producer.stop()

    async def _connect(self) -> AIOKafkaProducer:
        names, count = Topics.of(self._settings), self._settings.partitions
        own = [topic for topic in names.all() if topic.name in (*names.events, names.controls)]
        large = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
        telemetry = [Topic(topic_of(signal, self._settings), count, large) for signal in (TRACES, LOGS)]
        written = [*names.events, *(topic.name for topic in telemetry)]
        while True:
            producer = new_producer(self._settings, request_timeout_ms=round(WRITE_SECONDS * 1000))
            try:
                await ensure_topics(self._settings, own)
                with suppress(TopicMismatch):  # a Collector's own: without keys any number will do
                    await ensure_topics(self._settings, telemetry)
                self._limits = await message_limits(self._settings, written)
                await producer.start()
                for topic in written:
                    self._partitions[topic] = len(await producer.partitions_for(topic))
                return producer
            except (BrokerUnavailable, TopicMismatch, KafkaError, OSError) as error:
                await producer.stop()
                self._problem = str(error)
                log.warning("%s", error)
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _write(self, producer: AIOKafkaProducer, requests: Sequence[_Request]) -> None:
        """Write what several requests brought; each is told what became of its own records."""
        faults: dict[int, HttpProblem] = dict.fromkeys(range(len(requests)), _away("it was not written"))
        try:
            routed = self._routed(requests)
            outcomes = await asyncio.gather(
                *(self._send(producer, tp, [r for _, r in owned]) for tp, owned in routed.items())
            )
            faults = {}
            for (tp, owned), problem in zip(routed.items(), outcomes, strict=True):
                if problem is not None:
                    log.warning("%s %d: %s", *tp, problem)
                    faults.update((number, problem) for number, _ in owned)
        finally:  # whatever happens, nobody waits for ever
            for number, request in enumerate(requests):
                _settle(request, faults.get(number))
        if any(problem.status == 503 for problem in faults.values()):
            self._give_up(_away("Kafka did not take what came before"))

    def _routed(
        self, requests: Sequence[_Request]
    ) -> dict[TopicPartition, list[tuple[int, Record]]]:
        """Records by partition, in order, each with the number of its request."""
        owned = [(n, to) for n, request in enumerate(requests) for to in request.records]
        hashed = partitions_of([to.record.key or b"" for _, to in owned], self._settings.partitions)
        routed: dict[TopicPartition, list[tuple[int, Record]]] = defaultdict(list)
        for (number, to), home in zip(owned, hashed.tolist(), strict=True):
            turn = to.record.key is None
            partition = next(self._turn) % self._partitions[to.topic] if turn else home
            routed[TopicPartition(to.topic, partition)].append((number, to.record))
        return routed

    async def _send(
        self, producer: AIOKafkaProducer, tp: TopicPartition, records: Sequence[Record]
    ) -> HttpProblem | None:
        """Why not all of it is stored; None when it is."""
        try:
            sent = await send_records(producer, tp, records)
            await asyncio.gather(*(batch.stored for batch in sent))
        except MessageSizeTooLargeError:
            return HttpProblem(413, f"an event is larger than the topic {tp.topic} takes")
        except KafkaError as error:
            return _away(f"Kafka did not take it ({type(error).__name__}: {error})")
        return None

    def _give_up(self, problem: HttpProblem) -> None:
        """Answer all who wait: their turn would not come in time."""
        for request in self._waiting:
            _settle(request, problem)
        self._waiting = []


def _settle(request: _Request, problem: HttpProblem | None) -> None:
    if request.stored.done():
        return  # whoever waited has been cancelled
    if problem is None:
        request.stored.set_result(None)
    else:
        request.stored.set_exception(problem)


def _away(message: str) -> HttpProblem:
    return HttpProblem(503, message, retry_after=RETRY_AFTER)
