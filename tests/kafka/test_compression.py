"""What Apache Kafka gives to a reader: compressed by producer or topic, in transactions, and broken by its disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import TopicPartition
from confluent_kafka import Producer

from deploy.kafka import runtime
from deploy.kafka.apache import ApacheKafka
from streams.fetching import Consumer, Unreadable, deliver
from tests.kafka_clients import create_topic, produce
from tests.raw_batches import CODECS, append_unreadable

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.skipif(runtime.missing() is not None, reason=str(runtime.missing()))]

LONG = [b"%d: " % n + b"the same again " * 20 for n in range(50)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ApacheKafka]:
    folder: Path = tmp_path_factory.mktemp("kafka")
    async with ApacheKafka(data_dir=folder / "data", log_dir=folder / "logs") as running:
        yield running


async def read(kafka: ApacheKafka, topic: str) -> list[Any]:
    """Everything in a topic's one partition, as the worker reads."""
    tp, records = TopicPartition(topic, 0), []
    async with Consumer(bootstrap_servers=kafka.bootstrap, isolation_level="read_committed", unreadable=deliver) as consumer:
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end = (await consumer.end_offsets([tp]))[tp]
        while await consumer.position(tp) < end:
            records += (await consumer.getmany(tp, timeout_ms=500)).get(tp, [])
    return records


def librdkafka(kafka: ApacheKafka, **config: Any) -> Producer:
    return Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 50, **config})


@pytest.mark.parametrize("codec", CODECS)
async def test_the_producer_compresses(kafka: ApacheKafka, codec: str) -> None:
    topic = f"producer-{codec}"
    await create_topic(kafka.bootstrap, topic)
    producer = librdkafka(kafka, **{"compression.type": codec})
    for value in LONG:
        producer.produce(topic, value, b"k", headers=[("h", b"1")])
    assert producer.flush(30) == 0
    assert [(r.key, r.value, r.headers) for r in await read(kafka, topic)] == [(b"k", value, (("h", b"1"),)) for value in LONG]


@pytest.mark.parametrize("codec", ["uncompressed", "gzip", "snappy", "lz4", "zstd"])
async def test_the_topic_compresses(kafka: ApacheKafka, codec: str) -> None:
    topic = f"topic-{codec}"
    await create_topic(kafka.bootstrap, topic, configs={"compression.type": codec})
    await produce(kafka.bootstrap, topic, LONG, compression_type="gzip" if codec == "uncompressed" else None)
    assert [r.value for r in await read(kafka, topic)] == LONG


@pytest.mark.parametrize("codec", CODECS)
async def test_of_transactions_what_was_committed_is_read_tombstones_too(kafka: ApacheKafka, codec: str) -> None:
    topic = f"transactions-{codec}"
    await create_topic(kafka.bootstrap, topic)
    producer = librdkafka(kafka, **{"transactional.id": topic, "compression.type": codec})
    producer.init_transactions(30)
    for values, end in (([b"no"] * 9, producer.abort_transaction), ([b"yes", None], producer.commit_transaction)):
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value, b"k")
        producer.flush(30)
        end(30)
    assert [(r.key, r.value) for r in await read(kafka, topic)] == [(b"k", b"yes"), (b"k", None)]


async def test_what_its_disk_has_broken_is_named_and_what_follows_is_read(kafka: ApacheKafka) -> None:
    await create_topic(kafka.bootstrap, "broken")
    await produce(kafka.bootstrap, "broken", [b"before"])
    raw, first = await append_unreadable(kafka, "broken", 0, 3)
    await produce(kafka.bootstrap, "broken", [b"after"])
    before, found, after = await read(kafka, "broken")
    assert isinstance(found, Unreadable)
    assert (found.offset, found.last_offset, found.reason, found.value) == (first, first + 2, "wrong checksum (CRC)", raw)
    assert (before.value, after.value) == (b"before", b"after")
