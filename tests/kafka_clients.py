"""Small Kafka clients for tests: create a topic, write, read, join a group."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

TIMEOUT = 30.0


@asynccontextmanager
async def admin_client(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def create_topic(
    bootstrap: str, topic: str, partitions: int = 1, replicas: int = 1, configs: dict[str, str] | None = None
) -> None:
    async with admin_client(bootstrap) as client:
        answer = await client.create_topics([NewTopic(topic, partitions, replicas, topic_configs=configs)])
    error_code = answer.topic_errors[0][1]
    assert error_code == 0, answer


async def produce(bootstrap: str, topic: str, values: Iterable[bytes], **settings: object) -> list[int]:
    """Write to partition 0, each value acknowledged by all; returns the offsets."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", **settings) as producer:
        return [(await producer.send_and_wait(topic, value, partition=0)).offset for value in values]


async def consume(bootstrap: str, topic: str, count: int, **settings: object) -> list[ConsumerRecord]:
    """The first `count` records a new consumer gets; commits when it has a group."""
    records: list[ConsumerRecord] = []
    async with asyncio.timeout(TIMEOUT), group_member(bootstrap, topic, **settings) as consumer:
        while len(records) < count:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += batch
        if "group_id" in settings:
            await consumer.commit()
    return records


@asynccontextmanager
async def group_member(bootstrap: str, topic: str, **settings: object) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that starts at the beginning and commits only when told to. Without `group_id`: no group."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **{"session_timeout_ms": 3000, "heartbeat_interval_ms": 300, **settings},
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


def values(records: Iterable[ConsumerRecord]) -> list[bytes]:
    return [record.value for record in records]


async def read_all(bootstrap: str, topic: str) -> list[ConsumerRecord]:
    """Everything in a topic, all partitions: reads until nothing more comes for a second."""
    records: list[ConsumerRecord] = []
    async with asyncio.timeout(TIMEOUT), group_member(bootstrap, topic, group_id=None) as consumer:
        while batches := await consumer.getmany(timeout_ms=1000):
            for batch in batches.values():
                records += batch
    return records
