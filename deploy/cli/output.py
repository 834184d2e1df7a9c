"""What commands print of events: never markup, never control characters (deploy/plain.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from deploy.plain import json_text, one_line, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

PLAIN_WIDTH = 200
"""When the output is no terminal: a line per row."""


def console() -> Console:
    """Where tables go: as wide as the terminal, or wide enough for a file."""
    import sys

    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def cell(text: object, style: str = "") -> Text:
    """Text of an event in a table or a line."""
    from rich.text import Text

    return Text(one_line(str(text)), style)


def block(text: object, style: str = "") -> Text:
    """Text of an event as it stands, with its line breaks."""
    from rich.text import Text

    return Text(printable(str(text)), style)


def say(text: str, *, err: bool = False) -> None:
    """A line that holds text of an event."""
    typer.echo(printable(text), err=err)


def say_json(value: Any, **options: Any) -> None:
    """A value as JSON."""
    typer.echo(json_text(value, **options))
