"""How long the dashboard takes over a full database, and what it takes from a worker: `python -m tests.bench.dashboard`.

Fills an embedded engine with a month of interactions and what belongs to them (tests/bench/dashboard_data.py), then:

1. *answers*: what the server takes for each query, one at a time, with nothing else running, and the processor time of the engine
   for it, which is the better measure on a machine that does other things too;
2. *pages*: each page in Chromium with an empty cache of its own, over several periods: until something is painted, until the page
   stands, until the cards that read calls one by one have come as well (complete), and until a refresh stands; meanwhile a worker
   takes `--rate` events per second;
3. *share*: the processor time that three open dashboards take of engine and server, without a worker: what a worker on the same
   machine has less, whatever else runs there;
4. *worker*: how fast a worker catches up, in turn with three dashboards open and with none.

`--directory DIR` keeps the filled database there and takes it from there the next time: so two versions are compared on the same rows.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import numpy as np
from aiohttp import ClientSession
from rich.console import Console
from rich.table import Table

from deploy.dashboard.queries import QUERIES
from deploy.dashboard.source import KEPT_SECONDS
from deploy.embedded.stack import Stack, StackOptions, fetch
from deploy.traffic.publisher import MAX_SPEED, publish
from streams.clickhouse import connect
from streams.kafka import client_options
from tests import chromium
from tests.bench import smoke
from tests.bench.dashboard_data import Shape, fill
from tests.bench.throughput import say, start_worker
from tests.bench.trace import cpu, until_merged
from tests.bench.worker_status import durable_records
from tests.load import Load

PAGES = {
    **{name: name for name in ("now", "costs", "quality", "alerts", "calls", "prompts", "switches", "checklist", "health")},
    "calls, dearest": "calls?order=dearest",
    "calls, text": "calls?text=1F2E3D",
    "alert": "alerts?id=al-{alert}",
    "call": "call?id=resp-{call}",
}
SEARCHES = {"calls, text"}
"""What stands with its first stretch, and goes on for as long as the period is and nobody stops it."""
PERIODS = {"15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000}
PERIODLESS = {"switches", "checklist", "alert", "call"}
LIVE = ("now", "costs", "quality", "alerts", "prompts", "health")
PARTS = ("answers", "pages", "share", "worker")
OPEN = ("now", "costs", "alerts")
AIMS = {"first paint": 1_000, "page": 1_500, "refresh": 300}
"""Milliseconds, 95 of 100."""
BUDGETS = [{"name": "month", "limit": "500", "window": "month"}, {"name": "day", "limit": "50", "window": "day"},
           {"name": "tenants", "limit": "9", "window": "24h", "by": ["tenant"]}]  # fmt: skip

Taken = dict[tuple[str, str], list[float]]
"""(what, period) -> milliseconds."""


@asynccontextmanager
async def filled_stack(directory: Path, rows: int, days: int) -> AsyncIterator[Stack]:
    """A stack with a dashboard and without workers, its database filled."""
    async with Stack(StackOptions(directory, workers=0, dashboard=True, settings={"budgets": BUDGETS}), say) as stack:
        client = connect(stack.settings.clickhouse_url)
        if not client.query("SELECT count() FROM mirante.interactions_data").result_rows[0][0]:
            await asyncio.to_thread(fill, client, Shape(rows, days, int(time.time())), say)
            say(f"merged after {await asyncio.to_thread(until_merged, client):.0f} s more")
        sql = "SELECT table, sum(rows), count(), sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'mirante' GROUP BY table"
        for table, held, parts, size in sorted(client.query(sql).result_rows, key=lambda row: -row[1])[:6]:
            say(f"{table}: {held:,} rows in {parts} parts, {size / 1e6:,.0f} MB")
        client.close()
        yield stack


@asynccontextmanager
async def browser() -> AsyncIterator[Any]:
    """A running Chromium; None where there is none."""
    if chromium.missing():
        yield None
        return
    from playwright.async_api import async_playwright

    async with async_playwright() as running:
        started = await running.chromium.launch(executable_path=chromium.PROGRAM, args=list(chromium.ARGUMENTS))
        try:
            yield started
        finally:
            await started.close()


async def answers(stack: Stack, periods: Iterable[str], times: int) -> tuple[Taken, Taken]:
    """Milliseconds of each query by period, asked one after the other: of the clock and of the engine's processors."""
    taken: Taken = defaultdict(list)
    spent: Taken = defaultdict(list)
    engine = stack.pids["clickhouse"]
    async with ClientSession(stack.dashboard_url) as session:
        for period in periods:
            for name, query in QUERIES.items():
                spans = {"since", "until"} & {param.name for param in query.params}
                if name in ("alert", "alert_siblings", "texts") or (not spans and period != "1h"):
                    continue
                for _ in range(1 if query.kept else times):
                    until = int(time.time()) - random.randrange(60)
                    span = {"since": until - PERIODS[period], "until": until}
                    begun, used = time.perf_counter(), cpu(engine)
                    async with session.get(f"/api/query/{name}", params={key: span[key] for key in spans}) as answer:
                        await answer.read()
                        if answer.status != 200:
                            say(f"{name}, {period}: {await answer.text()}")
                    taken[name, period].append((time.perf_counter() - begun) * 1000)
                    spent[name, period].append(cpu(engine) - used)
                    await asyncio.sleep(0 if spans else KEPT_SECONDS)
    return taken, spent


async def pages(stack: Stack, running: Any, periods: Iterable[str], times: int, rows: int) -> tuple[Taken, Taken]:
    """Milliseconds by (page, period) and measure, and by (query, period)."""
    taken: Taken = defaultdict(list)
    asked: Taken = defaultdict(list)
    for period in periods:
        for page, path in PAGES.items():
            if page in PERIODLESS and period != "1h":
                continue
            for turn in range(times):
                context = await running.new_context(viewport={"width": 1400, "height": 900})
                shown = await context.new_page()
                found = path.format(alert=random.randrange(3_000), call=random.randrange(rows))
                await shown.goto(f"{stack.dashboard_url}/{found}{'&' if '?' in found else '?'}range={period}")
                await measured(shown, "shown" if page in SEARCHES else "complete", 1)
                paint, stands, complete, queries = await shown.evaluate(_SEEN)
                taken["first paint", period].append(paint)
                taken[page, period].append(stands)
                if page not in SEARCHES:
                    taken[f"{page}, complete", period].append(complete)
                for name, duration in queries:
                    asked[name, period].append(duration)
                if page in LIVE and turn <= times // 2:
                    # Paused and live again: it is asked at once.
                    pause = shown.locator("form.filters button[aria-pressed]")
                    await pause.click()
                    await pause.click()
                    taken[f"{page}, refresh", period] += await measured(shown, "refreshed", 1)
                await context.close()
            say(f"{page}, {period}: {median(taken[page, period]):.0f} ms")
    return taken, asked


_SEEN = """() => [
  performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
  ...["shown", "complete"].map((name) => performance.getEntriesByName(name)[0]).map((one) => one && one.startTime + one.duration),
  performance.getEntriesByType("resource").filter((one) => one.name.includes("/api/"))
    .map((one) => [new URL(one.name).pathname.replace(/^.api.(query.)?/, ""), one.duration]),
]"""


async def measured(shown: Any, name: str, wanted: int) -> list[float]:
    """Milliseconds of what the page itself has measured, once there are as many."""
    await shown.wait_for_function(f"() => performance.getEntriesByName('{name}').length >= {wanted}", timeout=60_000)
    return list(await shown.evaluate(f"performance.getEntriesByName('{name}').map((one) => one.duration)"))


def print_taken(console: Console, title: str, taken: Taken, periods: list[str], aims: bool = False) -> None:
    table = Table("ms, p50 / p95", *periods, *(["aim (p95)"] if aims else []), title=title)
    for what in dict.fromkeys(what for what, _ in taken):
        cells = []
        for period in periods:
            values = taken.get((what, period))
            cells.append("{:,.0f} / {:,.0f}".format(*np.percentile(values, [50, 95])) if values else "")
        aim = AIMS["refresh"] if what.endswith("refresh") else AIMS.get(what, AIMS["page"])
        table.add_row(what, *cells, *([f"< {aim:,}"] if aims else []))
    console.print(table)


@asynccontextmanager
async def steady_worker(stack: Stack, rate: int) -> AsyncIterator[None]:
    """A worker that takes ``rate`` events per second, for as long as it lasts."""
    process, port, log = await start_worker(stack, [sys.executable, "-m", "deploy.cli", "worker"])
    publishing = asyncio.ensure_future(_publish_steadily(stack, rate))
    try:
        while await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/status") is None:
            if process.returncode is not None:
                raise SystemExit(f"the worker ended; its log: {log}")
            await asyncio.sleep(0.2)
        yield
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        process.terminate()
        await process.wait()


async def _publish_steadily(stack: Stack, rate: int) -> None:
    for turn in count():
        load = Load(pairs=rate * 60, run=f"steady-{turn}-{time.time():.0f}", start_us=int(time.time() * 1e6), rate=rate / 2)
        await publish(load.records(), speed=1.0, **client_options(stack.settings))


async def worker(stack: Stack, running: Any, events: int, phases: int, seconds: float) -> Mapping[bool, list[float]]:
    """Events per second of a worker that catches up, in phases with three dashboards open (True) and with none."""
    load = Load(pairs=events // 2, run=f"behind-{time.time():.0f}", start_us=int((time.time() - events / 1_000) * 1e6), rate=500.0)
    say(f"publishing {events:,} events ...")
    await publish(load.records(), speed=MAX_SPEED, **client_options(stack.settings))
    process, port, log = await start_worker(stack, [sys.executable, "-m", "deploy.cli", "worker"])
    found: dict[bool, list[float]] = {True: [], False: []}
    # Open throughout and asking or not: what opening a page takes is not what an open page takes.
    context = await running.new_context(viewport={"width": 1400, "height": 900})
    opened = [await context.new_page() for _ in range(3)]
    try:
        while await _done(port) < events // 50:
            if process.returncode is not None:
                raise SystemExit(f"the worker ended; its log: {log}")
            await asyncio.sleep(0.5)
        order = [with_pages for _ in range(phases) for with_pages in random.sample((True, False), 2)]
        for with_pages in order:
            for page, path in zip(opened, OPEN, strict=True):
                await page.goto(f"{stack.dashboard_url}/{path}?range=1h" if with_pages else "about:blank")
            await asyncio.sleep(min(3.0, seconds / 3))
            before, begun = await _done(port), time.monotonic()
            await asyncio.sleep(seconds)
            after = await _done(port)
            if after >= events:
                say("the worker has caught up: fewer phases than wanted")
                break
            found[with_pages].append((after - before) / (time.monotonic() - begun))
            say(f"{'three dashboards' if with_pages else 'none'}: {found[with_pages][-1]:,.0f} events/s, {after:,} of {events:,}")
    finally:
        await context.close()
        process.terminate()
        await process.wait()
    return found


async def share(stack: Stack, running: Any, seconds: float) -> float:
    """Processors that three open dashboards take of the engine and of the dashboard's server, beyond what both take without."""
    idle = await _taken(stack, seconds / 2)
    context = await running.new_context(viewport={"width": 1400, "height": 900})
    try:
        for path in OPEN:
            await (await context.new_page()).goto(f"{stack.dashboard_url}/{path}?range=1h")
        await asyncio.sleep(min(10.0, seconds / 3))
        return await _taken(stack, seconds) - idle
    finally:
        await context.close()


async def _taken(stack: Stack, seconds: float) -> float:
    """Processors that engine and server take."""
    pids = [stack.pids[name] for name in ("clickhouse", "dashboard")]
    before, begun = sum(map(cpu, pids)), time.monotonic()
    await asyncio.sleep(seconds)
    return (sum(map(cpu, pids)) - before) / 1_000 / (time.monotonic() - begun)


async def _done(port: int) -> int:
    """Events that are durable."""
    return await asyncio.to_thread(durable_records, port, "llm.requests", "llm.responses")


def print_worker(console: Console, found: Mapping[bool, list[float]]) -> None:
    pairs = min(map(len, found.values()))
    if not pairs:
        console.print("worker: it caught up before there was anything to compare; give it more --events")
        return
    ratios = [one / other - 1 for one, other in zip(found[True][:pairs], found[False][:pairs], strict=True) if other]
    if not ratios:
        console.print("worker: nothing was durable in a phase; give it more --seconds")
        return
    error = stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else float("nan")
    console.print(
        f"worker that catches up: {median(found[False]):,.0f} events/s with none, {median(found[True]):,.0f} with three dashboards; "
        f"mean of {len(ratios)} pairs {mean(ratios):+.1%} ± {error:.1%}   (aim: falls by less than 3%)"
    )


async def main(args: argparse.Namespace, directory: Path) -> None:
    console = Console(width=120)
    periods = args.period or ["1h", "24h", "30d"]
    async with filled_stack(directory, args.rows, args.days) as stack, browser() as running:
        if "answers" in args.part:
            taken, spent = await answers(stack, periods, args.times)
            print_taken(console, "Answers of the server", taken, periods)
            print_taken(console, "Processor time of the engine", spent, periods)
        if running is None:
            console.print(f"pages and worker are not measured: {chromium.missing()}")
            return
        if "pages" in args.part:
            async with steady_worker(stack, args.rate):
                taken, asked = await pages(stack, running, periods, args.times, args.rows)
            print_taken(console, "Pages", taken, periods, aims=True)
            print_taken(console, "Answers as the pages got them", asked, periods)
        if "share" in args.part:
            taken_of_one = await share(stack, running, args.phases * args.seconds)
            console.print(
                f"three open dashboards take {taken_of_one:.1%} of a processor, "
                f"{taken_of_one / len(os.sched_getaffinity(0)):.1%} of this machine   (aim: less than 3%)"
            )
        if "worker" in args.part:
            print_worker(console, await worker(stack, running, args.events, args.phases, args.seconds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--directory", type=Path, help="keep the data here (some 4 GB for 10 million rows); default: a temporary one")
    parser.add_argument("--rate", type=int, default=1_000, help="events per second while pages are measured (default 1000)")
    parser.add_argument("--period", action="append", help="15m, 1h, 6h, 24h, 7d or 30d; default: 1h, 24h and 30d")
    parser.add_argument("--times", type=int, default=10, help="how often each page is opened (default 10)")
    parser.add_argument("--events", type=int, default=1_500_000, help="what the worker has to catch up with (default 1.5 million)")
    parser.add_argument("--phases", type=int, default=8, help="with and without dashboards (default 8 of each)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a phase (default 10)")
    parser.add_argument("--part", action="append", choices=PARTS)
    given = smoke.parse(parser, rows=20_000, days=2, rate=100, period=["1h"], times=1, events=20_000, phases=1, seconds=1.0)
    given.part = given.part or PARTS
    with tempfile.TemporaryDirectory(prefix="mirante-dashboard-") as temporary:
        asyncio.run(main(given, given.directory or Path(temporary)))
