"""`python -m deploy.embedded.clickhouse`: the server as a process with a beginning and an end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from deploy.embedded.clickhouse.errors import ClickHouseError
from deploy.embedded.clickhouse.guard import is_loopback
from deploy.embedded.clickhouse.landlock import confine
from deploy.embedded.clickhouse.memory import MEBIBYTE, default_max_memory

if TYPE_CHECKING:
    from deploy.embedded.clickhouse.engine import Engine

log = logging.getLogger("deploy.embedded.clickhouse")
GRACE_SECONDS = 3.0
DEFAULT_SLOTS = 16
TOKEN = "MIRANTE_CLICKHOUSE_TOKEN"
"""What every request must carry as password. In the environment, which other users cannot read; without it none is asked for."""


READABLE = (
    *("/usr/lib", "/lib", "/lib64", "/usr/share/zoneinfo", "/etc/localtime", "/etc/ld.so.cache", "/etc/ssl/openssl.cnf"),
    *("/sys/fs/cgroup", "/sys/devices/system", "/sys/block", "/sys/kernel/mm/transparent_hugepage"),
    *("/dev/urandom", "/dev/random", "/proc/meminfo", "/proc/stat", "/proc/cpuinfo", "/proc/sys/vm", "/proc/self/task"),
    *(f"/proc/self/{name}" for name in ("stat", "statm", "status", "maps", "auxv", "cgroup", "io", "schedstat", "loginuid")),
    *("/proc/self/mountinfo", "/proc/self/mounts"),
)
"""What the engine reads of the machine: libraries, and what the machine says of itself."""


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
        parser.error(f"--host {arguments.host} is not an address of loopback; the engine is for its own machine")
    if arguments.max_queries < 1 or arguments.max_memory < 1:
        parser.error("--max-queries and --max-memory must be at least 1")
    return arguments


async def serve(arguments: argparse.Namespace, engine: Engine) -> bool:
    """Serve until a signal or the parent's end. True if the engine is idle then and can be closed."""
    from deploy.embedded.clickhouse.server import Server, runner

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if arguments.parent_pipe is not None:
        _watch_parent(arguments.parent_pipe, stop)
    server = Server(engine, arguments.max_queries, os.environ.get(TOKEN, ""))
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


def _confine(arguments: argparse.Namespace) -> None:
    """What a statement may reach by a way that nobody has thought of: the data, libraries, what the machine says of itself."""
    scratch = arguments.path.absolute() / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = str(scratch)
    write = [arguments.path, Path("/dev/null")]
    if arguments.port_file is not None:
        write.append(arguments.port_file.parent)
    folder, library = sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME")
    python = [Path(folder, library)] if folder and library else []  # its symbols tell where an error came from
    read = [*python, *map(Path, sysconfig.get_paths().values()), Path(__file__).parents[1], *map(Path, READABLE)]
    if not confine(read, write):
        log.info("this system has no Landlock to confine the engine with; what a statement may reach is checked by its words alone")


def main() -> int:
    """The exit status: 0 after a stop that was asked for, 1 if the server could not start."""
    arguments = _arguments()
    os.umask(0o077)  # what it writes is its owner's alone
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        _confine(arguments)
        from deploy.embedded.clickhouse.engine import Engine  # begins threads: confined from here on

        engine = Engine(arguments.path, arguments.max_memory * MEBIBYTE)
    except (ClickHouseError, OSError) as problem:
        print(f"cannot open the ClickHouse engine: {problem}", file=sys.stderr, flush=True)
        os._exit(1)  # its library has threads from its import on, which do not always survive an orderly exit
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
