"""Running somebody's function for a limited time, in threads and in asyncio."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from queue import Empty, Full, Queue
from typing import Any, TypeVar

T = TypeVar("T")


class DeadlinePassed(Exception):
    """Of us, not of what ran."""


class _Box:
    """Where a thread leaves what came of it."""

    __slots__ = ("done", "error", "value")

    def __init__(self) -> None:
        self.done = threading.Lock()
        self.done.acquire()
        self.value: Any = None
        self.error: BaseException | None = None


def within(seconds: float | None, function: Callable[[], T]) -> T:
    """What ``function`` returns or raises; DeadlinePassed after so many seconds. A thread can not
    be ended from outside: the function goes on in its thread and what comes of it is thrown away.
    ``None``: no limit, and no thread."""
    if seconds is None:
        return function()
    box = _Box()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            box.value = context.run(function)
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            box.error = error
        finally:
            box.done.release()

    try:
        threading.Thread(target=run, name="mirante-call", daemon=True).start()
    except (
        RuntimeError
    ):  # no more threads, or the interpreter is ending: better late than not at all
        return function()
    if not box.done.acquire(timeout=max(seconds, 0)):
        raise DeadlinePassed
    if box.error is not None:
        raise box.error
    value: T = box.value
    return value


async def awithin(seconds: float | None, awaitable: Awaitable[T]) -> T:
    """What ``awaitable`` gives or raises; DeadlinePassed after so many seconds, when it has been
    cancelled. Also ends on time when it does not heed the cancellation."""
    if seconds is None:
        return await awaitable
    task: asyncio.Future[T] = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait({task}, timeout=max(seconds, 0))
    except asyncio.CancelledError:
        task.cancel()
        await _ended(task)
        raise
    if not task.done():
        task.cancel()
        await _ended(task)
        raise DeadlinePassed
    return task.result()


async def _ended(task: asyncio.Future[Any]) -> None:
    """Give a cancelled task a moment to clean up."""
    await asyncio.wait({task}, timeout=0.5)
    if task.done() and not task.cancelled():
        task.exception()


async def in_thread(function: Callable[[], T]) -> T:
    """Await a blocking function in a daemon thread, which never holds up the end of the program."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if isinstance(error, StopIteration):  # a future can not carry it
            error = RuntimeError("StopIteration")
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    def run() -> None:
        value: Any = None
        failure: BaseException | None = None
        try:
            value = context.run(function)
        except BaseException as error:  # noqa: BLE001 - handed to who awaits
            failure = error
        try:
            loop.call_soon_threadsafe(settle, value, failure)
        except RuntimeError:  # the loop has ended meanwhile
            return

    threading.Thread(target=run, name="mirante-call", daemon=True).start()
    return await future


class Pump:
    """Iterates in a thread, so that whoever takes the items can stop waiting."""

    _ITEM, _END, _ERROR = range(3)

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items
        self._queue: Queue[tuple[int, Any]] = Queue(maxsize=64)
        self._stopped = threading.Event()
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._run,), name="mirante-stream", daemon=True
        ).start()

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put((self._ITEM, item)):
                    return
            self._put((self._END, None))
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            self._put((self._ERROR, error))

    def _put(self, entry: tuple[int, Any]) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(entry, timeout=0.2)
                return True
            except Full:
                continue
        return False

    def next(self, deadline: float) -> Any:
        """The next item; raises StopIteration at the end, DeadlinePassed at ``deadline``
        (monotonic)."""
        try:
            kind, value = self._queue.get(timeout=max(deadline - time.monotonic(), 0.0))
        except Empty:
            raise DeadlinePassed from None
        if kind == self._ITEM:
            return value
        if kind == self._END:
            raise StopIteration
        raise value

    def stop(self) -> None:
        self._stopped.set()
