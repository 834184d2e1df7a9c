"""One run: start, publish, strike, settle, examine."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError

from deploy.embedded.ports import LOOPBACK, free_port
from deploy.embedded.stack import Stack, StackOptions
from streams.changelog import Changelog
from streams.clickhouse import connect
from streams.kafka import client_options, committed_offsets, new_producer
from streams.topics import Topics
from tests.chaos.faults import Faults
from tests.chaos.invariants import Finding, examine, labelled
from tests.chaos.oracle import REQUIRED, Expected, expected
from tests.chaos.proxy import Proxy
from tests.chaos.publishing import publish, read_back
from tests.chaos.records import Stored
from tests.chaos.traffic import FAR, ChaosTraffic

log = logging.getLogger(__name__)

Say = Callable[[str], None]

SESSIONS_END = 60.0
"""Seconds after everything has settled in which the last sessions must have ended."""

PARTITIONS = 6

START_IN = 10.0
"""Seconds from now to the first event's time: about as long as the stack takes to start."""


@dataclass(frozen=True)
class Plan:
    """What a run does. ``rate``: events per second. ``kafka``: embedded, apache or apache3 (three nodes)."""

    seed: int
    directory: Path
    kafka: str = "embedded"
    workers: int = 3
    interactions: int = 150_000
    rate: float = 2_500.0
    kills: int = 20
    others: int = 14
    settle: float = 180.0


@dataclass
class Report:
    """How a run came out."""

    findings: list[Finding] = field(default_factory=list)
    faults: int = 0
    seconds: float = 0.0
    progress: list[tuple[str, int]] = field(default_factory=list)
    """Fault -> interactions stored while it was on."""

    @property
    def holds(self) -> bool:
        return all(finding.holds for finding in self.findings)


async def run(plan: Plan, say: Say) -> Report:
    """Carry out a plan. Raises nothing for a broken invariant: the report tells."""
    rng = random.Random(plan.seed)
    report = Report()
    begun = time.monotonic()
    clickhouse_port, proxy_port = free_port(), free_port()
    settings: dict[str, Any] = {
        "clickhouse_url": f"http://{LOOPBACK}:{proxy_port}",
        "segment_requests": "4096",
        "session_timeout": "6",
        "partitions": str(PARTITIONS),
    }
    traffic = ChaosTraffic(f"c{plan.seed}", plan.interactions, plan.rate / 2, time.time() + START_IN, PARTITIONS, plan.seed)
    sent = expected(Stored(r.topic, 0, n, r.key, r.value, r.at) for n, r in enumerate(traffic.records()))
    limits = budgets(sent)
    settings["budgets"] = [
        {"name": name, "scope": {"tenant": tenant}, "limit": str(Decimal(limit).scaleb(-12)), "window": "rolling 24h"}
        for name, (tenant, limit, _) in limits.items()
    ]
    settings["labels"] = {"enabled": True, "gap": 10.0}
    kafka, nodes = ("apache", 3) if plan.kafka == "apache3" else (plan.kafka, 1)
    options = StackOptions(
        plan.directory, kafka=kafka, nodes=nodes, workers=plan.workers, clickhouse_port=clickhouse_port,
        settings=settings | ({"replication": "3"} if nodes == 3 else {}),
    )  # fmt: skip
    async with Proxy(proxy_port, clickhouse_port) as proxy, Stack(options, say) as stack:
        direct = f"http://mirante:{stack.clickhouse_token}@{LOOPBACK}:{clickhouse_port}"
        connection, prefix = client_options(stack.settings), stack.settings.topic_prefix
        publishing = asyncio.ensure_future(publish(traffic.records(), prefix, connection))
        sampling = asyncio.ensure_future(_sample_commits(stack, report))
        faults = Faults(stack, proxy, rng, say)
        for fault in faults.schedule(plan.kills, plan.others):
            before = await asyncio.to_thread(_stored, direct)
            await asyncio.sleep(rng.uniform(0.5, 2.5))
            await faults.strike(fault)
            report.progress.append((fault, await asyncio.to_thread(_stored, direct) - before))
            report.faults += 1
        worked = await asyncio.to_thread(_stored, direct)
        say(f"{report.faults} faults done, waiting for the rest of the traffic")
        say(f"published {await publishing:,} records; settling")
        settled = await _settle(faults, direct, plan.settle)
        await _sessions_end(direct, sent, traffic.start)
        sampling.cancel()
        with suppress(asyncio.CancelledError):
            await sampling
        client = connect(direct)
        report.findings.append(
            Finding("the lag returns to zero, and every worker answers", settled is not None, f"after {settled or plan.settle:.0f} s")
        )
        stored = await read_back(list(REQUIRED), prefix, PARTITIONS, connection)
        say(f"read back {len(stored):,} records; examining")
        used_up = {name: used for name, (_, _, used) in limits.items()}
        report.findings += examine(client, expected(stored), used_up, prefix, traffic.start)
        moved = sum(1 for _, count in report.progress if count > 0)
        figures = f"rows were stored during {moved} of {report.faults}, {worked:,} before the last ended"
        report.findings.append(Finding("work went on during the faults", moved * 2 > report.faults or not report.faults, figures))
    report.seconds = time.monotonic() - begun
    return report


def budgets(sent: Expected) -> dict[str, tuple[str, int, bool]]:
    """Name -> (tenant, limit in picodollars, whether it is used up): of each tenant one that is, to the last picodollar, and one that is
    not, by a single one."""
    return {
        f"{tenant}-{kind}": (tenant, spent + more, not more)
        for tenant, spent in sent.spent().items()
        if tenant != FAR
        for kind, more in (("exhausted", 0), ("kept", 1))
    }


def _stored(url: str) -> int:
    """Interactions in ClickHouse, or 0 while it is away."""
    try:
        client = connect(url, wait=5)
        try:
            return int(str(client.command("SELECT count() FROM mirante.interactions_data")))
        finally:
            client.close()
    except OSError:
        return 0


async def _settle(faults: Faults, url: str, within: float) -> float | None:
    """Wait until everything published is durable and nothing moves any more. Seconds it took; None if it took too long."""
    stack, say = faults.stack, faults.say
    begun = said = time.monotonic()
    while (seconds := time.monotonic() - begun) < within:
        await asyncio.sleep(0.5)
        await faults.supervise()
        if await stack.at_rest(3):
            return seconds
        if time.monotonic() - said > 10:
            said = time.monotonic()
            status = await stack.status()
            durable = sum(n for worker in status for offsets in worker["durable"].values() for n in offsets.values())
            waiting, rows = sum(worker["waiting"] for worker in status), await asyncio.to_thread(_stored, url)
            say(f"settling: {durable:,} records durable, {waiting:g} waiting, {len(status)} workers, {rows:,} rows")
    say("did not settle in time; examining what there is")
    return None


async def _sessions_end(url: str, sent: Expected, begun: float) -> None:
    """The last labels come when nothing has happened in their sessions for a while; how many did, the invariants tell."""
    due, client = labelled(sent, begun, time.time()), connect(url)
    end = time.monotonic() + SESSIONS_END
    while time.monotonic() < end:
        rows = (await asyncio.to_thread(client.query, "SELECT response_id FROM mirante.labels")).result_rows
        if due <= {row[0] for row in rows}:
            return
        await asyncio.sleep(1)


async def _sample_commits(stack: Stack, report: Report) -> None:
    """Every few seconds: no committed offset is beyond the durable one read after it."""
    topics = Topics.of(stack.settings)
    samples = beyond = 0
    finding = Finding("committed offsets are never beyond what is durable", True, "no sample")
    report.findings.append(finding)
    producer = new_producer(stack.settings)
    await producer.start()
    changelog = Changelog(stack.settings, producer, topics.changelog("interactions"))
    try:
        while True:
            await asyncio.sleep(4)
            try:
                committed = await committed_offsets(stack.settings, topics.inputs, timeout=5)
                logs = await changelog.read(range(topics.partitions))
            except (KafkaError, OSError):
                log.info("no sample: the broker does not answer")
                continue  # the broker is the one being killed
            suspects = {tp for tp, offset in committed.items() if offset > logs[tp.partition].offsets.get(tp.topic, 0)}
            if suspects:
                # After a broker's fall the new leader shows less than it has, until its followers have caught up.
                await asyncio.sleep(1)
                logs = await changelog.read(sorted({tp.partition for tp in suspects}))
            samples += len(committed)
            beyond += sum(committed[tp] > logs[tp.partition].offsets.get(tp.topic, 0) for tp in suspects)
            report.findings[0] = Finding(finding.name, not beyond, f"{samples:,} samples, {beyond} beyond")
    finally:
        await producer.stop()
