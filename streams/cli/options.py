"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from streams.settings import Settings, load_settings

DEFAULT_DATA = Path(".mirante")

Data = Annotated[Path, typer.Option("--data", help="Directory of an embedded stack.", show_default=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def settings_of_stack(data: Path, **overrides: Any) -> Settings:
    """Settings that point at the stack running on a directory, or else wherever environment and file say."""
    from deploy.embedded.directory import read_endpoints

    endpoints = read_endpoints(data)
    if endpoints is not None:
        overrides = {"kafka_bootstrap": endpoints.kafka, "clickhouse_url": endpoints.clickhouse, **overrides}
    return load_settings(**overrides)
