"""The SDK over Kafka, on a real broker: events keyed as the contract says, switches read from the
start of their topic.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import mirante
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.embedded.broker_api import Broker
from streams.partitioner import partition_of

PARTITIONS = 4


async def create_topics(bootstrap: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    names = ("requests", "responses", "feedback", "evaluations", "controls")
    await admin.create_topics([NewTopic(prefix + name, PARTITIONS, 1) for name in names])
    await admin.close()


async def write_control(bootstrap: str, topic: str, scope: str, action: str, **fields: Any) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    control = {
        "scope": scope,
        "action": action,
        "time": "2026-01-01T00:00:00Z",
        "source": "operator",
        "reason": "",
        **fields,
    }
    await producer.send_and_wait(topic, json.dumps(control).encode(), key=scope.encode())
    await producer.stop()


async def read_all(bootstrap: str, topic: str, number: int) -> list[Any]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest"
    )
    await consumer.start()
    partitions = [TopicPartition(topic, n) for n in range(PARTITIONS)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    found: list[Any] = []
    deadline = time.monotonic() + 15
    while len(found) < number and time.monotonic() < deadline:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            found += records
    await consumer.stop()
    return found


def killed_within(client: mirante.Client, seconds: float, **fields: Any) -> float:
    """Seconds until a call is refused."""
    begun = time.monotonic()
    while time.monotonic() < begun + seconds:
        try:
            client.call(lambda request: "fine", model="m", **fields)
        except mirante.Killed:
            return time.monotonic() - begun
        time.sleep(0.01)
    raise AssertionError(f"not refused within {seconds} s")


async def test_events_reach_the_partition_of_their_session(
    broker: Broker, topic_prefix: str
) -> None:
    await create_topics(broker.bootstrap, topic_prefix)

    def publish() -> mirante.Stats:
        with mirante.Client(kafka=broker.bootstrap, topic_prefix=topic_prefix) as client:
            for number in range(50):
                client.call(lambda request: "fine", model="m", session_id=f"s{number % 7}")
            client.call(lambda request: "fine", model="m")
            assert client.flush(20)
            return client.stats

    assert (await asyncio.to_thread(publish)).published == 102
    for topic in ("requests", "responses"):
        records = await read_all(broker.bootstrap, topic_prefix + topic, 51)
        assert len(records) == 51
        for record in records:
            event = json.loads(record.value)
            assert record.key.decode() == event.get("session_id", event["request_id"])
            assert record.partition == partition_of(record.key, PARTITIONS)


async def test_switches_are_known_from_the_start_and_obeyed_within_a_second(
    broker: Broker, topic_prefix: str
) -> None:
    await create_topics(broker.bootstrap, topic_prefix)
    topic = topic_prefix + "controls"
    await write_control(broker.bootstrap, topic, "feature:old", "kill")
    await write_control(broker.bootstrap, topic, "feature:restored", "kill")
    await write_control(broker.bootstrap, topic, "feature:restored", "restore")
    client = mirante.Client(
        kafka=broker.bootstrap,
        topic_prefix=topic_prefix,
        controls_unknown="closed",
        controls_wait=20,
    )
    try:
        with pytest.raises(mirante.Killed) as refused:
            await asyncio.to_thread(
                lambda: client.call(lambda request: "fine", model="m", feature="old")
            )
        assert refused.value.by == "kill_switch"
        assert client.call(lambda request: "fine", model="m", feature="restored").text == "fine"
        watching = asyncio.create_task(
            asyncio.to_thread(killed_within, client, 10.0, feature="new")
        )
        await asyncio.sleep(0.2)
        written = time.monotonic()
        await write_control(broker.bootstrap, topic, "feature:new", "kill")
        await watching
        assert time.monotonic() - written < 2.0
    finally:
        await asyncio.to_thread(client.close)
