"""``mirante worker``: process events until told to stop."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from deploy.cli.options import LogLevel, LogLevelName


def worker(
    web_port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of /health and /metrics (MIRANTE_WEB_PORT).")] = None,
    instance_id: Annotated[str | None, typer.Option(help="A stable name, for static group membership.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M%z", "%Y-%m-%d"],
            help="Reprocess what was written to Kafka since then (UTC unless it has a zone) into the same tables, then end. "
            "Nothing doubles; live workers may run meanwhile, and no alert is sent again.",
        ),
    ] = None,
    prepare_only: Annotated[bool, typer.Option("--prepare-only", help="Create topics and tables, then end.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for Kafka and ClickHouse at start.")] = 60.0,
    loglevel: LogLevel = LogLevelName.INFO,
) -> None:
    """Process events: Kafka to ClickHouse. Start as many as you like; they share the partitions.

    Where Kafka and ClickHouse are comes from MIRANTE_KAFKA_BOOTSTRAP, MIRANTE_CLICKHOUSE_URL and mirante.toml.
    Topics and tables are created when missing.
    """
    from streams.versions import check_versions

    check_versions()  # first: with another version already the imports may fail
    from deploy.configuration import load_checked
    from deploy.registry import agents, previews
    from streams.backfill import plan
    from streams.prepare import prepare
    from streams.worker import run

    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    overrides = {"web_port": web_port, "instance_id": instance_id, "since": since}
    settings = load_checked(**{name: value for name, value in overrides.items() if value is not None})
    source = asyncio.run(prepare(settings, wait=wait))
    if prepare_only:
        typer.echo(f"topics and tables are ready (cluster {source})")
        return
    backfill = None
    if settings.since is not None:
        backfill = asyncio.run(plan(settings, settings.since))
        typer.echo(f"reprocessing {backfill.records:,} records written since {settings.since.isoformat()} (the warm-up before it included)")
    run(
        settings,
        agents(settings, source, backfill),
        source,
        backfill=backfill,
        preview=previews(settings, source),
        loglevel=loglevel.value,
    )
