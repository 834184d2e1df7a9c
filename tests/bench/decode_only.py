"""Fetch and decode everything in the input topics: the ceiling of the throughput benchmark. Prints the seconds it took."""

from __future__ import annotations

import asyncio
import sys
import time

from aiokafka import TopicPartition

from deploy.traffic.publisher import MAX_SPEED, publish
from schemas.decoding import decode_with_unknown
from streams.fetching import Consumer
from streams.kafka import client_options
from streams.settings import load_settings
from streams.topics import Topics
from tests.bench import smoke
from tests.bench.throughput import START_US, fresh_stack
from tests.load import Load


async def main(bootstrap: str, events: int) -> None:
    settings = load_settings(kafka_bootstrap=bootstrap)
    topics = Topics.of(settings)
    # As the worker's consumer reads.
    reader = Consumer(
        **client_options(settings),
        group_id=None,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=1024 * 1024,
        fetch_max_bytes=50 << 20,
    )
    await reader.start()
    reader.assign([TopicPartition(t, p) for t in (topics.requests, topics.responses) for p in range(settings.partitions)])
    seen, begun = 0, 0.0
    while seen < events:
        for tp, records in (await reader.getmany(timeout_ms=1000, max_records=2000)).items():
            begun = begun or time.perf_counter()
            kind = topics.kind_of(tp.topic)
            for record in records:
                decode_with_unknown(kind, record.value)
            seen += len(records)
    print(time.perf_counter() - begun)
    await reader.stop()


async def small() -> None:
    load = Load(pairs=smoke.EVENTS // 2, run="decode", start_us=START_US, rate=1_000.0)
    async with fresh_stack() as stack:
        await publish(load.records(), speed=MAX_SPEED, **client_options(stack.settings))
        await main(stack.settings.kafka_bootstrap, smoke.EVENTS)


if __name__ == "__main__":
    if smoke.asked_for():
        asyncio.run(small())
    else:
        asyncio.run(main(sys.argv[1], int(sys.argv[2])))
