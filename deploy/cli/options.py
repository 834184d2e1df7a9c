"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.secrets import with_password
from streams.settings import Settings, load_settings

if TYPE_CHECKING:
    from deploy.embedded.directory import Endpoints

DEFAULT_DATA = Path(".mirante")

Data = Annotated[Path, typer.Option("--data", help="Directory of an embedded stack.", show_default=True)]


class LogLevelName(StrEnum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


LogLevel = Annotated[LogLevelName, typer.Option(case_sensitive=False, help="What is logged: this and what is graver.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def settings_of_stack(data: Path, **overrides: Any) -> Settings:
    """Settings that point at the stack running on a directory, or else wherever environment and file say."""
    return load_settings(**{**_servers(data), **overrides})


def checked_settings_of_stack(data: Path) -> Settings:
    """The same, with a look at every table and every variable: not only at what it takes to reach the servers."""
    from deploy.configuration import load_checked

    return load_checked(**_servers(data))


def _servers(data: Path) -> dict[str, str]:
    """Where the stack that runs on a directory answers."""
    from deploy.embedded.directory import read_endpoints

    endpoints = read_endpoints(data)
    return {} if endpoints is None else {"kafka_bootstrap": endpoints.kafka, "clickhouse_url": clickhouse_of(endpoints)}


def clickhouse_of(endpoints: Endpoints) -> str:
    """The ClickHouse of a running stack. The password of a server that is not the stack's own is in the settings alone."""
    return with_password(endpoints.clickhouse, load_settings().clickhouse_url)
