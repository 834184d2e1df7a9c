"""A web application of ours, served until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from aiohttp import web


LOOK = 0.05
"""Seconds between looks whether it is busy."""

ANSWER = 1.0
"""Seconds in which what was read to its end is answered."""


async def serve(
    app: web.Application,
    host: str,
    port: int,
    name: str,
    *,
    finish: float = 0.0,
    busy: Callable[[], bool] = lambda: False,
    saying: tuple[str, ...] = (),
    **options: Any,
) -> None:
    """Serve until SIGINT or SIGTERM; then no more is taken, what is being answered is, and while it is
    ``busy`` it goes on for at most ``finish`` seconds: aiohttp drops what comes of a body later.
    Says where it listens, and the lines ``saying``. ``options``: of the server.
    """
    from aiohttp import web

    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=ANSWER, **options)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise OSError(
                f"port {port} on {host} is taken ({error.strerror}); choose another with --port"
            ) from error
        bound = runner.addresses[0][1]
        typer.echo(f"{name} at http://{'localhost' if host == '::1' else host}:{bound}")
        for line in saying:
            typer.echo(line)
        await stopped.wait()
        await site.stop()
        for _ in range(int(finish / LOOK)):
            if not busy():
                break
            await asyncio.sleep(LOOK)
    finally:
        await runner.cleanup()
