"""What `mirante up` shows: how it is going, what it costs by the minute, and where to look."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from urllib3.exceptions import HTTPError

from deploy.cli.learning import SERIES, learned
from deploy.cli.output import cell
from deploy.plain import printable
from deploy.traffic.publisher import PublishProgress
from streams.clickhouse import connect
from streams.secrets import without_password

REFRESH_SECONDS = 1.0
PLAIN_SECONDS = 5.0
LEARNED_SECONDS = 30.0
"""Between looks at what is still learned."""
LEARNING_LINES = 5
PLAIN_WIDTH = 120
"""Between lines, and of them, when the output is no terminal."""

TOTALS = """
SELECT sum(requests) AS interactions, interactions - sum(ok) AS not_ok, sum(cost_usd) AS cost, sum(unpriced_requests) AS unpriced
FROM mirante.cost_windows WHERE window_seconds = 86400
"""

BY_MINUTE = """
SELECT window_start, sum(requests) AS n, n - sum(ok) AS not_ok, sum(input_tokens) + sum(output_tokens) AS tokens, sum(cost_usd) AS cost,
       argMax(feature, cost_usd) AS dearest_feature, max(cost_usd) AS dearest, max(latency_p99_ms) AS worst_p99_ms
FROM mirante.cost_windows
WHERE window_seconds = 60 AND window_start > (SELECT max(window_start) FROM mirante.cost_windows WHERE window_seconds = 60) - 600
GROUP BY window_start ORDER BY window_start DESC LIMIT 10
"""

FEATURES = """
WITH (SELECT max(window_start) FROM mirante.cost_windows WHERE window_seconds = 60) AS newest
SELECT if(feature = '', '(no feature)', feature) AS name, sum(w.requests) AS n, n - sum(w.ok) AS not_ok, sum(w.cost_usd) AS cost,
       sumMap([toUInt8(dateDiff('minute', window_start, newest))], [toFloat64(w.cost_usd)]) AS by_minute
FROM mirante.cost_windows AS w
WHERE window_seconds = 60 AND window_start > newest - 1200
GROUP BY name ORDER BY cost DESC LIMIT 8
"""
"""Of the last 20 minutes; minutes are counted back from the newest."""

ALERTS = """
SELECT severity, name, annotations['summary'] AS summary, starts_at FROM mirante.alerts WHERE status = 'firing'
ORDER BY severity = 'page' DESC, severity = 'ticket' DESC, starts_at DESC LIMIT 6
"""

SPARKS = "▁▂▃▄▅▆▇█"
MINUTES = 20
COLOURS = {"page": "bold red", "ticket": "yellow", "info": "cyan"}


def sparkline(values: Sequence[float]) -> str:
    """A bar for each value, the largest at full height; a blank where there is nothing.

    >>> sparkline([0, 1, 2, 4])
    ' ▂▄█'
    """
    most = max(values, default=0.0)
    if most <= 0:
        return " " * len(values)
    return "".join(" " if value <= 0 else SPARKS[max(0, math.ceil(value / most * len(SPARKS)) - 1)] for value in values)


class Summary:
    """A live view in a terminal; elsewhere a line now and then."""

    def __init__(self, data: Path) -> None:
        self._data = data
        terminal = sys.stdout.isatty()
        self._console = Console(highlight=False, width=None if terminal else PLAIN_WIDTH)
        self._live: Live | None = None
        self._progress: PublishProgress | None = None
        self._client: Client | None = None
        self._learning: list[str] = []
        self._learned_until = 0.0

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {escape(printable(text))}", soft_wrap=True)
        sys.stdout.flush()

    def progress(self, progress: PublishProgress) -> None:
        """Show how far the traffic is published."""
        self._progress = progress

    def ready(self, stack: Any, seconds: float) -> None:
        """The stack is up: where to look."""
        where = "" if str(self._data) == ".mirante" else f" --data {self._data}"
        self.say(f"ready after {seconds:.1f} s")
        lines = [
            ("Kafka", stack.settings.kafka_bootstrap),
            ("ClickHouse", f"{without_password(stack.settings.clickhouse_url)}  (with its token: mirante query{where} --print-url)"),
            *((f"worker {n}", f"{url}/health  {url}/metrics") for n, url in enumerate(stack.metrics_urls, 1)),
            *((("ingest", f"{stack.ingest_url}  (MIRANTE_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT)"),) if stack.ingest_url else ()),
            ("alerts", f"mirante alerts{where} --follow"),
            ("ask", f'mirante query{where} "SELECT * FROM cost_windows ORDER BY window_start DESC LIMIT 5"'),
            ("logs", f"{self._data}/logs"),
        ]
        for name, text in lines:
            self._console.print(f"  {name:<11}{text}", markup=False, soft_wrap=True)
        if stack.dashboard_url:
            link = f"{stack.dashboard_url}/#token={stack.dashboard_token}"
            self._console.print(f"  [bold]dashboard  {link}[/]", soft_wrap=True)

    async def show(self, stack: Any) -> None:
        """Show how it is going until cancelled."""
        if not self._console.is_terminal:
            while True:
                await asyncio.sleep(PLAIN_SECONDS)
                self.say(await self._line(stack))
        # What it shows last stays on the screen when it ends.
        with Live(console=self._console, auto_refresh=False) as self._live:
            while True:
                await asyncio.sleep(REFRESH_SECONDS)
                self._live.update(await self._picture(stack), refresh=True)

    async def final(self, stack: Any) -> None:
        """The result, once all traffic has arrived."""
        self.say(await self._line(stack))
        rows = await self._ask(stack, BY_MINUTE)
        if rows:
            self._console.print(_minutes(rows))

    async def _line(self, stack: Any) -> str:
        rows = await self._ask(stack, TOTALS)
        if not rows:
            return "ClickHouse does not answer at present"
        total = rows[0]
        cost = float(total["cost"] or 0)
        text = f"{total['interactions']:,} interactions, {total['not_ok']:,} not ok, ${cost:,.4f}, {total['unpriced']:,} unpriced"
        if self._progress is not None:
            text = f"{self._progress.published:,} events published ({self._progress.rate:,.0f}/s); {text}"
        problems = {problem for worker in await stack.status() for problem in worker["problems"]}
        return "; ".join([text, *stack.troubles(), *sorted(problems)])

    async def _picture(self, stack: Any) -> Group:
        parts: list[Any] = [Text(await self._line(stack), style="bold")]
        minutes, features, alerts = await asyncio.gather(*(self._ask(stack, sql) for sql in (BY_MINUTE, FEATURES, ALERTS)))
        if minutes:
            parts.append(_minutes(minutes[:5]))
        if features:
            parts.append(_features(features))
        parts.append(_alerts(alerts))
        parts += [Text(f"learning  {line}", style="dim") for line in await self._learned(stack)]
        if stack.dashboard_url:
            parts.append(Text(f"dashboard {stack.dashboard_url}/#token={stack.dashboard_token}", style="bold"))
        parts.append(Text("Ctrl-C stops everything", style="dim"))
        return Group(*parts)

    async def _learned(self, stack: Any) -> list[str]:
        """What is still learned, as it was up to a minute ago."""
        if time.monotonic() >= self._learned_until:
            self._learning = learned(await self._ask(stack, SERIES))
            self._learned_until = time.monotonic() + LEARNED_SECONDS
        return self._learning[:LEARNING_LINES]

    async def _ask(self, stack: Any, sql: str) -> list[dict[str, Any]]:
        """Rows; none while the server is away, which the worker's own retries deal with."""
        try:
            return await asyncio.to_thread(self._query, stack.settings.clickhouse_url, sql)
        except (OperationalError, DatabaseError, HTTPError, OSError):
            return []

    def _query(self, url: str, sql: str) -> list[dict[str, Any]]:
        if self._client is None:
            self._client = connect(url)
        return list(self._client.query(sql).named_results())


def _minutes(rows: list[dict[str, Any]]) -> Table:
    table = Table("minute (UTC)", title="Cost by the minute", title_justify="left")
    for name in ("requests", "not ok", "tokens", "cost"):
        table.add_column(name, justify="right")
    table.add_column("dearest feature")
    table.add_column("worst P99", justify="right")
    for row in rows:
        p99 = row["worst_p99_ms"]
        table.add_row(
            f"{row['window_start']:%Y-%m-%d %H:%M}",
            f"{row['n']:,}",
            f"{row['not_ok']:,}",
            f"{row['tokens']:,}",
            f"${float(row['cost']):,.4f}",
            cell(f"{row['dearest_feature']} (${float(row['dearest']):,.4f})"),
            "-" if p99 is None else f"{p99 / 1000:,.1f} s",
        )
    return table


def _features(rows: list[dict[str, Any]]) -> Table:
    table = Table("feature", title="Features, the last 20 minutes", title_justify="left")
    for name in ("requests", "not ok", "cost"):
        table.add_column(name, justify="right")
    table.add_column("cost by minute")
    for row in rows:
        by_minute = dict(zip(*row["by_minute"], strict=True))
        share = row["not_ok"] / row["n"]
        table.add_row(
            cell(row["name"]),
            f"{row['n']:,}",
            Text(f"{share:.1%}", style="red" if share > 0.2 else "yellow" if share > 0.05 else ""),
            f"${float(row['cost']):,.4f}",
            Text(sparkline([by_minute.get(ago, 0.0) for ago in range(MINUTES - 1, -1, -1)]), style="green"),
        )
    return table


def _alerts(rows: list[dict[str, Any]]) -> Table:
    table = Table("severity", "alert", "what", "since (UTC)", title="Firing alerts", title_justify="left")
    for row in rows:
        colour = COLOURS.get(row["severity"], "")
        since = f"{row['starts_at']:%H:%M:%S}"
        table.add_row(cell(row["severity"], colour), cell(row["name"]), cell(row["summary"][:200]), since)
    if not rows:
        table.add_row("", Text("none", style="green"), "", "")
    return table
