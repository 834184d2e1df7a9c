"""How fast one worker process is, and how long an event takes to become a row. Run it: `python -m tests.bench.throughput`.

Measurements on the embedded stack, in one run, with the same 1 kB events (half requests, half responses, all distinct):

1. *decode only*: fetch every record of the input topics and decode it, nothing else: the ceiling;
2. *mirante*: one worker with everything switched on, from its first batch to the last durable row; results are checked against the oracle;
3. *plain Faust*: the same logic and checkpoints, but one record at a time through Faust's own transport (fewer events: it is slow);
4. *core*: 2 and 3 with stage 1 and the cost windows alone, which is what the aims were set for;
5. *delay* from publishing to a visible row at a steady rate.

Events per second depend on what else the machine does; the worker's own CPU time per event (user and
system, all threads) much less so, so versions are compared by that where a machine is not quiet.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from deploy.embedded.ports import free_port
from deploy.embedded.stack import Stack, StackOptions
from deploy.traffic.publisher import MAX_SPEED, publish
from streams.clickhouse import connect
from streams.kafka import client_options
from tests.bench import smoke
from tests.bench.worker_status import durable_records
from tests.load import Load

PARTS = ["decode", "mirante", "plain", "core", "delay"]
START_US = 1_790_000_000_000_000


class Run(NamedTuple):
    """What a worker took: ``seconds`` from its first batch to its last durable row, ``cpu`` time of its process in that time in
    microseconds per event, and its ``peak`` memory in MB."""

    seconds: float
    cpu: float
    peak: float

    def row(self, name: str, events: int) -> tuple[str, ...]:
        """Of the table."""
        return name, f"{events:,}", f"{self.seconds:.1f}", f"{events / self.seconds:,.0f}", f"{self.cpu:.1f}", f"{self.peak:,.0f} MB"


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--plain-events", type=int, default=40_000)
    parser.add_argument("--rate", type=int, default=2_000, help="events per second of the delay measurement")
    parser.add_argument("--seconds", type=int, default=60, help="length of the delay measurement")
    parser.add_argument("--only", choices=PARTS, action="append")
    args = smoke.parse(parser, events=2_000, rate=200, seconds=3, only=["decode", "mirante", "delay"])
    wanted = args.only or PARTS
    rows: list[tuple[str, ...]] = []
    speeds: dict[str, float] = {}
    if {"decode", "mirante"} & set(wanted):
        await bulk(args.events, wanted, rows, speeds)
    if "plain" in wanted:
        await plain(args.plain_events, "plain Faust", ["tests.bench.plain_faust"], rows, speeds)
    if "core" in wanted:
        await core(args.events, rows, speeds)
        await plain(args.plain_events, "plain Faust, core", ["tests.bench.plain_faust", "core"], rows, speeds)
    table = Table("", "events", "seconds", "events/s", "CPU, µs/event", "peak memory", title="Throughput of one worker process")
    for row in rows:
        table.add_row(*row)
    console = Console(width=110)
    console.print(table)
    for one, other, aim in (
        ("mirante", "decode only", "0.5"), ("mirante", "plain Faust", "8"),
        ("core", "decode only", "0.5"), ("core", "plain Faust, core", "8"),
    ):  # fmt: skip
        if {one, other} <= speeds.keys():
            console.print(f"{one} / {other}: {speeds[one] / speeds[other]:.2f}   (aim: at least {aim})")
    if "delay" in wanted:
        await delay(args.rate, args.seconds, console)


async def bulk(events: int, wanted: list[str], rows: list[tuple[str, ...]], speeds: dict[str, float]) -> None:
    load = Load(pairs=events // 2, run="bulk", start_us=START_US, rate=1_000.0)
    async with fresh_stack() as stack:
        say(f"publishing {events:,} events of 1 kB ...")
        result = await publish(load.records(), speed=MAX_SPEED, **client_options(stack.settings))
        say(f"published at {result.rate:,.0f}/s")
        if "decode" in wanted:
            seconds = await decode_only(stack, events)
            speeds["decode only"] = events / seconds
            rows.append(("decode only", f"{events:,}", f"{seconds:.1f}", f"{events / seconds:,.0f}", "", ""))
        if "mirante" in wanted:
            run = await run_worker(stack, [sys.executable, "-m", "deploy.cli", "worker"], events)
            check(stack, load)
            speeds["mirante"] = events / run.seconds
            rows.append(run.row("mirante", events))


async def core(events: int, rows: list[tuple[str, ...]], speeds: dict[str, float]) -> None:
    load = Load(pairs=events // 2, run="core", start_us=START_US, rate=1_000.0)
    async with fresh_stack() as stack:
        await publish(load.records(), speed=MAX_SPEED, **client_options(stack.settings))
        run = await run_worker(stack, [sys.executable, "-m", "tests.bench.core"], events)
        check(stack, load)
        speeds["core"] = events / run.seconds
        rows.append(run.row("core", events))


async def plain(events: int, name: str, module: list[str], rows: list[tuple[str, ...]], speeds: dict[str, float]) -> None:
    load = Load(pairs=events // 2, run="plain", start_us=START_US, rate=1_000.0)
    async with fresh_stack() as stack:
        await publish(load.records(), speed=MAX_SPEED, **client_options(stack.settings))
        # Its results are not checked: plain Faust loses and doubles, which is why there is another transport.
        run = await run_worker(stack, [sys.executable, "-m", *module], events)
        speeds[name] = events / run.seconds
        rows.append(run.row(name, events))


async def delay(rate: int, seconds: int, console: Console) -> None:
    load = Load(pairs=rate * seconds // 2, run="delay", start_us=int(time.time() * 1e6), rate=rate / 2)
    async with fresh_stack(workers=1) as stack:
        begun, published = time.time(), asyncio.ensure_future(publish(load.records(), speed=1.0, **client_options(stack.settings)))
        # Responses are published at their event time, in this order.
        due = np.sort([(load.time_us(i) - load.start_us) / 1e6 + load.latency_ms(i) / 1e3 for i in range(load.pairs)]) + begun
        client = connect(stack.settings.clickhouse_url)
        seen, delays = 0, []
        while seen < load.pairs:
            await asyncio.sleep(0.05)
            count = int(await asyncio.to_thread(client.command, "SELECT count() FROM mirante.interactions_data"))
            now = time.time()
            delays.extend(now - due[seen:count])
            seen = max(seen, count)
        await published
    p50, p95, p99 = np.percentile(delays, [50, 95, 99])
    console.print(
        f"delay from publishing to a row in interactions at {rate:,} events/s for {seconds} s: "
        f"p50 {p50:.2f} s, p95 {p95:.2f} s, p99 {p99:.2f} s, max {max(delays):.2f} s   (aim: p99 under 3 s)"
    )


class fresh_stack:
    """A stack on a directory of its own, gone afterwards. Without workers: the caller runs one."""

    def __init__(self, workers: int = 0, ingest: bool = False, **settings: Any) -> None:
        self._workers, self._ingest, self._settings = workers, ingest, settings

    async def __aenter__(self) -> Stack:
        self._directory = Path(tempfile.mkdtemp(prefix="mirante-bench-"))
        self._stack = Stack(StackOptions(self._directory, workers=self._workers, ingest=self._ingest, settings=self._settings), say)
        return await self._stack.__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        await self._stack.__aexit__(None, None, None)
        shutil.rmtree(self._directory, ignore_errors=True)


async def decode_only(stack: Stack, events: int) -> float:
    """Seconds to fetch and decode everything, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.decode_only", stack.settings.kafka_bootstrap, str(events)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    return float(out)


async def start_worker(stack: Stack, command: list[str]) -> tuple[asyncio.subprocess.Process, int, Path]:
    """(process, port of its pages, log) of a worker on a stack; the caller ends it."""
    port = free_port()
    env = {
        **os.environ,
        "MIRANTE_KAFKA_BOOTSTRAP": stack.settings.kafka_bootstrap,
        "MIRANTE_CLICKHOUSE_URL": stack.settings.clickhouse_url,
        "MIRANTE_SESSION_TIMEOUT": "6",
        "MIRANTE_WEB_PORT": str(port),
    }
    log = Path(tempfile.gettempdir()) / "mirante-bench-worker.log"
    with log.open("wb") as out:
        return await asyncio.create_subprocess_exec(*command, env=env, stdout=out, stderr=out), port, log


async def run_worker(stack: Stack, command: list[str], events: int) -> Run:
    """A worker on what is in the topics."""
    process, port, log = await start_worker(stack, command)
    begun, spent, peak, said, at_start = 0.0, 0.0, 0.0, time.monotonic(), 0
    try:
        while True:
            await asyncio.sleep(0.1)
            if process.returncode is not None:
                raise SystemExit(f"the worker ended; its log: {log}")
            done = await asyncio.to_thread(durable_records, port, "llm.requests", "llm.responses")
            with suppress(FileNotFoundError):
                peak = max(peak, _peak_mb(process.pid))
            if done and not begun:
                # The first checkpoint: from here on, what is still to do.
                begun, spent, at_start = time.monotonic(), _cpu(process.pid), done
            if time.monotonic() - said > 5:
                said = time.monotonic()
                say(f"{done:,} of {events:,} events durable, {peak:,.0f} MB")
            if done >= events:
                seconds, cpu, counted = time.monotonic() - begun, _cpu(process.pid) - spent, max(1, events - at_start)
                return Run(seconds * events / counted, cpu * 1e6 / counted, peak)
    finally:
        process.terminate()
        await process.wait()


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def _cpu(pid: int) -> float:
    """Seconds that all threads of a process have run, in user and system mode (proc(5))."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def check(stack: Stack, load: Load) -> None:
    """The public tables hold exactly what was published."""
    client = connect(stack.settings.clickhouse_url)
    totals = load.totals()
    expected = (totals.requests, totals.input_tokens, totals.output_tokens)
    deadline = time.monotonic() + 30
    while True:
        rows = client.query("SELECT count(), sum(input_tokens), sum(output_tokens) FROM mirante.interactions").result_rows[0]
        sums = "sum(requests), sum(input_tokens), sum(output_tokens), sum(cost_usd)"
        sql = f"SELECT {sums} FROM mirante.cost_windows WHERE window_seconds = 60"
        *windows, cost = client.query(sql).result_rows[0]
        if rows == expected and tuple(windows) == expected:
            break
        if time.monotonic() > deadline:
            raise SystemExit(f"wrong result: interactions {rows}, windows {windows}, expected {expected}")
        time.sleep(0.5)
    same = client.query("SELECT sum(cost_usd) FROM mirante.interactions").result_rows[0][0]
    if same != cost:
        raise SystemExit(f"wrong cost: interactions {same}, windows {cost}")
    say(f"exact: {expected[0]:,} interactions, {expected[1]:,} + {expected[2]:,} tokens, ${cost}")


if __name__ == "__main__":
    asyncio.run(main())
