"""``mirante replay``: publish a recorded trace."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.options import DEFAULT_DATA, AsJson, Data, settings_of_stack


def replay(
    file: Annotated[Path, typer.Argument(help="A trace: azure-llm CSV, mooncake JSONL, or events JSONL.", exists=True, dir_okay=False)],
    data: Data = DEFAULT_DATA,
    format: Annotated[str | None, typer.Option(help="azure-llm, mooncake, vidur or events; found out when not given.")] = None,
    speed: Annotated[str, typer.Option(help="1 = as recorded, N = N times faster, max = as fast as possible.")] = "1",
    shift: Annotated[str | None, typer.Option(help="'now' or a date with time: moves the first event there.")] = None,
    run: Annotated[str | None, typer.Option(help="Publishing twice under one name counts once.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first rows.")] = None,
    as_json: AsJson = False,
) -> None:
    """Publish a recorded trace to the topics, at recorded speed or faster.

    Publishes to the stack that runs on --data, otherwise to MIRANTE_KAFKA_BOOTSTRAP.
    """
    import msgspec

    from deploy.traffic.formats import FORMATS
    from deploy.traffic.progress import ProgressView
    from deploy.traffic.publisher import parse_speed
    from deploy.traffic.record import TrafficError
    from deploy.traffic.replay import replay as publish
    from streams.kafka import client_options

    if format is not None and format not in FORMATS:
        raise typer.BadParameter(f"{format!r} is none of {', '.join(FORMATS)}", param_hint="--format")
    try:
        pace = parse_speed(speed)
    except TrafficError as error:
        raise typer.BadParameter(str(error), param_hint="--speed") from error
    try:
        shift_to = None if shift is None else datetime.now(UTC) if shift == "now" else datetime.fromisoformat(shift)
    except ValueError as error:
        raise typer.BadParameter(
            f"{shift!r} is neither now nor a time such as 2026-01-31T12:00:00Z", param_hint="--shift"
        ) from error
    settings = settings_of_stack(data)
    if shift_to is not None and shift_to.tzinfo is None:
        shift_to = shift_to.replace(tzinfo=UTC)
    with ProgressView(f"replay {file.name}") as view:
        result = asyncio.run(
            publish(
                file,
                prefix=settings.topic_prefix,
                format=format,
                speed=pace,
                shift_to=shift_to,
                run=run,
                limit=limit,
                on_progress=None if as_json else view,
                **client_options(settings),
            )
        )
    if as_json:
        typer.echo(msgspec.json.encode({"published": result.published, "seconds": result.seconds, "run": result.run}).decode())
    else:
        per_topic = ", ".join(f"{count:,} to {topic}" for topic, count in sorted(result.published.items()))
        typer.echo(f"published {per_topic} in {result.seconds:.1f} s ({result.rate:,.0f}/s), run {result.run}")
