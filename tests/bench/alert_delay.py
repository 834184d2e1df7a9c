"""How long money takes to become an alert, and a kill to be known. Run it: `python -m tests.bench.alert_delay`.

Beside steady traffic (without users) single calls of users of their own cross a budget of $0.001 per user. Measured from the moment the
broker has acknowledged the response that crosses it until a consumer has the alert from `llm.alerts`; and from `mirante kill`'s write
until a consumer has it from `llm.controls`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rich.console import Console

from schemas.outputs import Control
from streams.cli.kill import _send
from streams.kafka import client_options
from streams.topics import Topics
from streams.traffic.load import Load
from streams.traffic.publisher import publish
from tests.bench.throughput import fresh_stack

BUDGET = {"name": "probe", "by": "user", "limit": "0.001", "window": "rolling 24h"}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=5_000, help="events per second")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--probes", type=float, default=5, help="calls per second that cross a budget")
    parser.add_argument("--kills", type=int, default=20)
    args = parser.parse_args()
    each_its_own = {"pages_per_hour": 0, "tickets_per_hour": 1_000_000}  # beyond it users are told of by a digest
    async with fresh_stack(workers=1, budgets=[BUDGET], alerts=each_its_own) as stack:
        topics, options = Topics.of(stack.settings), client_options(stack.settings)
        load = Load(args.rate * args.seconds // 2, "alerts", int(time.time() * 1e6), rate=args.rate / 2)
        published = asyncio.ensure_future(publish(load.records(), speed=1.0, **options))
        sent: dict[str, float] = {}
        probes = int(args.probes * (args.seconds - 10))
        alerts = asyncio.ensure_future(arrivals(topics.alerts, options, probes, lambda alert: alert["labels"]["user"]))
        await asyncio.sleep(5)
        async with AIOKafkaProducer(**options) as producer:
            for n in range(probes):
                await probe(producer, topics, f"probe-{n}", sent)
                await asyncio.sleep(1 / args.probes)
        seen = await asyncio.wait_for(alerts, 60)
        await published
        controls = asyncio.ensure_future(arrivals(topics.controls, options, args.kills, lambda control: control["scope"]))
        await asyncio.sleep(2)
        killed: dict[str, float] = {}
        for n in range(args.kills):
            killed[f"user:{n}"] = time.time()
            await _send(stack.settings, Control(scope=f"user:{n}", action="kill", time=datetime.now(UTC), reason="bench"))
        known = await asyncio.wait_for(controls, 30)
    console = Console(width=110)
    report(console, f"from the event to the alert at {args.rate:,} events/s", [seen[u] - sent[u] for u in sent], "p99 under 1.5 s")
    report(console, "from `mirante kill` to the record on llm.controls", [known[s] - killed[s] for s in killed], "under 0.2 s")


def report(console: Console, what: str, delays: list[float], aim: str) -> None:
    p50, p95, p99 = np.percentile(delays, [50, 95, 99])
    console.print(f"{what}: p50 {p50:.2f} s, p95 {p95:.2f} s, p99 {p99:.2f} s, max {max(delays):.2f} s, {len(delays)} times   (aim: {aim})")


async def arrivals(topic: str, options: dict[str, Any], count: int, key: Any) -> dict[str, float]:
    """When the first record of each key arrived, for ``count`` keys."""
    found: dict[str, float] = {}
    async with AIOKafkaConsumer(topic, **options, auto_offset_reset="earliest", fetch_max_wait_ms=20) as consumer:
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                now = time.time()
                for record in records:
                    found.setdefault(key(json.loads(record.value)), now)
    return found


async def probe(producer: AIOKafkaProducer, topics: Topics, name: str, sent: dict[str, float]) -> None:
    now = datetime.now(UTC)
    common = {"time": now, "request_id": name, "session_id": name, "tenant": "probes"}
    request = {**common, "event_id": f"q-{name}", "provider": "openai", "model": "gpt-4o", "user_id": name}
    response = {**common, "event_id": f"a-{name}", "response_id": f"r-{name}", "status": "ok", "cost_usd": 0.01}
    for topic, event in ((topics.requests, request), (topics.responses, response)):
        await producer.send_and_wait(topic, msgspec.json.encode(event), key=name.encode())
    sent[name] = time.time()


if __name__ == "__main__":
    asyncio.run(main())
