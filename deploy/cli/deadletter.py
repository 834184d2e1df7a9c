"""``mirante deadletter``: what could not be processed, and sending it back after a fix."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.options import DEFAULT_DATA, AsJson, Data, settings_of_stack
from deploy.cli.output import cell, console, say, say_json

if TYPE_CHECKING:
    from schemas.outputs import DeadLetter

app = typer.Typer(help="What could not be processed: look at it, and send it back after a fix.", no_args_is_help=True)

Like = Annotated[str | None, typer.Option("--reason", help="Only reasons that contain this text.")]
Topic = Annotated[str | None, typer.Option("--topic", help="Only records of this topic.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]


@app.command("list")
def list_letters(data: Data = DEFAULT_DATA, reason: Like = None, topic: Topic = None, limit: Limit = 20, as_json: AsJson = False) -> None:
    """Show dead letters, the latest first, with the reason and the beginning of the value, personal data masked."""
    from rich.table import Table

    letters = _letters(data, reason, topic, limit)
    _warn(data, topic, letters)
    if as_json:
        say_json(letters, default=str)
        return
    table = Table("time", "topic", "position", "reason", "value", title=f"{len(letters)} dead letters")
    for letter in letters:
        value = base64.b64decode(letter["value"]).decode(errors="replace")[:60]
        position = f"{letter['partition']}/{letter['offset']}"
        table.add_row(f"{letter['time']:%Y-%m-%d %H:%M:%S}", *map(cell, (letter["topic"], position, letter["reason"], value)))
    console().print(table)


@app.command("replay")
def replay_letters(
    data: Data = DEFAULT_DATA, reason: Like = None, topic: Topic = None, limit: Limit = 1_000_000, as_json: AsJson = False
) -> None:
    """Send dead letters back to their topics, as they were, after what was wrong has been mended.

    Their bytes come from llm.deadletter: the table holds a masked preview. Each carries the header mirante-replay with its first
    position, so sending one twice counts once.
    """
    from streams.topics import Topics

    settings = settings_of_stack(data)
    events = {*Topics.of(settings).events, settings.otlp.spans, settings.otlp.logs}
    found = _letters(data, reason, topic, limit)
    _warn(data, topic, found)
    letters = [letter for letter in found if letter["topic"] in events]
    sent = asyncio.run(_send_back(settings, letters))
    if as_json:
        say_json({"replayed": sent})
    else:
        say(f"sent {sent} dead letters back; those that fail again are dead letters at their new position")
    if sent < len(letters):
        kept = Topics.of(settings).deadletter
        say(f"{len(letters) - sent} are no longer in {kept}, which alone holds the original bytes: its retention has passed", err=True)
        raise typer.Exit(1)


def _letters(data: Path, reason: str | None, topic: str | None, limit: int) -> Sequence[dict[str, Any]]:
    """From the stack, or from its data when it has stopped."""
    from deploy.cli.source import moment
    from deploy.cli.trace import asking

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
        from deploy.cli.seen import warn_no_letters

        warn_no_letters(data, topic)


async def _send_back(settings: Any, letters: Sequence[dict[str, Any]]) -> int:
    """Send the originals of letters to their topics; returns how many there were."""
    from streams.deadletters import REPLAY_HEADER
    from streams.kafka import new_producer

    wanted = {(letter["source"], letter["topic"], letter["partition"], letter["offset"]) for letter in letters}
    producer = new_producer(settings)
    await producer.start()
    pending = []
    try:
        async for letter in _originals(settings, wanted):
            position = f"{letter.source}/{letter.topic}/{letter.partition}/{letter.offset}"
            headers = [(name, base64.b64decode(value or "")) for name, value in letter.headers if name != REPLAY_HEADER]
            headers.append((REPLAY_HEADER, position.encode()))
            key, value = (None if data is None else base64.b64decode(data) for data in (letter.key, letter.value))
            pending.append(await producer.send(letter.topic, value, key=key, headers=headers))
        await asyncio.gather(*pending)
    finally:
        await producer.stop()
    return len(pending)


async def _originals(settings: Any, wanted: set[tuple[str, str, int, int]]) -> AsyncIterator[DeadLetter]:
    """The dead letters at these positions as their topic has them, each once."""
    from contextlib import aclosing

    import msgspec

    from schemas.outputs import DeadLetter
    from streams.kafka import followed
    from streams.topics import Topics

    topic, left = Topics.of(settings).deadletter, set(wanted)
    async with aclosing(followed(settings, topic)) as batches:
        async for records in batches:
            if records is None or not left:
                return
            for record in records:
                try:
                    letter = msgspec.json.decode(record.value or b"", type=DeadLetter)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    say(f"ignored: {topic} {record.partition}/{record.offset} is no dead letter: {error}", err=True)
                    continue
                position = letter.source, letter.topic, letter.partition, letter.offset
                if position in left:
                    left.discard(position)
                    yield letter
