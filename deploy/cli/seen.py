"""A warning for what an operator names and nobody has ever seen: most likely a slip of the hand.

It never holds up what is asked for: the command has done it when this is looked up.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, get_args

import typer

from deploy.cli.options import settings_of_stack

PATIENCE = 3.0
"""Seconds until the look-up is given up."""

MOST_NAMES = 10_000
MOST_SIMILAR = 3

_NAMES = (
    "SELECT DISTINCT {column} AS name FROM mirante.cost_windows "
    "WHERE window_seconds = 86400 AND name != '' LIMIT {limit}"
)
_ONE = (
    "SELECT {column} AS name FROM mirante.interactions_data "
    "WHERE {column} = {{value:String}} LIMIT 1"
)
_COLUMNS = {
    "tenant": "tenant",
    "feature": "feature",
    "model": "model",
    "provider": "provider",
    "environment": "environment",
}
_PERSONAL = {"user": "user_id", "session": "session_id"}
_LABELS = "SELECT DISTINCT arrayJoin(mapKeys(labels)) AS name FROM mirante.alerts"
_LETTERS = "SELECT DISTINCT topic AS name FROM mirante.deadletter"


def warn_unseen(data: Path, names: Mapping[str, str]) -> None:
    """Say of which of these (tenant, feature, model ...: name) no call was ever seen."""
    _say(
        data, lambda ask: (text for kind, name in names.items() if (text := _call(ask, kind, name)))
    )


def warn_unmatched(data: Path, matchers: Mapping[str, str]) -> None:
    """Say which matchers of a silence no alert can meet, or none ever has."""

    def unmatched(ask: NameQuery) -> Iterator[str]:
        for label, pattern in matchers.items():
            if label == "alertname":
                yield from filter(None, [unknown_alert(pattern)])
            elif label in _COLUMNS:
                yield from filter(None, [_call(ask, label, pattern)])
            else:
                known = {*_COLUMNS, *_PERSONAL, "severity", "alertname", *ask(_LABELS, {})}
                if label not in known:
                    yield f"no alert ever had a label {label!r}{_similar(label, known)}"

    _say(data, unmatched)


def warn_no_letters(data: Path, topic: str) -> None:
    """Say that a topic has no dead letters at all, whether the stack runs or not."""
    from deploy.cli.trace import asking

    with asking(data, None) as ask:
        known = {row["name"] for row in ask(_LETTERS, {})}
    if topic not in known:
        others = f"; there are some of {', '.join(sorted(known))}" if known else ""
        typer.echo(
            f"note: no dead letter of a topic {topic!r} was ever seen"
            f"{_similar(topic, known) or others}",
            err=True,
        )


def unknown_alert(pattern: str) -> str:
    """A sentence if no alert is called so, else nothing. ``*`` matches any text."""
    from schemas.outputs import AlertName

    names: Sequence[str] = get_args(AlertName)
    if any(fnmatchcase(name, pattern) for name in names):
        return ""
    others = f"; there are {', '.join(names)}"
    return f"no alert is called {pattern!r}{_similar(pattern, names) or others}"


class NameQuery:
    """Asks for names. Of a server only: what is written to Kafka has one."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __call__(self, sql: str, parameters: Mapping[str, Any]) -> set[str]:
        return {
            str(row[0]) for row in self._client.query(sql, parameters=dict(parameters)).result_rows
        }


def _call(ask: NameQuery, kind: str, pattern: str) -> str:
    if kind in _PERSONAL:
        found = ask(_ONE.format(column=_PERSONAL[kind]), {"value": pattern})
        return "" if found else f"no call of {kind} {pattern!r} was ever seen"
    known = ask(_NAMES.format(column=_COLUMNS[kind], limit=MOST_NAMES), {})
    if any(fnmatchcase(name, pattern) for name in known):
        return ""
    return f"no call of {kind} {pattern!r} was ever seen{_similar(pattern, known)}"


def _similar(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name.strip("*"), list(known), n=MOST_SIMILAR)
    return f"; similar: {', '.join(found)}" if found else ""


def _say(data: Path, look: Callable[[NameQuery], Iterable[str]]) -> None:
    from clickhouse_connect.driver.exceptions import DatabaseError
    from urllib3.exceptions import HTTPError

    from streams.clickhouse import connect
    from streams.reasons import reason

    try:
        with closing(connect(settings_of_stack(data).clickhouse_url, patience=PATIENCE)) as client:
            found = list(look(NameQuery(client)))
    except (DatabaseError, HTTPError, OSError) as error:
        typer.echo(f"whether this was ever seen could not be looked up ({reason(error)})", err=True)
        return
    for text in found:
        typer.echo(f"note: {text}", err=True)
