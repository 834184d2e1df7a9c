"""What labels cost a worker at a steady 5,000 events a second, with Kafka and ClickHouse: `python -m tests.bench.labelled_worker`.

A worker with stage 1 alone, as it runs in production (guards, masking, the taps of guards and drift), and one with labels and satisfaction
beside it, in turn on the same traffic. Per event: the processor time of the whole process over the last `--measured` seconds, so with the
fetches, the inserts and the changelogs that either has. Event time goes ten times as fast as the clock, and a session has ended after two
minutes without activity and is forgotten a minute later: all that is ever done for an answer is done within the run. What the states do
alone, without Kafka and ClickHouse, is in tests/bench/labels_cost.py.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from deploy.embedded.stack import fetch
from deploy.registry import agents
from deploy.traffic.demo import daily_rate, demo
from deploy.traffic.publisher import PublishProgress, publish
from deploy.traffic.record import TimedRecord
from streams.kafka import client_options
from streams.prepare import prepare
from streams.settings import Settings, load_settings
from streams.worker import run
from tests.bench import smoke
from tests.bench.throughput import START_US, fresh_stack, say, start_worker
from tests.load import Load

SPEED = 10
LABELS = {"gap": 120, "retention": 60, "judged_after": 60, "wait": 60}
STAGE_1, LABELLED = "stage 1", "with labels"
WITH = {STAGE_1: {"interactions"}, LABELLED: {"interactions", "labels", "satisfaction"}}
EVENTS_PER_REQUEST = {"demo": 2.4, "calls": 2.0}


def traffic(mix: str, rate: float, seconds: float) -> list[TimedRecord]:
    """So many events per second at this speed."""
    pace, start, until = rate / EVENTS_PER_REQUEST[mix] / SPEED, START_US / 1e6, START_US / 1e6 + seconds * SPEED
    found: Iterable[TimedRecord]
    if mix == "demo":
        found = demo(start=datetime.fromtimestamp(start, UTC), rate=pace / daily_rate(start))
    else:
        found = Load(pairs=int(pace * seconds * SPEED), run="labels", start_us=START_US, rate=pace).records()
    return list(takewhile(lambda record: record.time < until, found))


def processor_seconds(pid: int) -> float:
    """Of all threads of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(worker: str, records: list[TimedRecord], measured: float) -> tuple[float, float]:
    """(microseconds of processor time per event, events per second) over the last ``measured`` seconds of publishing."""
    async with fresh_stack() as stack:
        command = [sys.executable, "-m", "tests.bench.labelled_worker", "--worker", worker]
        process, port, log = await start_worker(stack, command)
        seen: list[tuple[float, int, float]] = []
        """Moments of publishing: (seconds, events so far, processor time so far)."""
        began = time.monotonic()

        def look(progress: PublishProgress) -> None:
            seen.append((time.monotonic() - began, progress.published, processor_seconds(process.pid)))

        try:
            while await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/status") is None:
                if process.returncode is not None:
                    raise SystemExit(f"the worker ended; its log: {log}")
                await asyncio.sleep(0.2)
            began = time.monotonic()
            await publish(iter(records), speed=SPEED, on_progress=look, **client_options(stack.settings))
        finally:
            process.terminate()
            await process.wait()
    at, events, spent = seen[-1]
    from_at, from_events, from_spent = next(moment for moment in seen if moment[0] >= at - measured)
    return (spent - from_spent) / (events - from_events) * 1e6, (events - from_events) / (at - from_at)


async def main(args: argparse.Namespace) -> None:
    columns = ("traffic", "events/s", f"{STAGE_1}, µs per event", LABELLED, "labels add (aim: < 25%)")
    table = Table(*columns, title="A worker without and with labels")
    for mix in args.mix or EVENTS_PER_REQUEST:
        records = traffic(mix, args.rate, args.seconds)
        spent: dict[str, list[float]] = {STAGE_1: [], LABELLED: []}
        rates: list[float] = []
        for turn in range(args.times):
            for worker in WITH if turn % 2 == 0 else reversed(WITH):
                each, rate = await measure(worker, records, args.measured)
                say(f"{mix}, {worker}: {each:.1f} µs per event at {rate:,.0f} events/s")
                spent[worker].append(each)
                rates.append(rate)
        alone, labelled = median(spent[STAGE_1]), median(spent[LABELLED])
        table.add_row(mix, f"{median(rates):,.0f}", f"{alone:.1f}", f"{labelled:.1f}", f"{labelled / alone - 1:.1%}")
    Console(width=110).print(table)


def work(name: str) -> None:
    settings: Settings = load_settings()
    settings = settings.model_copy(update={"labels": {**LABELS, "enabled": name == LABELLED}})
    source = asyncio.run(prepare(settings))
    run(settings, [agent for agent in agents(settings, source) if agent.name in WITH[name]], source)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=5_000.0, help="events per second (default 5000)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of publishing (default 60)")
    parser.add_argument("--measured", type=float, default=25.0, help="of these, at the end (default 25)")
    parser.add_argument("--mix", choices=EVENTS_PER_REQUEST, action="append", help="both by default")
    parser.add_argument("--times", type=int, default=1, help="runs of each, in turn (default 1)")
    parser.add_argument("--worker", choices=WITH, help=argparse.SUPPRESS)
    given = smoke.parse(parser, rate=200.0, seconds=6.0, measured=3.0, mix=["calls"])
    if given.worker:
        work(given.worker)
    else:
        asyncio.run(main(given))
