"""The commands, and how errors leave the program: a sentence that says what to do, and status 1 (2 for wrong usage)."""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from deploy.cli import (
    alerts,
    anomaly,
    checklist,
    controls,
    dashboard,
    deadletter,
    doctor,
    drift,
    export,
    forward,
    ingest,
    judge,
    kill,
    prompts,
    query,
    replay,
    schema,
    silence,
    topics,
    trace,
    up,
    worker,
)
from deploy.cli.errors import sentence
from deploy.cli.output import block
from streams.secrets import hide_passwords
from streams.settings import SettingsError

app = typer.Typer(
    name="mirante",
    help="Tells a team whether the AI features it runs in production behave: cost by the minute, outcomes, and what went wrong.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"mirante {version('mirante')}")
        raise typer.Exit


@app.callback()
def _mirante(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is, and end."),
    ] = False,
) -> None:
    pass


app.command("up")(up.up)
app.command("worker")(worker.worker)
app.command("replay")(replay.replay)
app.command("query")(query.query)
app.command("trace")(trace.trace)
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)
app.command("alerts")(alerts.alerts)
app.command("anomaly")(anomaly.anomaly)
app.command("silence")(silence.silence)
app.command("forward")(forward.forward)
app.command("kill")(kill.kill)
app.command("restore")(kill.restore)
app.command("controls")(controls.controls)
app.command("dashboard")(dashboard.dashboard)
app.command("ingest")(ingest.ingest)
app.command("export")(export.export)
app.command("topics")(topics.topics)
app.command("checklist")(checklist.checklist)
app.add_typer(deadletter.app, name="deadletter")
app.add_typer(prompts.app, name="prompts")
app.add_typer(judge.app, name="judge")
app.add_typer(drift.app, name="drift")


KNOWN = (
    ("deploy.embedded.directory", "DirectoryInUse"),
    ("deploy.embedded.processes", "ProcessFailed"),
    ("schemas.migrate", "MigrationError"),
    ("deploy.prompts", "GitError"),
    ("streams.backfill", "BackfillError"),
    ("streams.kafka", "TopicMismatch"),
    ("streams.versions", "UnknownVersion"),
    ("deploy.traffic.record", "TrafficError"),
)
"""Errors whose message says what to do. By name: a command that needs none of these modules starts without them."""


def main() -> None:
    """Entry point of the console script."""
    # What libraries say goes to logs. A command that keeps none says itself what is wrong, once.
    logging.lastResort = logging.NullHandler()
    try:
        hide_passwords()
        app(standalone_mode=True)
    except SystemExit as end:
        _leave(end)
    except SettingsError as error:
        _fail(str(error), 2)
    except Exception as error:  # what is not known is raised again
        known = tuple(getattr(sys.modules[module], name) for module, name in KNOWN if module in sys.modules)
        if not isinstance(error, (OSError, *known)):
            raise
        _fail(sentence(error), 1)


def _leave(end: SystemExit) -> None:
    """With the status of a command that has ended, once all it wrote is out: a full disk shows only then."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # who read it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _fail(f"the output could not be written: {sentence(error)}", 1)
    raise end


def _fail(message: str, status: int) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print("[bold red]mirante:[/]", block(message))
    sys.exit(status)
