"""``mirante ingest``: takes over HTTP what services send that have no Kafka client."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated

import typer

from deploy.cli.options import DEFAULT_DATA, Data, settings_of_stack


def ingest(
    data: Data = DEFAULT_DATA,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; ingest.host, else 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="ingest.port, else 4319; 0 takes a free one."),
    ] = None,
) -> None:
    """Take events and OpenTelemetry over HTTP, for what has no Kafka client.

    `mirante up` does this by itself. A request is answered when Kafka has it.

    POST /v1/events: JSON lines or an array of events.
    POST /v1/traces, /v1/logs: OTLP/HTTP, protobuf or JSON.
    GET /v1/controls: the state of every switch. GET /health, /metrics.

    Beyond this machine it needs a token, MIRANTE_INGEST__TOKEN; services send
    it as Authorization: Bearer TOKEN. Origins and public key of pages that
    send feedback, and limits: the table ingest of mirante.toml.

    Example: MIRANTE_INGEST__TOKEN=... mirante ingest --host 0.0.0.0
    """
    from deploy.cli.serving import serve
    from deploy.ingest.server import IN_FLIGHT, application
    from streams.settings import LOOPBACK

    settings = settings_of_stack(data)
    given = {"host": host, "port": port}
    changed = {name: value for name, value in given.items() if value is not None}
    own = settings.ingest.model_copy(update=changed)
    if own.host not in LOOPBACK and not own.token:
        raise typer.BadParameter(
            f"on {own.host} others can reach it, so it needs a token: set MIRANTE_INGEST__TOKEN to a "
            "long random text",
            param_hint="--host",
        )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    app = application(settings.model_copy(update={"ingest": own}))
    in_flight = app[IN_FLIGHT]
    serving = serve(
        app, own.host, own.port, "ingest",
        finish=10.0, busy=lambda: in_flight.bytes > 0, auto_decompress=False,
    )  # fmt: skip
    asyncio.run(serving)
