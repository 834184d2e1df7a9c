"""``mirante silence``: some alerts shall disturb nobody for a time."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.options import DEFAULT_DATA, AsJson, Data, settings_of_stack
from deploy.cli.output import say, say_json


def silence(
    matchers: Annotated[
        list[str] | None, typer.Argument(metavar="LABEL=PATTERN...", help="All must match; alertname is the alert's name, * any text.")
    ] = None,
    lasts: Annotated[str | None, typer.Option("--for", help="How long: 30m, 2h, 1d.")] = None,
    comment: Annotated[str, typer.Option(help="Why, for those who wonder.")] = "",
    remove: Annotated[str | None, typer.Option(metavar="ID", help="End the silence of this id instead.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show the silences that hold or are to come.")] = False,
    every: Annotated[bool, typer.Option("--all", help="With --list: also those that are over.")] = False,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Silence alerts: they are still recorded, but sent to nobody.

    Example: mirante silence alertname=CostAnomaly feature=search --for 2h --comment "load test"
    """
    if listed:
        if matchers or lasts or remove:
            raise typer.BadParameter("takes no matchers, no --for and no --remove", param_hint="--list")
        show(data, every, as_json)
        return
    import time
    import uuid
    from datetime import datetime

    from agents.alerts.silence import Silence, parse_matchers, silence_message
    from agents.controls.durations import duration
    from deploy.operator import author, write_message
    from streams.topics import Topics

    if remove is not None:
        if matchers or lasts:
            raise typer.BadParameter("takes the id alone, without matchers and --for", param_hint="--remove")
        # The same id again replaces a silence; this one is over before it begins.
        new = Silence(id=remove, matchers={"alertname": "*"}, start=0.0, end=0.0, comment=comment, created_by=author())
        said = f"silence {remove} is ended"
    else:
        if lasts is None:
            raise typer.BadParameter("say how long, such as 2h", param_hint="--for")
        now = time.time()
        try:
            found, end = parse_matchers(matchers or []), now + duration(lasts).total_seconds()
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        new = Silence(id=uuid.uuid4().hex[:12], matchers=found, start=now, end=end, comment=comment, created_by=author())
        said = (
            f"silenced until {datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M:%S} UTC; `mirante silence --remove {new.id}` ends it before"
        )
    settings = settings_of_stack(data)
    asyncio.run(write_message(settings, silence_message(Topics.of(settings).findings, new)))
    typer.echo(json.dumps({name: getattr(new, name) for name in new.__struct_fields__}) if as_json else said)
    if remove is None:
        from deploy.cli.seen import warn_unmatched

        warn_unmatched(data, new.matchers)


def show(data: Path, every: bool, as_json: bool) -> None:
    """Print the silences, those that end last first."""
    from deploy.cli.source import moment
    from deploy.cli.trace import asking

    sql = (
        "SELECT id, matchers, starts_at, ends_at, comment, created_by FROM mirante.silences "
        "WHERE {every:UInt8} OR ends_at > now64(3) ORDER BY ends_at DESC, id"
    )
    with asking(data, None) as ask:
        rows = ask(sql, {"every": int(every)})
    for row in rows:
        row["matchers"] = json.loads(row["matchers"]) if isinstance(row["matchers"], str) else row["matchers"]
        row["starts_at"], row["ends_at"] = moment(row["starts_at"]), moment(row["ends_at"])
    if as_json:
        say_json(rows, default=lambda at: at.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z"))
    elif not rows:
        typer.echo("nothing is silenced")
    else:
        for row in rows:
            until = f"until {row['ends_at']:%Y-%m-%d %H:%M:%S} UTC" if row["ends_at"] > row["starts_at"] else "removed"
            told = f"{row['id']}  {until}  "
            told += " ".join(f"{label}={pattern}" for label, pattern in sorted(row["matchers"].items()))
            why = ", ".join(part for part in (row["comment"], row["created_by"] and f"by {row['created_by']}") if part)
            say(f"{told}  ({why})" if why else told)
