"""What the guards cost a whole worker, with Kafka and ClickHouse: `python -m tests.bench.guarded_worker`. One run of each, in turn."""

from __future__ import annotations

import argparse
import asyncio
import sys

from streams.kafka import client_options
from streams.traffic.load import Load
from streams.traffic.publisher import MAX_SPEED, publish
from tests.bench.throughput import START_US, fresh_stack, run_worker


async def measure(module: str, events: int) -> float:
    """Events per second."""
    load = Load(pairs=events // 2, run="guards", start_us=START_US, rate=1_000.0)
    async with fresh_stack() as stack:
        await publish(load.records(), speed=MAX_SPEED, **client_options(stack.settings))
        seconds, _ = await run_worker(stack, [sys.executable, "-m", module, "worker"], events)
    return events / seconds


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    events = parser.parse_args().events
    off = await measure("tests.bench.unguarded", events)
    on = await measure("streams.cli", events)
    print(f"worker on 1 kB events: guards off {off:,.0f}/s, on {on:,.0f}/s, falls by {1 - on / off:.1%} (aim: < 35%)")


if __name__ == "__main__":
    asyncio.run(main())
