"""``mirante silence``: some alerts shall disturb nobody for a time."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from deploy.cli.options import DEFAULT_DATA, AsJson, Data, settings_of_stack


def silence(
    matchers: Annotated[
        list[str] | None, typer.Argument(metavar="LABEL=PATTERN...", help="All must match; alertname is the alert's name, * any text.")
    ] = None,
    lasts: Annotated[str | None, typer.Option("--for", help="How long: 30m, 2h, 1d.")] = None,
    comment: Annotated[str, typer.Option(help="Why, for those who wonder.")] = "",
    remove: Annotated[str | None, typer.Option(metavar="ID", help="End the silence of this id instead.")] = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Silence alerts: they are still recorded, but sent to nobody.

    Example: mirante silence alertname=CostAnomaly feature=search --for 2h --comment "load test"
    """
    import json
    import time
    import uuid
    from datetime import UTC, datetime

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
