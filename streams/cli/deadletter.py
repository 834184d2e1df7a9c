"""``mirante deadletter``: what could not be processed, and sending it back after a fix."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from streams.cli.options import DEFAULT_DATA, AsJson, Data, settings_of_stack

app = typer.Typer(help="What could not be processed: look at it, and send it back after a fix.", no_args_is_help=True)

Like = Annotated[str | None, typer.Option("--reason", help="Only reasons that contain this text.")]
Topic = Annotated[str | None, typer.Option("--topic", help="Only records of this topic.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]


@app.command("list")
def list_letters(data: Data = DEFAULT_DATA, reason: Like = None, topic: Topic = None, limit: Limit = 20, as_json: AsJson = False) -> None:
    """Show dead letters, the latest first, with the reason and the beginning of the value."""
    from rich.console import Console
    from rich.table import Table

    letters = _letters(data, reason, topic, limit)
    _warn(data, topic, letters)
    if as_json:
        typer.echo(json.dumps(letters, default=str))
        return
    table = Table("time", "topic", "position", "reason", "value", title=f"{len(letters)} dead letters")
    for letter in letters:
        value = base64.b64decode(letter["value"])[:60].decode(errors="replace")
        position = f"{letter['partition']}/{letter['offset']}"
        table.add_row(f"{letter['time']:%Y-%m-%d %H:%M:%S}", letter["topic"], position, letter["reason"], value)
    Console().print(table)


@app.command("replay")
def replay_letters(
    data: Data = DEFAULT_DATA, reason: Like = None, topic: Topic = None, limit: Limit = 1_000_000, as_json: AsJson = False
) -> None:
    """Send dead letters back to their topics, as they were, after what was wrong has been mended.

    Each carries the header mirante-replay with its first position, so sending one twice counts once.
    """
    from streams.topics import Topics

    settings = settings_of_stack(data)
    events = {*Topics.of(settings).events, settings.otlp.spans, settings.otlp.logs}
    found = _letters(data, reason, topic, limit)
    _warn(data, topic, found)
    letters = [letter for letter in found if letter["topic"] in events]
    asyncio.run(_send_back(settings, letters))
    if as_json:
        typer.echo(json.dumps({"replayed": len(letters)}))
    else:
        typer.echo(f"sent {len(letters)} dead letters back; those that fail again are dead letters at their new position")


def _letters(data: Path, reason: str | None, topic: str | None, limit: int) -> Sequence[dict[str, Any]]:
    """From the stack, or from its data when it has stopped."""
    from streams.cli.source import moment
    from streams.cli.trace import asking

    with asking(data, None) as ask:
        letters = ask(
            "SELECT source, topic, partition, offset, time, stage, reason, key, value, headers FROM mirante.deadletter "
            "WHERE positionCaseInsensitive(reason, {reason:String}) > 0 AND ({topic:String} = '' OR topic = {topic:String}) "
            "ORDER BY time DESC, topic, partition, offset DESC LIMIT {limit:UInt32}",
            {"reason": reason or "", "topic": topic or "", "limit": limit},
        )
    return [{**letter, "time": moment(letter["time"])} for letter in letters]


def _warn(data: Path, topic: str | None, letters: Sequence[dict[str, Any]]) -> None:
    """Of a topic that is asked for and has none."""
    if topic and not letters:
        from streams.cli.seen import warn_no_letters

        warn_no_letters(data, topic)


async def _send_back(settings: Any, letters: Sequence[dict[str, Any]]) -> None:
    from streams.deadletters import REPLAY_HEADER
    from streams.kafka import new_producer

    producer = new_producer(settings)
    await producer.start()
    try:
        pending = []
        for letter in letters:
            position = f"{letter['source']}/{letter['topic']}/{letter['partition']}/{letter['offset']}"
            headers = [(name, base64.b64decode(value or "")) for name, value in json.loads(letter["headers"])]
            headers = [(name, value) for name, value in headers if name != REPLAY_HEADER]
            headers.append((REPLAY_HEADER, position.encode()))
            key = base64.b64decode(letter["key"]) if letter["key"] else None
            pending.append(await producer.send(letter["topic"], base64.b64decode(letter["value"]), key=key, headers=headers))
        await asyncio.gather(*pending)
    finally:
        await producer.stop()
