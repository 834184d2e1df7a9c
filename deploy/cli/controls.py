"""``mirante controls``: what is switched off or throttled at present."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.options import DEFAULT_DATA, AsJson, Data, settings_of_stack
from deploy.cli.output import cell, console, say, say_json
from streams.settings import Settings, load_settings

if TYPE_CHECKING:
    from agents.controls.fold import Controls
    from schemas.outputs import Control


def controls(
    data: Data = DEFAULT_DATA,
    every: Annotated[bool, typer.Option("--all", help="Restored scopes too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the kill switches and throttles, from llm.controls itself; the history is in the table controls.

    Of a stack that has stopped: what was in force then, from the table.
    """
    from datetime import UTC, datetime

    import msgspec

    from agents.controls.fold import is_in_force

    state: Iterable[Control]
    if _has_stopped(data):
        typer.echo(f"the stack on {data} has stopped; this was in force:", err=True)
        state, faults = _recorded(data), list[str]()
    else:
        state, faults = asyncio.run(read_controls(settings_of_stack(data)))
    for fault in faults:
        say(f"ignored: {fault}", err=True)
    now = datetime.now(UTC)
    shown: list[dict[str, Any]] = []
    for control in state:
        if control.action == "restore" and not every:
            continue
        status = "restored" if control.action == "restore" else "in force" if is_in_force(control, now) else "expired"
        shown.append({**msgspec.structs.asdict(control), "status": status})
    if as_json:
        say_json(msgspec.to_builtins(shown))
    elif not shown:
        typer.echo("nothing is killed or throttled")
    else:
        _print(shown)


def _has_stopped(data: Path) -> bool:
    """Whether only the data of a stack are left. Raises OSError when there is nothing to ask at all."""
    from deploy.cli.source import server_or_folder
    from deploy.embedded.directory import read_endpoints

    if read_endpoints(data) is not None or "kafka_bootstrap" in load_settings().model_fields_set:
        return False
    return not isinstance(server_or_folder(data), str)


def _recorded(data: Path) -> list[Control]:
    """The latest word on each scope, from the table."""
    import msgspec

    from deploy.cli.trace import asking
    from schemas.outputs import Control

    sql = (
        "SELECT scope, action, limit, reason, source, time, expires_at FROM mirante.controls WHERE status = 'recorded' "
        "ORDER BY time DESC, offset DESC LIMIT 1 BY scope"
    )
    with asking(data, None) as ask:
        return [msgspec.convert(row, Control, strict=False) for row in ask(sql, {})]


async def read_controls(settings: Settings) -> tuple[Controls, list[str]]:
    """The present state of ``llm.controls``, read from its start, and what of it is no control."""
    from contextlib import aclosing

    from agents.controls.fold import ControlError, Controls
    from streams.kafka import followed
    from streams.topics import Topics

    state, faults = Controls(), []
    async with aclosing(followed(settings, Topics.of(settings).controls)) as batches:
        async for records in batches:
            if records is None:
                break
            for record in records:
                try:
                    state.record(record.key, record.value)
                except ControlError as error:
                    faults.append(f"{record.topic} {record.partition}/{record.offset}: {error}")
    return state, faults


def _print(shown: list[dict[str, Any]]) -> None:
    from rich.table import Column, Table

    # What names a switch is never cut, however narrow the terminal.
    table = Table(Column("scope", overflow="fold", min_width=20), "", "action", "since (UTC)", "until (UTC)", "by", "reason")
    colours = {"in force": "bold red", "expired": "dim", "restored": "green"}
    for control in shown:
        status, until = control["status"], control["expires_at"]
        action = f"throttle {control['limit']:g}/min" if control["action"] == "throttle" else control["action"]
        table.add_row(
            cell(control["scope"]),
            cell(status, colours[status]),
            action,
            f"{control['time']:%Y-%m-%d %H:%M:%S}",
            f"{until:%Y-%m-%d %H:%M:%S}" if until else "",
            cell(control["source"]),
            cell(control["reason"]),
        )
    console().print(table)
