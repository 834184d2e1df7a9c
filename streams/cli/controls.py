"""``mirante controls``: what is switched off or throttled at present."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.options import DEFAULT_DATA, AsJson, Data, settings_of_stack
from streams.cli.output import cell, console, say, say_json

if TYPE_CHECKING:
    from agents.controls.fold import Controls
    from streams.settings import Settings


def controls(
    data: Data = DEFAULT_DATA,
    every: Annotated[bool, typer.Option("--all", help="Restored scopes too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the kill switches and throttles, from llm.controls itself; the history is in the table controls."""
    from datetime import UTC, datetime

    import msgspec

    from agents.controls.fold import is_in_force

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
    from rich.table import Table

    table = Table("scope", "", "action", "since (UTC)", "until (UTC)", "by", "reason")
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
