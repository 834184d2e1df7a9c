"""How long money takes to become an alert and a switch, and a kill to be known. Run it: `python -m tests.bench.alert_delay`.

Beside steady traffic (without users) single calls of users of their own cross a budget of $0.001 per user. Measured from the moment the
broker has acknowledged the response that crosses it until a consumer has the alert from `llm.alerts`; and from `mirante kill`'s write
until a consumer has it from `llm.controls`. A rule kills each of these users; the
parts of its delay are the times that Kafka's records bear.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rich.console import Console

from deploy.operator import author, write_control
from deploy.traffic.publisher import publish
from schemas.findings import Findings
from schemas.group_usage import UsageParts
from schemas.outputs import Control
from streams.kafka import client_options
from streams.settings import Settings
from streams.topics import Topics
from tests.bench import smoke
from tests.bench.throughput import fresh_stack
from tests.kafka_clients import read_all
from tests.load import Load

KILL = {"on": "BudgetExhausted", "action": "kill", "scope": "user:{user}"}
BUDGET = {"name": "probe", "by": "user", "limit": "0.001", "window": "rolling 24h"}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=5_000, help="events per second")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--probes", type=float, default=5, help="calls per second that cross a budget")
    parser.add_argument("--kills", type=int, default=20)
    args = smoke.parse(parser, rate=200, seconds=12, probes=5, kills=2)
    each_its_own = {"pages_per_hour": 0, "tickets_per_hour": 1_000_000}  # beyond it users are told of by a digest
    async with fresh_stack(workers=1, budgets=[BUDGET], switches=[KILL], alerts=each_its_own) as stack:
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
        await asyncio.sleep(3)
        steps = await written(stack.settings, topics, sent)
        controls = asyncio.ensure_future(arrivals(topics.controls, options, args.kills, lambda control: control["scope"], "operator"))
        await asyncio.sleep(2)
        killed: dict[str, float] = {}
        for n in range(args.kills):
            killed[f"user:{n}"] = time.time()
            kill = Control(scope=f"user:{n}", action="kill", time=datetime.now(UTC), reason="bench")
            await write_control(stack.settings, kill, author())
        known = await asyncio.wait_for(controls, 30)
    console = Console(width=110)
    report(console, f"from the event to the alert at {args.rate:,} events/s", [seen[u] - sent[u] for u in sent], "p99 under 1.5 s")
    for (before, _), (name, _) in pairwise(steps):
        report(console, f"  {before} to {name}", [at[name] - at[before] for at in steps_of(steps, sent)], "")
    last = steps[-1][0]
    report(console, "from the event to the switch", [at[last] - at["event"] for at in steps_of(steps, sent)], "p99 under 2 s")
    report(console, "from `mirante kill` to the record on llm.controls", [known[s] - killed[s] for s in killed], "under 0.2 s")


Step = tuple[str, dict[str, float]]
"""What is written, and when for whom."""


async def written(settings: Settings, topics: Topics, sent: dict[str, float]) -> list[Step]:
    """When the first record about each of the probes' users was written to each topic on the way to a switch."""

    def usage(value: bytes) -> Iterable[str]:
        parts = msgspec.msgpack.decode(value, type=UsageParts).parts
        return [part.group.values[0] for part in parts if part.usage.picodollars >= 10**9]

    def findings(value: bytes) -> Iterable[str]:
        return [found.labels.get("user", "") for found in msgspec.msgpack.decode(value, type=Findings).findings]

    readers: list[tuple[str, str, Callable[[bytes], Iterable[str]]]] = [
        ("usage", topics.usage, usage),
        ("finding", topics.findings, findings),
        ("alert", topics.alerts, lambda value: [json.loads(value)["labels"].get("user", "")]),
        ("proposal", topics.switches, lambda value: [json.loads(value)["control"]["scope"].removeprefix("user:")]),
        ("switch", topics.controls, lambda value: [json.loads(value)["scope"].removeprefix("user:")]),
    ]
    steps: list[Step] = [("event", sent)]
    for name, topic, users in readers:
        first: dict[str, float] = {}
        for record in sorted(await read_all(settings.kafka_bootstrap, topic), key=lambda record: record.timestamp):
            for user in users(record.value):
                first.setdefault(user, record.timestamp / 1000)
        steps.append((name, first))
    return steps


def steps_of(steps: list[Step], sent: dict[str, float]) -> list[dict[str, float]]:
    """Of each user who came the whole way, when."""
    return [{name: first[user] for name, first in steps} for user in sent if all(user in first for _, first in steps)]


def report(console: Console, what: str, delays: list[float], aim: str) -> None:
    p50, p95, p99 = np.percentile(delays, [50, 95, 99])
    goal = f"   (aim: {aim})" if aim else ""
    console.print(f"{what}: p50 {p50:.2f} s, p95 {p95:.2f} s, p99 {p99:.2f} s, max {max(delays):.2f} s, {len(delays)} times{goal}")


async def arrivals(topic: str, options: dict[str, Any], count: int, key: Any, source: str | None = None) -> dict[str, float]:
    """When the first record of each key arrived, for ``count`` keys. ``source``: of the controls that count."""
    found: dict[str, float] = {}
    async with AIOKafkaConsumer(topic, **options, auto_offset_reset="earliest", fetch_max_wait_ms=20) as consumer:
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                now = time.time()
                for value in (json.loads(record.value) for record in records):
                    if source is None or value["source"] == source:
                        found.setdefault(key(value), now)
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
