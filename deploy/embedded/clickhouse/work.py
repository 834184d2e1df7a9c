"""Engine calls in threads, and what becomes of them when nobody waits for them any more."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from deploy.embedded.clickhouse.engine import Engine, literal
from deploy.embedded.clickhouse.errors import ClickHouseError

log = logging.getLogger(__name__)

_KILL_AGAIN = 0.3
_KILL_SECONDS = 1.0

T = TypeVar("T")


class WorkThreads:
    """Threads for the event loop. A request registers under its tag, the log_comment of its statement in the engine."""

    def __init__(self, engine: Engine, threads: int) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="clickhouse")
        self._killer = ThreadPoolExecutor(1, thread_name_prefix="clickhouse-kill")
        self._running: dict[str, asyncio.Event] = {}  # tag -> set when it shall end
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def registered(self, tag: str) -> Iterator[None]:
        """The time during which `drain()` waits for this request."""
        self._running[tag] = asyncio.Event()
        self._idle.clear()
        try:
            yield
        finally:
            del self._running[tag]
            if not self._running:
                self._idle.set()

    def close(self) -> None:
        """End the threads; nothing may run any more."""
        self._threads.shutdown()
        self._killer.shutdown()

    async def drain(self, seconds: float) -> bool:
        """Let what runs end by itself for a while, then stop it. True if nothing runs any more."""
        for limit in (seconds, _KILL_SECONDS):
            try:
                await asyncio.wait_for(self._idle.wait(), limit)
                return True
            except TimeoutError:
                for abandoned in self._running.values():
                    abandoned.set()
        return self._idle.is_set()

    async def run(self, work: Callable[[], T], tag: str | None = None) -> T:
        """Run engine code in a thread, to its end: a handle must not be touched while a thread still uses it.

        With a `tag` the query of that name is killed when the client goes away or the server ends.
        """
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads, work)
        abandoned = asyncio.create_task(self._running[tag].wait()) if tag is not None else None
        cancelled: asyncio.CancelledError | None = None
        while not future.done():
            try:
                killing = tag is not None and (cancelled is not None or self._running[tag].is_set())
                awaited: set[asyncio.Future[Any]] = {future} if abandoned is None or killing else {future, abandoned}
                await asyncio.wait(awaited, timeout=_KILL_AGAIN if killing else None, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError as stop:
                cancelled = stop
            if tag is not None and not future.done() and (cancelled is not None or self._running[tag].is_set()):
                # Again until it works: a query that is still being planned is not yet in system.processes.
                loop.run_in_executor(self._killer, self._kill, tag)
        if abandoned is not None:
            abandoned.cancel()
        if cancelled is not None:
            if (problem := future.exception()) is not None:
                log.info("a statement whose client had gone ended with: %s", problem)
            raise cancelled
        return future.result()

    def _kill(self, tag: str) -> None:
        handle = self._engine.handle()
        try:
            handle.run(f"KILL QUERY WHERE Settings['log_comment'] = {literal(tag)} ASYNC")
        except ClickHouseError as error:
            log.warning("cannot stop the query of a client that has gone: %s", error)
        finally:
            handle.close()
