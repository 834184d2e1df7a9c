"""What can be told of a statement before anybody is asked: whether it is one, and its FORMAT."""

from __future__ import annotations

import re
from typing import NamedTuple

import typer

READS = ("select", "with", "from", "show", "describe", "desc", "explain", "exists", "check")

_ASIDE = re.compile(
    r"""(?P<quoted>'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*")|--[^\n]*|/\*.*?\*/""",
    re.DOTALL,
)
_DATA = re.compile(r"\bINSERT\b.*?\b(?:VALUES|FORMAT)\b", re.DOTALL | re.IGNORECASE)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*(?:SETTINGS\b.*)?$", re.DOTALL | re.IGNORECASE)


class QueryStatement(NamedTuple):
    """``sql`` without the semicolon at its end. ``form``: the FORMAT it asks for itself."""

    sql: str
    reads: bool
    form: str | None


def read_statement(sql: str, *, as_json: bool) -> QueryStatement:
    """What a command was given.

    Raises BadParameter, wrong usage, unless it is one statement that can be answered so.
    """
    bare = _ASIDE.sub(lambda found: "x" if found["quoted"] else " ", sql)
    parts = [part.strip() for part in bare.split(";") if part.strip()]
    if not parts:
        raise typer.BadParameter(
            'the statement is empty; write one, such as "SELECT count() FROM interactions"'
        )
    if len(parts) > 1 and not _DATA.match(parts[0]):  # what follows an INSERT's VALUES may be data
        raise typer.BadParameter(f"these are {len(parts)} statements; give one at a time")
    reads = parts[0].lstrip("( \n\t").split(None, 1)[0].lower() in READS
    found = _FORMAT.search(parts[0]) if reads else None
    if found is not None and as_json:
        raise typer.BadParameter(
            f"FORMAT {found[1]} and --json contradict each other; leave one out"
        )
    return QueryStatement(
        sql.rstrip().rstrip(";") if len(parts) == 1 else sql, reads, found[1] if found else None
    )
