"""``mirante prompts``: which prompt versions run, and whether they are committed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.options import DEFAULT_DATA, AsJson, Data, settings_of_stack

app = typer.Typer(help="Which prompt versions run, and whether they are committed.", invoke_without_command=True)

_COLOURS = {"latest": "green", "superseded": "yellow", "not committed": "bold red", "no sha": "bold red", "unknown": "dim"}


@app.callback()
def prompts(
    context: typer.Context,
    data: Data = DEFAULT_DATA,
    hours: Annotated[float, typer.Option(min=0.1, help="What ran in the last so many hours of traffic.")] = 24.0,
    as_json: AsJson = False,
) -> None:
    """Show the prompt versions of the traffic: which run now, and whether they are the latest committed ones.

    What is committed is known after `mirante prompts sync REPO`.
    """
    if context.invoked_subcommand is not None:
        return
    from rich.table import Table
    from rich.text import Text

    from deploy.cli.output import cell, console, say_json
    from deploy.cli.trace import asking
    from deploy.prompts import RUNNING, compare

    with asking(data, None) as ask:
        running = ask(RUNNING, {"seconds": int(hours * 3600)})
        committed = ask("SELECT * FROM mirante.prompt_files", {})
    found = compare((tuple(row.values()) for row in running), committed)
    if as_json:
        say_json([version._asdict() for version in found])
        return
    table = Table("feature", "prompt", "version", "first seen", "last seen", "requests", "runs now", "committed")
    for version in found:
        status = version.status if not version.by else f"superseded by {version.by[:12]}"
        table.add_row(
            *(cell(text) for text in (version.feature, version.prompt_name, version.prompt_sha[:12])),
            version.first_seen[:16].replace("T", " "), version.last_seen[:16].replace("T", " "), f"{version.requests:,}",
            "yes" if version.now else "", Text.assemble(cell(status, _COLOURS[version.status]), " ", cell(version.path)),
        )  # fmt: skip
    console().print(table)
    if not committed:
        typer.echo("no repository is registered; `mirante prompts sync REPO` says what is committed")


@app.command("sync")
def sync(
    repository: Annotated[Path, typer.Argument(help="A Git repository on this machine.", exists=True, file_okay=False)],
    pattern: Annotated[list[str] | None, typer.Option(help="Where prompt files are, such as 'prompts/**'; may be repeated.")] = None,
    name: Annotated[str | None, typer.Option(help="What the repository is called; default: its remote's address.")] = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Register the prompt files of a Git repository with their SHAs, in the table prompt_files. Again after every commit, such as in CI."""
    import msgspec

    from deploy.prompts import PATTERNS, read_repository
    from schemas.behaviour_rows import PromptFileRow
    from schemas.migrate import migrate
    from schemas.rows import INSERT_SETTINGS
    from streams.clickhouse import connect

    rows = read_repository(repository, pattern or PATTERNS, name=name)
    files = sum(row.latest for row in rows)
    if not rows:
        raise OSError(f"{repository} has no files like {', '.join(pattern or PATTERNS)}; say where prompts are with --pattern")
    client = connect(settings_of_stack(data).clickhouse_url)
    try:
        migrate(client)
        lines = msgspec.json.Encoder().encode_lines(rows)
        client.raw_insert(f"mirante.{PromptFileRow.TABLE}", insert_block=lines, fmt="JSONEachRow", settings=dict(INSERT_SETTINGS))
    finally:
        client.close()
    if as_json:
        typer.echo(json.dumps({"repository": rows[0].repository, "files": files, "versions": len(rows)}))
    else:
        typer.echo(f"{rows[0].repository}: {files} prompt files, {len(rows)} versions")
