"""Records to Kafka as whole batches per partition: `AIOKafkaProducer.send` costs 10 to 40 microseconds a record, a batch 2 to 3."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.effects import Headers, OutgoingMessage


class Record(NamedTuple):
    key: bytes | None
    value: bytes
    headers: Headers = ()


_NO_HEADERS: list[tuple[str, bytes]] = []


class Sent(NamedTuple):
    """A batch on its way. ``stored``: done when all replicas have it, or the broker has refused it."""

    records: int
    stored: asyncio.Future[Any]


async def send_records(producer: AIOKafkaProducer, tp: TopicPartition, records: Iterable[Record | OutgoingMessage]) -> list[Sent]:
    """Send to one partition, in this order. Waits where a batch is queued already, which bounds what is in flight.

    Raises ``KafkaTimeoutError`` if that does not go within the producer's time.
    """
    now = int(time.time() * 1000)
    sent: list[Sent] = []
    batch = producer.create_batch()
    for record in records:
        key, value = record.key, record.value
        headers = list(record.headers) if record.headers else _NO_HEADERS
        if batch.append(timestamp=now, key=key, value=value, headers=headers) is None:  # full
            sent.append(await _submit(producer, tp, batch))
            batch = producer.create_batch()
            batch.append(timestamp=now, key=key, value=value, headers=headers)
    sent.append(await _submit(producer, tp, batch))
    return sent


async def _submit(producer: AIOKafkaProducer, tp: TopicPartition, batch: Any) -> Sent:
    batch.close()
    return Sent(batch.record_count(), await producer.send_batch(batch, tp.topic, partition=tp.partition))


async def store(producer: AIOKafkaProducer, messages: Sequence[OutgoingMessage]) -> None:
    """Send, in order within each partition, and wait until all are stored. Raises ``KafkaError`` if one is not; others may be."""
    by_partition: dict[tuple[str, int], list[OutgoingMessage]] = defaultdict(list)
    for message in messages:
        by_partition[message.topic, message.partition].append(message)
    await asyncio.gather(*(_stored(producer, TopicPartition(*tp), records) for tp, records in by_partition.items()))


async def _stored(producer: AIOKafkaProducer, tp: TopicPartition, records: Sequence[OutgoingMessage]) -> None:
    await asyncio.gather(*(batch.stored for batch in await send_records(producer, tp, records)))
