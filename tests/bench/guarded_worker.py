"""What the guards cost a whole worker, with Kafka and ClickHouse: `python -m tests.bench.guarded_worker`. One run of each, in turn, on
the traffic of the throughput benchmark (1 kB, nothing to find) and on the demo's (conversations, en and pt, documents, tools)."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from deploy.traffic.demo import demo
from deploy.traffic.publisher import MAX_SPEED, publish
from deploy.traffic.record import REQUESTS, RESPONSES, TimedRecord
from streams.kafka import client_options
from tests.bench import smoke
from tests.bench.throughput import START_US, fresh_stack, run_worker
from tests.load import Load

GUARDED, UNGUARDED = "deploy.cli", "tests.bench.unguarded"

TRAFFIC = ["load", "demo"]


def traffic(name: str, events: int) -> list[TimedRecord]:
    records: Iterable[TimedRecord]
    if name == "load":
        records = Load(pairs=events // 2, run="guards", start_us=START_US, rate=1_000.0).records()
    else:
        records = demo(start=datetime.fromtimestamp(START_US / 1e6, UTC), rate=500.0, count=events // 2)
    return list(records)


async def measure(module: str, records: list[TimedRecord]) -> float:
    """Requests and responses per second."""
    events = sum(record.topic in (REQUESTS, RESPONSES) for record in records)
    async with fresh_stack() as stack:
        await publish(iter(records), speed=MAX_SPEED, **client_options(stack.settings))
        run = await run_worker(stack, [sys.executable, "-m", module, "worker"], events)
    return events / run.seconds


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--traffic", choices=TRAFFIC, nargs="+", default=TRAFFIC)
    args = smoke.parse(parser, events=1_000, traffic=["demo"])
    table = Table("traffic", "off, events/s", "on, events/s", "falls by (aim: < 35%)", title="A worker with guards off and on")
    for name in args.traffic:
        records = traffic(name, args.events)
        off, on = await measure(UNGUARDED, records), await measure(GUARDED, records)
        table.add_row(name, f"{off:,.0f}", f"{on:,.0f}", f"{1 - on / off:.1%}")
    Console(width=100).print(table)


if __name__ == "__main__":
    asyncio.run(main())
