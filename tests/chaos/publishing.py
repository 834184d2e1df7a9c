"""Publishing to a broker as many services do, each with a client and a codec of its own; and reading back what lies there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.chaos.records import CODECS, Outgoing, Stored

PAUSE = 0.02
"""Shortest pause when pacing, seconds."""

PATIENCE = 60.0
"""Seconds without a record after which a reader that has not seen all gives up."""


AHEAD_AT_MOST = 3_500.0
"""Seconds by which a record's Kafka time may be ahead: Apache Kafka refuses more than an hour
(``message.timestamp.after.max.ms``)."""


async def publish(records: Iterable[Outgoing], prefix: str, options: Mapping[str, Any], *, paced: bool = True) -> int:
    """Publish all, at their times if ``paced``; returns how many once every one is acknowledged. ``options``: of the clients.

    A client that lost an answer sends again, so that a record may lie in its topic twice.
    """
    producers = {codec: AIOKafkaProducer(**options, compression_type=codec, acks="all", linger_ms=5) for codec in CODECS}
    try:
        for producer in producers.values():
            await producer.start()
        return await _publish(records, prefix, producers, paced)
    finally:
        await asyncio.gather(*(producer.stop() for producer in producers.values()))


async def _publish(records: Iterable[Outgoing], prefix: str, producers: Mapping[str | None, AIOKafkaProducer], paced: bool) -> int:
    count, waiting = 0, set[asyncio.Future[Any]]()
    for record in records:
        if paced and (early := record.at - time.time()) > PAUSE:
            await asyncio.sleep(early)
        stored = await producers[record.codec].send(
            prefix + record.topic, record.value, record.key, record.partition,
            timestamp_ms=None if record.created is None else int(min(record.created, time.time() + AHEAD_AT_MOST) * 1000),
        )  # fmt: skip
        count += 1
        waiting.add(stored)
        if len(waiting) > 5_000:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for future in done:
                future.result()
    await asyncio.gather(*waiting)
    return count


async def read_back(topics: Sequence[str], prefix: str, partitions: int, options: Mapping[str, Any]) -> list[Stored]:
    """Every record that lies in these topics (given by kind), as a consumer outside any group sees it."""
    tps = [TopicPartition(prefix + topic, p) for topic in topics for p in range(partitions)]
    found: list[Stored] = []
    reader = AIOKafkaConsumer(**options, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest")
    await reader.start()
    try:
        reader.assign(tps)
        ends, heard = await reader.end_offsets(tps), time.monotonic()
        while behind := [tp for tp in tps if await reader.position(tp) < ends[tp]]:
            if time.monotonic() - heard > PATIENCE:
                raise TimeoutError(f"nothing came for {PATIENCE:.0f} s of {behind}, which end at {[ends[tp] for tp in behind]}")
            for tp, records in (await reader.getmany(timeout_ms=500)).items():
                heard, kind = time.monotonic(), tp.topic.removeprefix(prefix)
                found += [Stored(kind, tp.partition, r.offset, r.key, r.value, r.timestamp / 1000) for r in records]
    finally:
        await reader.stop()
    return found
