"""``mirante alerts``: what is wrong now, what was, and what happens next."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.options import DEFAULT_DATA, AsJson, Data, settings_of_stack
from deploy.cli.output import block, cell, console, say, say_json
from deploy.cli.seen import unknown_alert

if TYPE_CHECKING:
    from streams.settings import Settings

COLUMNS = (
    "alert_id", "fingerprint", "name", "severity", "status", "labels", "annotations", "starts_at", "ends_at", "updated_at", "value",
    "expected", "threshold", "evidence", "generator",
)  # fmt: skip

OVERLAP_SECONDS, OVERLAP_RECORDS = 10.0, 200
"""What ``--follow`` reads again, per partition: an alert is on the topic a little before it is in the table, and must not fall between."""

LOOK_SECONDS = 1.0
"""Between looks whether the stack still runs."""

COLOURS = {"page": "bold red", "ticket": "yellow", "info": "dim"}


def alerts(
    what: Annotated[
        list[str] | None, typer.Argument(metavar="[show ID]", help="All of one alert, by its id (or fingerprint), instead of a list.")
    ] = None,
    data: Data = DEFAULT_DATA,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens, from llm.alerts.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    name: Annotated[str | None, typer.Option(help="Only alerts of this name, such as CostAnomaly; * for any text.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what changed within this time: 30m, 24h, 7d.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the alerts that fire now, the gravest first. With --json: a list; with --follow one object per line.

    `mirante alerts show ID` shows all of one alert: impact, cause, evidence, what to do.
    """
    if what:
        if len(what) != 2 or what[0] != "show" or not what[1]:
            raise typer.BadParameter(f"say `mirante alerts`, or `mirante alerts show ID`, not {' '.join(what)!r}")
        show(data, what[1], as_json)
        return
    age = _age(since)
    if name is not None and (unknown := unknown_alert(name)):
        typer.echo(f"note: {unknown}", err=True)
    asked = time.time()
    found, learning = _ask(data, every, name, age)
    if as_json and not follow:
        say_json(found, default=_text)
        return
    if as_json:
        for alert in found:
            say_json(alert, default=_text)
    else:
        _print(found)
        _print_learning(learning)
    if follow:
        _must_run(data)
        try:
            asyncio.run(_follow(data, name, as_json, {alert["alert_id"]: _millis(alert) for alert in found}, asked))
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


def _age(since: str | None) -> float | None:
    from agents.controls.durations import duration

    try:
        return None if since is None else duration(since).total_seconds()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from error


def _ask(
    data: Path, every: bool, name: str | None, age: float | None, begins: str = ""
) -> tuple[list[dict[str, Any]], list[str]]:
    """The latest state of alerts, whether the stack runs or not, and what is still learned."""
    from deploy.cli.learning import SERIES, learned
    from deploy.cli.source import moment
    from deploy.cli.trace import asking

    sql = (
        f"SELECT {', '.join(COLUMNS)} FROM mirante.alerts WHERE ({{every:UInt8}} OR status = 'firing') "
        "AND match(name, {name:String}) AND ({age:Float64} < 0 OR updated_at >= now64(3) - toIntervalSecond({age:Float64})) "
        "AND (startsWith(alert_id, {begins:String}) OR startsWith(fingerprint, {begins:String})) "
        "ORDER BY status, indexOf(['page', 'ticket', 'info'], severity), starts_at DESC"
    )
    with asking(data, None) as ask:
        rows = ask(sql, {"every": int(every), "name": _pattern(name), "age": -1.0 if age is None else age, "begins": begins})
        learning = learned(ask(SERIES, {}))
    for row in rows:
        for column in ("labels", "annotations", "evidence"):
            if isinstance(row[column], str):
                row[column] = json.loads(row[column] or "{}")
        for column in ("starts_at", "ends_at", "updated_at"):
            row[column] = None if row[column] is None else moment(row[column])
    return rows, learning


def _pattern(name: str | None) -> str:
    """A glob as the regular expression ClickHouse knows."""
    import re

    return ".*" if name is None else "^" + re.escape(name).replace(r"\*", ".*") + "$"


async def _follow(data: Path, name: str | None, as_json: bool, shown: Mapping[str, int], asked: float) -> None:
    """Print what is written to ``llm.alerts`` until interrupted, or until the stack that runs on ``data`` has stopped: then OSError.

    ``shown``: alert_id -> state that has been shown from the table (milliseconds), which was asked at ``asked``.
    """
    from deploy.embedded.directory import read_endpoints

    printing = asyncio.ensure_future(_print_events(settings_of_stack(data), name, as_json, shown, asked))
    try:
        own = read_endpoints(data) is not None
        while own and not printing.done() and read_endpoints(data) is not None:
            await asyncio.wait({printing}, timeout=LOOK_SECONDS)
        if own and read_endpoints(data) is None:
            raise OSError(f"the stack on {data} has stopped; `mirante alerts --data {data}` still shows its alerts")
        await printing
    finally:
        printing.cancel()
        await asyncio.wait({printing}, timeout=LOOK_SECONDS)


def _must_run(data: Path) -> None:
    """There is nothing to follow of a stack that has stopped. Raises OSError."""
    from deploy.cli.source import server_or_folder
    from deploy.embedded.directory import read_endpoints

    if read_endpoints(data) is None and not isinstance(server_or_folder(data), str):
        raise OSError(f"the stack on {data} has stopped: nothing will follow until `mirante up` runs on it again")


async def _print_events(settings: Settings, name: str | None, as_json: bool, shown: Mapping[str, int], asked: float) -> None:
    """Print what is written to ``llm.alerts``."""
    from fnmatch import fnmatchcase

    import msgspec
    from aiokafka import TopicPartition
    from aiokafka.errors import KafkaError

    from schemas.outputs import Alert
    from streams.kafka import BrokerUnavailable, new_reader
    from streams.reasons import reason
    from streams.topics import Topics

    topic = Topics.of(settings).alerts
    reader = new_reader(settings)
    try:
        await reader.start()
        tps = [TopicPartition(topic, p) for p in range(settings.partitions)]
        reader.assign(tps)
        ends, begins = await reader.end_offsets(tps), await reader.beginning_offsets(tps)
        for tp in tps:
            reader.seek(tp, max(begins[tp], ends[tp] - OVERLAP_RECORDS))
        async for record in reader:
            if record.timestamp < (asked - OVERLAP_SECONDS) * 1000:
                continue
            try:
                alert = msgspec.json.decode(record.value or b"", type=Alert)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                say(f"ignored: {topic} {record.partition}/{record.offset} is no alert: {error}", err=True)
                continue
            told = round(alert.updated_at.timestamp() * 1000) <= shown.get(alert.alert_id, -1)
            if not told and (name is None or fnmatchcase(alert.name, name)):
                _print_event(msgspec.to_builtins(alert, builtin_types=(datetime,)), as_json)
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(
            f"no Kafka broker at {settings.kafka_bootstrap} gave {topic} ({reason(error)}); check MIRANTE_KAFKA_BOOTSTRAP or --data"
        ) from error
    finally:
        await reader.stop()


def _millis(row: Mapping[str, Any]) -> int:
    at: datetime = row["updated_at"]
    return round(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1000)


def _print_event(alert: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say_json(alert, default=_text)
        return
    colour = "green" if alert["status"] == "resolved" else COLOURS[alert["severity"]]
    when = f"{alert['updated_at'].astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    line = f"{alert['status']:<9}{alert['severity']:<7}{alert['name']:<20}{_labels(alert)}  {_summary(alert)}"
    console().print(cell(when, "dim"), cell(line, colour), soft_wrap=True)


def _print(found: list[dict[str, Any]]) -> None:
    """Three lines for each, as long as they are: nothing that names an alert is cut."""
    if not found:
        typer.echo("no alerts")
        return
    out = console()
    for alert in found:
        colour = "green" if alert["status"] == "resolved" else COLOURS.get(alert["severity"], "")
        head = cell(f"{alert['severity']:<7}{alert['name']}", colour)
        since = cell(f"since {alert['starts_at']:%Y-%m-%d %H:%M:%S} UTC, {alert['status']}, {alert['alert_id']}", "dim")
        out.print(head, since, soft_wrap=True)
        out.print(cell(f"       {_summary(alert)}"), soft_wrap=True)
        out.print(cell(f"       {_labels(alert)}", "dim"), soft_wrap=True)


def show(data: Path, wanted: str, as_json: bool) -> None:
    """Print all of one alert, named by its id, its fingerprint or how one of them begins. Exits with 1 if there is none."""
    every, _ = _ask(data, True, None, None, wanted)
    if not every:
        typer.echo(f"no alert has an id or fingerprint that begins with {wanted!r}; `mirante alerts --all` lists them", err=True)
        raise typer.Exit(1)
    newest = max(every, key=lambda alert: alert["starts_at"])
    if as_json:
        say_json(newest, default=_text)
        return
    _print_whole(newest)
    if len(every) > 1:
        typer.echo(f"\nthe latest of {len(every)} such alerts; `mirante alerts --all` lists them")


PARTS = (
    ("impact", "impact"), ("cause", "cause"), ("description", "evidence"), ("action", "what to do"), ("inhibited_by", "explained by"),
    ("silenced_by", "silenced by"), ("digest", "digest"), ("flapping", "flapping"), ("no_data", "no data"), ("runbook_url", "runbook"),
    ("dashboard_url", "dashboard"),
)  # fmt: skip
"""Annotations as `alerts show` names them, in its order."""


def _print_whole(alert: dict[str, Any]) -> None:
    out, notes = console(), alert["annotations"]
    colour = "green" if alert["status"] == "resolved" else COLOURS.get(alert["severity"], "")
    out.print(cell(f"{alert['name']} ({alert['severity']}, {alert['status']})", colour), soft_wrap=True)
    out.print(block(notes.get("summary", "")), soft_wrap=True)
    ends = f"{alert['ends_at']:%Y-%m-%d %H:%M:%S} UTC" if alert["ends_at"] else "goes on"
    rows = [(word, notes[name]) for name, word in PARTS if notes.get(name)]
    rows += [("since", f"{alert['starts_at']:%Y-%m-%d %H:%M:%S} UTC"), ("until", ends)]
    rows += [(name, f"{alert[name]:.6g}") for name in ("value", "expected", "threshold") if alert[name] is not None]
    rows += [("labels", _labels(alert)), ("id", alert["alert_id"]), ("fingerprint", alert["fingerprint"]), ("from", alert["generator"])]
    evidence = {name: value for name, value in alert["evidence"].items() if name != "facts" and value not in ("", None, [], {})}
    rows += [(name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)) for name, value in evidence.items()]
    for name, value in rows:
        out.print(cell(f"{name:<15}", "dim"), block(value), sep="", soft_wrap=True)


def _print_learning(lines: list[str]) -> None:
    """No alert may mean that nothing is known yet."""
    if lines:
        lines = ["still learning what is usual; until then nothing is said of it:", *(f"  {line}" for line in lines)]
    for line in lines:
        console().print(cell(line, "dim"), soft_wrap=True)


def _labels(alert: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(alert["labels"].items()))


def _summary(alert: dict[str, Any]) -> str:
    notes = alert["annotations"]
    quiet = [f"{why.replace('_', ' ')} {notes[why]}" for why in ("silenced_by", "inhibited_by") if notes.get(why)]
    return f"{notes.get('summary', '')}{f' ({quiet[0]})' if quiet else ''}"


def _text(value: Any) -> str:
    """Moments in JSON, as the topic has them."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).isoformat().replace("+00:00", "Z")
    return str(value)
