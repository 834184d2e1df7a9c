"""Records to Kafka as whole batches per partition: `AIOKafkaProducer.send` costs 10 to 40 microseconds a record, a batch 2 to 3."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.effects import Headers, Message


class Record(NamedTuple):
    key: bytes | None
    value: bytes
    headers: Headers = ()


class Sent(NamedTuple):
    """A batch on its way. ``stored``: done when all replicas have it, or the broker has refused it."""

    records: int
    stored: asyncio.Future[Any]


async def send_records(producer: AIOKafkaProducer, tp: TopicPartition, records: Iterable[Record]) -> list[Sent]:
    """Send to one partition, in this order. Waits where a batch is queued already, which bounds what is in flight.

    Raises ``KafkaTimeoutError`` if that does not go within the producer's time.
    """
    now = int(time.time() * 1000)
    sent: list[Sent] = []
    batch = producer.create_batch()
    for key, value, headers in records:
        if batch.append(timestamp=now, key=key, value=value, headers=list(headers)) is None:  # full
            sent.append(await _submit(producer, tp, batch))
            batch = producer.create_batch()
            batch.append(timestamp=now, key=key, value=value, headers=list(headers))
    sent.append(await _submit(producer, tp, batch))
    return sent


async def _submit(producer: AIOKafkaProducer, tp: TopicPartition, batch: Any) -> Sent:
    batch.close()
    return Sent(batch.record_count(), await producer.send_batch(batch, tp.topic, partition=tp.partition))


async def store(producer: AIOKafkaProducer, messages: Sequence[Message]) -> None:
    """Send, in order within each partition, and wait until all are stored. Raises ``KafkaError`` if one is not; others may be."""
    by_partition: dict[TopicPartition, list[Record]] = defaultdict(list)
    for topic, partition, key, value, headers in messages:
        by_partition[TopicPartition(topic, partition)].append(Record(key, value, headers))
    await asyncio.gather(*(_stored(producer, tp, records) for tp, records in by_partition.items()))


async def _stored(producer: AIOKafkaProducer, tp: TopicPartition, records: Sequence[Record]) -> None:
    await asyncio.gather(*(batch.stored for batch in await send_records(producer, tp, records)))
