"""``mirante judge``: scores sampled answers with a model; ``mirante judge agreement``: whether users see it likewise."""

from __future__ import annotations

import asyncio
from itertools import groupby
from typing import Annotated

import typer

from deploy.cli.options import DEFAULT_DATA, AsJson, Data, LogLevel, LogLevelName, settings_of_stack
from deploy.cli.waiting import waiting

app = typer.Typer(help="Score sampled answers with a model of an OpenAI-compatible endpoint.", invoke_without_command=True)


@app.callback()
def judge(
    context: typer.Context,
    data: Data = DEFAULT_DATA,
    url: Annotated[str | None, typer.Option(help="Of the API, such as http://127.0.0.1:8000/v1; instead of judge.url.")] = None,
    model: Annotated[str | None, typer.Option(help="Instead of judge.model.")] = None,
    until_idle: Annotated[float | None, typer.Option(help="End when no task has come for so many seconds.")] = None,
    loglevel: LogLevel = LogLevelName.INFO,
) -> None:
    """Score the tasks of llm.judge.tasks and write the scores to llm.evaluations. Runs until stopped; several may run.

    What is sampled, and by which criteria it is judged, say the keys judge and judge_per_hour under [behaviour]; the endpoint is under
    [judge] in mirante.toml.
    """
    if context.invoked_subcommand is not None:
        return
    import logging
    import os

    from deploy.judge.settings import judge_settings
    from deploy.judge.worker import judge_tasks
    from streams.settings import SettingsError

    logging.basicConfig(level=loglevel.value, format="%(asctime)s %(levelname)s %(message)s")
    settings = settings_of_stack(data)
    given = {name: value for name, value in (("url", url), ("model", model)) if value is not None}
    try:
        asked = judge_settings({**settings.judge, **given}, os.environ)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    try:
        counts = asyncio.run(judge_tasks(settings, asked, until_idle=until_idle))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    typer.echo(", ".join(f"{n} {what}" for what, n in sorted(counts.items())) or "no tasks")


@app.command("agreement")
def show_agreement(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Compare judges' scores with what users said of the same responses: thumbs and ratings."""
    from rich.table import Table

    from deploy.cli.output import cell, console, say_json
    from deploy.cli.trace import asking
    from deploy.judge.agreement import SQL, Rated, agreement

    with waiting("reading scores and feedback"), asking(data, None) as ask:
        rows = [(row["name"], row["feature"], Rated(float(row["score"]), bool(row["liked"]))) for row in ask(SQL, {})]
    found = [(*key, agreement([row[2] for row in group])) for key, group in groupby(rows, key=lambda row: row[:2])]
    if as_json:
        say_json([{"name": name, "feature": feature, **known._asdict()} for name, feature, known in found])
        return
    table = Table("criterion", "feature", "responses", "same", "kappa", "AUC", title="judges and users")
    for name, feature, known in found:
        shown = ["-" if value is None else f"{value:.2f}" for value in (known.same, known.kappa, known.auc)]
        table.add_row(cell(name), cell(feature), f"{known.responses:,}", *shown)
    console().print(table)
