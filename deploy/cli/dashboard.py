"""``mirante dashboard``: pages that show what the AI features cost and how they behave."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import typer

from deploy.cli.options import DEFAULT_DATA, Data, settings_of_stack

TOKEN = "MIRANTE_DASHBOARD_TOKEN"
"""Environment variable with the token; an argument would show in the list of processes."""


def dashboard(
    data: Data = DEFAULT_DATA,
    url: Annotated[str | None, typer.Option(help="ClickHouse: http://[USER:PASSWORD@]HOST:PORT.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8090,
    worker: Annotated[
        list[str] | None, typer.Option(help="Base URL of a worker whose health is shown; may be repeated.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Name under which browsers reach it beyond this machine; may be repeated."),
    ] = None,
) -> None:
    """Serve the dashboard: costs, quality, alerts, calls, switches, health.

    `mirante up` does this by itself. Reading is free on this machine; beyond it, and to switch or
    silence anything, the token is needed (MIRANTE_DASHBOARD_TOKEN; without it a new one is made).

    Example: mirante dashboard --url http://reader:secret@clickhouse:8123 --port 8090
    """
    import secrets
    from importlib.metadata import version

    from deploy.cli.serving import serve
    from deploy.dashboard.server import Options, application
    from deploy.embedded.directory import read_endpoints
    from streams.settings import LOOPBACK

    settings = settings_of_stack(data, **({"clickhouse_url": url} if url else {}))
    local = host in LOOPBACK
    if not local and not name:
        raise typer.BadParameter(
            "name how browsers reach it (--name mirante.example.com): other names are refused",
            param_hint="--host",
        )
    endpoints = read_endpoints(data) if worker is None and url is None else None
    workers = worker or [m.removesuffix("/metrics") for m in (endpoints.metrics if endpoints else [])]
    given = os.environ.get(TOKEN, "")
    token = given or secrets.token_urlsafe(24)
    options = Options(
        settings=settings,
        token=token,
        workers=workers,
        hosts=frozenset((*LOOPBACK, *(name or ()))),
        open_to_read=local,
        version=version("mirante"),
    )
    saying = () if given else (f"token {token}",)
    asyncio.run(serve(application(options), host, port, "dashboard", saying=saying))
