"""The commands, and how errors leave the program: a sentence that says what to do, and status 1 (2 for wrong usage)."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

from streams.cli import deadletter, doctor, query, replay, schema, up, worker
from streams.settings import SettingsError

app = typer.Typer(
    name="mirante",
    help="Tells a team whether the AI features it runs in production behave: cost by the minute, outcomes, and what went wrong.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("worker")(worker.worker)
app.command("replay")(replay.replay)
app.command("query")(query.query)
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)
app.add_typer(deadletter.app, name="deadletter")


def main() -> None:
    """Entry point of the console script."""
    from deploy.embedded.directory import DirectoryInUse
    from deploy.embedded.processes import ProcessFailed
    from schemas.migrate import MigrationError
    from streams.clickhouse import ClickHouseUnavailable
    from streams.kafka import BrokerUnavailable, TopicMismatch
    from streams.traffic.record import TrafficError

    known = (
        BrokerUnavailable, ClickHouseUnavailable, DirectoryInUse, MigrationError, ProcessFailed, TopicMismatch, TrafficError, OSError,
    )  # fmt: skip
    try:
        app()
    except SettingsError as error:
        _fail(str(error), 2)
    except known as error:
        _fail(str(error), 1)


def _fail(message: str, status: int) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print("[bold red]mirante:[/]", escape(message))
    sys.exit(status)
