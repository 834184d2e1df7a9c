"""`python -m deploy.embedded.clickhouse`: the server as a process with a beginning and an end."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from deploy.embedded.clickhouse.engine import MEBIBYTE, Engine, default_max_memory
from deploy.embedded.clickhouse.errors import ClickHouseError
from deploy.embedded.clickhouse.guard import is_loopback
from deploy.embedded.clickhouse.server import DEFAULT_SLOTS, Server, runner

log = logging.getLogger("deploy.embedded.clickhouse")
GRACE_SECONDS = 3.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.embedded.clickhouse",
        description="ClickHouse's HTTP interface over an embedded engine, on loopback.",
    )
    parser.add_argument("--path", type=Path, required=True, help="data directory; created if it does not exist")
    parser.add_argument("--port", type=int, default=8123, help="0 takes a free port (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="an address of loopback (default: %(default)s)")
    parser.add_argument("--port-file", type=Path, help="write the port here once the server answers")
    parser.add_argument("--parent-pipe", type=int, metavar="FD", help="end when this inherited file descriptor reaches its end")
    parser.add_argument(
        "--max-queries", type=int, default=DEFAULT_SLOTS, help="statements at a time, more wait (default: %(default)s)"
    )
    parser.add_argument(
        "--max-memory",
        type=int,
        metavar="MIB",
        default=default_max_memory() // MEBIBYTE,
        help="for all statements (default: %(default)s)",
    )
    arguments = parser.parse_args()
    if not is_loopback(arguments.host):
        parser.error(f"--host {arguments.host} is not an address of loopback; nobody is asked for a password here")
    if arguments.max_queries < 1 or arguments.max_memory < 1:
        parser.error("--max-queries and --max-memory must be at least 1")
    return arguments


async def serve(arguments: argparse.Namespace, engine: Engine) -> bool:
    """Serve until a signal or the parent's end. True if the engine is idle then and can be closed."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if arguments.parent_pipe is not None:
        _watch_parent(arguments.parent_pipe, stop)
    server = Server(engine, arguments.max_queries)
    running = runner(server)
    await running.setup()
    site = web.TCPSite(running, arguments.host, arguments.port)
    await site.start()
    port = running.addresses[0][1]
    if arguments.port_file is not None:
        partial = arguments.port_file.with_name(arguments.port_file.name + ".partial")
        partial.write_text(f"{port}\n")
        partial.replace(arguments.port_file)  # whoever polls for the file never reads half of it
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    print(f"listening on http://{host}:{port}", flush=True)
    await stop.wait()
    await site.stop()
    idle = await server.drain(GRACE_SECONDS)
    if idle:
        await running.cleanup()
        await server.close()
    return idle


def _watch_parent(descriptor: int, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(descriptor, 1024):
            log.info("the parent has ended")
            loop.remove_reader(descriptor)
            stop.set()

    loop.add_reader(descriptor, readable)


def main() -> int:
    """The exit status: 0 after a stop that was asked for, 1 if the server could not start."""
    arguments = _arguments()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        engine = Engine(arguments.path, arguments.max_memory * MEBIBYTE)
    except (ClickHouseError, OSError) as problem:
        print(f"cannot open the ClickHouse engine: {problem}", file=sys.stderr)
        return 1
    try:
        idle = asyncio.run(serve(arguments, engine))
    except OSError as problem:
        print(f"cannot listen on {arguments.host}:{arguments.port}: {problem}", file=sys.stderr)
        return 1
    if not idle:
        # Not even KILL QUERY ended it. Closing the engine would wait for it; what was acknowledged is stored.
        log.warning("a statement does not end; leaving without it")
        sys.stderr.flush()
        os._exit(0)
    engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
