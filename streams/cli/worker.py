"""``mirante worker``: process events until told to stop."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer


def worker(
    web_port: Annotated[int | None, typer.Option(help="Port of /health and /metrics (MIRANTE_WEB_PORT).")] = None,
    instance_id: Annotated[str | None, typer.Option(help="A stable name, for static group membership.")] = None,
    prepare_only: Annotated[bool, typer.Option("--prepare-only", help="Create topics and tables, then end.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for Kafka and ClickHouse at start.")] = 60.0,
    loglevel: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Process events: Kafka to ClickHouse. Start as many as you like; they share the partitions.

    Where Kafka and ClickHouse are comes from MIRANTE_KAFKA_BOOTSTRAP, MIRANTE_CLICKHOUSE_URL and mirante.toml.
    Topics and tables are created when missing.
    """
    from agents.registry import agents
    from streams.prepare import prepare
    from streams.settings import load_settings
    from streams.worker import run

    overrides = {"web_port": web_port, "instance_id": instance_id}
    settings = load_settings(**{name: value for name, value in overrides.items() if value is not None})
    source = asyncio.run(prepare(settings, wait=wait))
    if prepare_only:
        typer.echo(f"topics and tables are ready (cluster {source})")
        return
    run(settings, agents(settings, source), loglevel=loglevel)
