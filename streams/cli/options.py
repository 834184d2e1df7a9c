"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.secrets import with_password
from streams.settings import Settings, load_settings

if TYPE_CHECKING:
    from deploy.embedded.directory import Endpoints

DEFAULT_DATA = Path(".mirante")

Data = Annotated[Path, typer.Option("--data", help="Directory of an embedded stack.", show_default=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def settings_of_stack(data: Path, **overrides: Any) -> Settings:
    """Settings that point at the stack running on a directory, or else wherever environment and file say."""
    from deploy.embedded.directory import read_endpoints

    endpoints = read_endpoints(data)
    if endpoints is not None:
        overrides = {"kafka_bootstrap": endpoints.kafka, "clickhouse_url": clickhouse_of(endpoints), **overrides}
    return load_settings(**overrides)


def clickhouse_of(endpoints: Endpoints) -> str:
    """The ClickHouse of a running stack. The password of a server that is not the stack's own is in the settings alone."""
    return with_password(endpoints.clickhouse, load_settings().clickhouse_url)


def console() -> Any:
    """Where tables go: as wide as the terminal, or wide enough for a file."""
    import sys

    from rich.console import Console

    from streams.cli.controls import PLAIN_WIDTH

    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
