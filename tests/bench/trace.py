"""How long `mirante trace` takes: `python -m tests.bench.trace --rows 10000000`.

Fills an embedded engine, in its own process behind HTTP as in `mirante up`, with interactions, feedback and evaluations made on the server
(INSERT ... SELECT FROM numbers), then reads the stories of random responses, traces and sessions; the aim is a p99 under 100 ms for
responses. Also prints what the lookup table weighs, what the bloom filters alone would take, and how long the command itself needs
from the shell, which is mostly Python starting. Everything is in a temporary directory and is removed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.cli.trace import asking
from deploy.trace import Kind, story
from schemas.migrate import migrate
from streams.clickhouse import connect
from tests.bench import smoke

BLOCK = 500_000
DAYS = 30

_PROSE = "The customer asks about an invoice of last month and would like to know why its total differs from what was agreed by telephone. "

INTERACTIONS = """
INSERT INTO mirante.interactions_data (time, request_id, version, outcome, response_id, session_id, tenant, feature, trace_id, span_id,
  parent_span_id, user_id, provider, model_requested, model, prompt_name, prompt_sha, response_time, status, finish_reason, input_tokens,
  output_tokens, cost_usd, cost_source, latency_ms, ttft_ms, system_instructions, messages, documents, output)
SELECT toDateTime64('2026-03-01 00:00:00', 3, 'UTC') + toIntervalMillisecond(number * {step}) AS time,
  concat('req-', lower(hex(sipHash64(number)))), 2, if(number % 50 = 0, 'refusal', 'ok'), concat('resp-', toString(number)),
  concat('s-', toString(intDiv(number, 5))), concat('tenant-', toString(sipHash64(number) % 20)),
  concat('feature-', toString(intDiv(number, 5) % 8)), concat('t-', toString(intDiv(number, 4))), toString(number),
  if(number % 4 = 0, '', toString(number - number % 4)), concat('u-', toString(number % 5000)), 'openai', 'gpt-4o-mini', 'gpt-4o-mini',
  'support', 'a1b2c3', time + toIntervalMillisecond(900), 'ok', 'stop', 900, 120, toDecimal128('0.000207', 12), 'computed', 900, 250,
  '{prose}{prose}{prose}', concat('[{{"role":"user","content":"{prose}', hex(sipHash128(number)), hex(sipHash128(number + 1)), '"}}]'),
  concat('[{{"id":"doc-', toString(number % 1000), '","score":0.83,"text":"{prose}', hex(sipHash128(number + 2)), '"}}]'),
  concat('{prose}{prose}', hex(sipHash128(number + 3)), hex(sipHash128(number + 4)))
FROM numbers({begin}, {count})
"""
FEEDBACK = """
INSERT INTO mirante.feedback_data (time, event_id, kind, tenant, session_id, response_id)
SELECT toDateTime64('2026-03-01 00:00:00', 3, 'UTC') + toIntervalMillisecond(number * {step} + 20000), concat('f-', toString(number)),
  'thumbs_down', concat('tenant-', toString(sipHash64(number) % 20)), concat('s-', toString(intDiv(number, 5))),
  concat('resp-', toString(number))
FROM numbers({begin}, {count}) WHERE number % 10 = 0
"""
EVALUATIONS = """
INSERT INTO mirante.evaluations_data (time, event_id, response_id, name, score, tenant, source)
SELECT toDateTime64('2026-03-01 00:00:00', 3, 'UTC') + toIntervalMillisecond(number * {step} + 60000), concat('e-', toString(number)),
  concat('resp-', toString(number)), 'helpfulness', 0.7, concat('tenant-', toString(sipHash64(number) % 20)), 'judge'
FROM numbers({begin}, {count}) WHERE number % 20 = 0
"""
ALERTS = """
INSERT INTO mirante.alerts_data (alert_id, version, fingerprint, name, severity, status, starts_at, updated_at, evidence)
SELECT concat('al-', toString(number)), 1, toString(number), 'RefusalRate', 'ticket', 'resolved',
  toDateTime64('2026-03-01 00:00:00', 3, 'UTC') + toIntervalMinute(number) AS begun, begun,
  concat('{{"response_ids":["resp-', toString(sipHash64(number) % {rows}), '"]}}')
FROM numbers(40000)
"""


@contextmanager
def engine(directory: Path) -> Iterator[tuple[str, int]]:
    """The embedded engine in a process of its own; gives its URL and process id."""
    port_file = directory / "port"
    options = ["--path", str(directory / "data"), "--port", "0", "--port-file", str(port_file)]
    process = subprocess.Popen([sys.executable, "-m", "deploy.embedded.clickhouse", *options], stdout=subprocess.DEVNULL)
    try:
        while not port_file.exists():
            if process.poll() is not None:
                raise SystemExit("the engine did not start")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port_file.read_text().strip()}", process.pid
    finally:
        process.terminate()
        process.wait(60)


def fill(client: Any, rows: int, console: Console) -> float:
    """Seconds it took. Tells at each block how far it has come."""
    begun = time.perf_counter()
    step = DAYS * 86_400_000 // rows
    for begin in range(0, rows, BLOCK):
        given = {"begin": begin, "count": min(BLOCK, rows - begin), "step": step, "prose": _PROSE, "rows": rows}
        for statement in (INTERACTIONS, FEEDBACK, EVALUATIONS):
            client.command(statement.format(**given))
        done, taken = min(begin + BLOCK, rows), time.perf_counter() - begun
        console.print(f"{done:,} of {rows:,} made in {taken:.0f} s, about {taken * (rows - done) / done:.0f} s to go")
    client.command(ALERTS.format(rows=rows))
    return time.perf_counter() - begun


def until_merged(client: Any) -> float:
    """Seconds until nothing has been merged for five seconds."""
    begun = quiet = time.perf_counter()
    while time.perf_counter() - quiet < 5:
        if client.query("SELECT count() FROM system.merges").result_rows[0][0]:
            quiet = time.perf_counter()
        time.sleep(0.2)
    return quiet - begun


def cpu(pid: int) -> float:
    """Milliseconds of processor time a process has used: on a busy machine the better measure."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def measure(url: str, kind: Kind, ids: list[str]) -> list[float]:
    """Milliseconds of each story, sorted; the first, which opens connections, is not among them."""
    taken = []
    with asking(Path("/nonexistent"), url) as ask:
        for value in ids:
            begun = time.perf_counter()
            found = story(ask, [kind], value, json.loads)
            taken.append((time.perf_counter() - begun) * 1000)
            assert found is not None
            assert found.calls
    return sorted(taken[1:])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=10_000_000)
    options.add_argument("--stories", type=int, default=300)
    options.add_argument("--directory", type=Path, help="where to put some 5 GB for 10 million rows; default: the temporary directory")
    given = smoke.parse(options, rows=20_000, stories=6)
    console, dice = Console(width=120), random.Random(7)
    with tempfile.TemporaryDirectory(dir=given.directory, prefix="mirante-trace-") as directory, engine(Path(directory)) as (url, pid):
        client = connect(url)
        migrate(client)
        console.print(f"{given.rows:,} interactions made in {fill(client, given.rows, console):.0f} s")
        console.print(f"merged in {until_merged(client):.0f} s; what is measured is a database at rest")
        sizes = client.query(
            "SELECT table, sum(rows), count(), sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'mirante' "
            "AND table IN ('interactions_data', 'ids') GROUP BY table ORDER BY table"
        )
        for table, rows, parts, size in sizes.result_rows:
            console.print(f"{table}: {rows:,} rows in {parts} parts, {size / 1e6:,.0f} MB")
        shown = Table("by", "stories", "min ms", "p50 ms", "p90 ms", "p99 ms", "max ms", "CPU ms of the engine")
        many = [dice.randrange(given.rows) for _ in range(given.stories + 1)]
        asked: dict[Kind, list[str]] = {
            "response_id": [f"resp-{n}" for n in many],
            "trace_id": [f"t-{n // 4}" for n in many[: given.stories // 3]],
            "session_id": [f"s-{n // 5}" for n in many[: given.stories // 3]],
        }
        for kind, ids in asked.items():
            before = cpu(pid)
            taken = measure(url, kind, ids)
            quantiles = [f"{taken[min(len(taken) - 1, int(q * len(taken)))]:.1f}" for q in (0.0, 0.5, 0.9, 0.99, 1.0)]
            shown.add_row(kind, str(len(taken)), *quantiles, f"{(cpu(pid) - before) / len(ids):.0f}")
        console.print(shown)
        filters = []
        for n in many[:20]:
            begun = time.perf_counter()
            client.query(f"SELECT request_id FROM mirante.interactions WHERE response_id = 'resp-{n}'")
            filters.append((time.perf_counter() - begun) * 1000)
        console.print(f"for comparison, finding the row by bloom filter alone: p50 {median(filters):.1f} ms, max {max(filters):.1f} ms")
        client.close()
        begun = time.perf_counter()
        command = [sys.executable, "-m", "deploy.cli", "trace", f"resp-{many[0]}", "--url", url, "--json"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        console.print(f"the command from the shell: {time.perf_counter() - begun:.2f} s")
    console.print(f"removed {directory}: {not Path(directory).exists()}")


if __name__ == "__main__":
    main()
