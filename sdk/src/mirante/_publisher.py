"""Events from the caller to wherever they go, without ever blocking or breaking the caller.

The caller appends to a bounded queue and goes on. A daemon thread takes batches from it, writes
them to the spool if there is one, sends them, and tries again until they are stored or refused.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mirante._sending import Event, Outcome, Sender
from mirante._spool import Spool

log = logging.getLogger("mirante")

_BATCH_EVENTS = 500
_BATCH_BYTES = 1 << 20
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 15.0
_TOLD_EVERY = 60.0


@dataclass(frozen=True)
class Stats:
    """Counts of one client in one process, since it began.

    ``published``: stored by Mirante. ``dropped``: lost because queue or spool were full, or nothing
    is configured to send them to. ``refused``: lost because Mirante says that they are no events.
    ``queued``: waiting in memory; ``spooled``: batches waiting on disk. ``retries``: batches sent
    again. ``errors``: faults inside Mirante that were kept from the caller.

    Example::

        stats = client.stats
        log.info("%s events stored, %s lost", stats.published, stats.dropped + stats.refused)
    """

    published: int = 0
    dropped: int = 0
    refused: int = 0
    queued: int = 0
    spooled: int = 0
    retries: int = 0
    errors: int = 0


class Publisher:
    """See the module. ``new_sender``: called in the thread, and again after a fork; None: nothing
    is configured, and events are dropped."""

    def __init__(
        self,
        new_sender: Callable[[], Sender] | None,
        *,
        most_events: int,
        most_bytes: int,
        linger: float,
        spool: Spool | None,
        exit_timeout: float,
    ) -> None:
        self._new_sender = new_sender
        self._most_events, self._most_bytes = most_events, most_bytes
        self._linger = linger
        self._spool = spool
        self._exit_timeout = exit_timeout
        self._fresh()
        _LIVING.add(self)

    def _fresh(self) -> None:
        """As in a new process; also after a fork, in which only the forking thread lives on."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._queue: deque[Event] = deque()
        self._bytes = 0
        self._taken = 0
        """Events that the thread has in hand."""
        self._backlog: deque[Path] = deque()
        """Batches on disk, not in memory."""
        self._counts = Stats()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._hurry = 0
        self._told = 0.0
        self._opened = False

    # --- the caller's side

    def put(self, event: Event) -> bool:
        """Take the event; False where it is dropped. Never blocks on anything slow, never
        raises."""
        size = len(event.value)
        with self._lock:
            full = len(self._queue) >= self._most_events or self._bytes + size > self._most_bytes
            if not (self._closed or full or self._new_sender is None):
                self._queue.append(event)
                self._bytes += size
                if len(self._queue) == 1 or len(self._queue) >= _BATCH_EVENTS:
                    self._changed.notify_all()
                if self._thread is None:
                    self._start()
                return True
            self._counts = replace(self._counts, dropped=self._counts.dropped + 1)
        if not self._closed:
            self.tell("events are dropped: %s", "the queue is full" if full else "no endpoint")
        return False

    def start(self) -> None:
        """Start the thread now, for what an ended process has left in the spool."""
        with self._lock:
            if self._thread is None and self._new_sender is not None and not self._closed:
                self._start()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="mirante-publisher", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no threads left, or the interpreter is ending
            log.debug("no publisher thread: %s", error)
            return
        self._thread = thread

    def error(self, what: str, error: BaseException) -> None:
        """Count a fault of our own that the caller shall not see."""
        with self._lock:
            self._counts = replace(self._counts, errors=self._counts.errors + 1)
        self.tell("%s", f"{what}: {type(error).__name__}")
        log.debug("%s", what, exc_info=error)

    @property
    def stats(self) -> Stats:
        with self._lock:
            return replace(
                self._counts,
                queued=len(self._queue) + self._taken,
                spooled=len(self._backlog),
            )

    def flush(self, timeout: float) -> bool:
        """Wait until everything that was taken so far is stored or given up. False at the
        timeout."""
        deadline = time.monotonic() + timeout
        with self._lock:
            if self._thread is None and self._queue:
                self._start()
            self._hurry += 1
            self._changed.notify_all()
            try:
                while self._queue or self._taken or self._backlog:
                    left = deadline - time.monotonic()
                    if left <= 0 or self._thread is None:
                        return False
                    self._changed.wait(min(left, 0.2))
                return True
            finally:
                self._hurry -= 1

    def close(self, timeout: float | None = None) -> bool:
        """Flush, then take no more."""
        done = self.flush(self._exit_timeout if timeout is None else timeout)
        with self._lock:
            self._closed = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(0.5)
        return done

    def after_fork(self) -> None:
        """In the child: what is queued is the parent's to send."""
        if self._spool is not None:
            self._spool.forget()
        self._fresh()

    # --- the thread's side

    def _run(self) -> None:
        owner = os.getpid()
        sender: Sender | None = None
        try:
            while os.getpid() == owner:
                try:
                    if sender is None:
                        self._open_spool()
                        sender = self._new_sender() if self._new_sender else None
                    if sender is None or not self._step(sender):
                        break
                except Exception as error:  # noqa: BLE001 - a fault in one round must not end them all
                    self.error("publishing", error)
                    time.sleep(1.0)
        finally:
            if sender is not None:
                sender.close()
            if self._spool is not None and os.getpid() == owner:
                self._spool.close()

    def _open_spool(self) -> None:
        if self._spool is None or self._opened:
            return
        self._opened = True
        try:
            left = self._spool.open()
        except OSError as error:
            self.error("the spool can not be opened", error)
            self._spool = None
            return
        with self._lock:
            self._backlog.extend(left)

    def _step(self, sender: Sender) -> bool:
        """Send what there is; False when the thread is to end."""
        while self._backlog and not self._closed:
            path = self._backlog[0]
            if not self._send_file(sender, path):
                return True
        batch = self._take()
        if batch is None:
            return False
        if batch:
            self._deliver(sender, batch)
        return True

    def _take(self) -> list[Event] | None:
        """The next events; [] when it is time to look at the backlog, None when all is over."""
        with self._lock:
            if not self._queue and not self._closed:
                self._changed.wait(0.5)
            if (
                self._queue
                and not (self._hurry or self._closed)
                and len(self._queue) < _BATCH_EVENTS
            ):
                self._changed.wait(self._linger)
            if self._closed and not self._queue:
                return None
            batch: list[Event] = []
            size = 0
            while self._queue and len(batch) < _BATCH_EVENTS:
                if batch and size + len(self._queue[0].value) > _BATCH_BYTES:
                    break
                event = self._queue.popleft()
                size += len(event.value)
                batch.append(event)
            self._bytes -= size
            self._taken = len(batch)
            return batch

    def _deliver(self, sender: Sender, batch: list[Event]) -> None:
        path = self._spooled(batch)
        try:
            self._send(sender, batch, path)
        finally:
            with self._lock:
                self._taken = 0
                self._changed.notify_all()

    def _spooled(self, batch: list[Event]) -> Path | None:
        if self._spool is None:
            return None
        try:
            path = self._spool.write(batch)
        except OSError as error:
            self.error("the spool can not be written", error)
            return None
        if path is None:
            self.tell("the spool is full (%d bytes): events are kept in memory", self._spool.size)
        return path

    def _send(self, sender: Sender, batch: Sequence[Event], path: Path | None) -> None:
        """Until it is stored, refused, or can wait on disk."""
        wait = _FIRST_WAIT
        while True:
            outcome = sender.send(batch)
            if outcome.kind != "later":
                self._settle(sender, batch, outcome)
                if path is not None and self._spool is not None:
                    self._spool.remove(path)
                return
            self.tell("Mirante is not reached, trying again: %s", outcome.why)
            with self._lock:
                self._counts = replace(self._counts, retries=self._counts.retries + 1)
                if path is not None:
                    self._backlog.append(path)
            if path is not None:  # the caller's queue is emptied to disk meanwhile
                self._pause(outcome.wait or wait)
                return
            if not self._pause(outcome.wait or wait):
                with self._lock:
                    dropped = self._counts.dropped + len(batch)
                    self._counts = replace(self._counts, dropped=dropped)
                return
            wait = min(wait * 2, _LONGEST_WAIT)

    def _send_file(self, sender: Sender, path: Path) -> bool:
        """False when it has to wait."""
        assert self._spool is not None
        try:
            events = self._spool.read(path)
        except OSError as error:
            self.error("a spool file can not be read", error)
            events = []
        outcome = sender.send(events) if events else Outcome.stored()
        if outcome.kind == "later":
            self.tell("Mirante is not reached, trying again: %s", outcome.why)
            with self._lock:
                self._counts = replace(self._counts, retries=self._counts.retries + 1)
            wait = outcome.wait or min(_FIRST_WAIT * 2 ** min(self._failed, 8), _LONGEST_WAIT)
            self._failed += 1
            self._drain_to_disk(time.monotonic() + wait * random.uniform(0.5, 1.0))
            return False
        self._failed = 0
        self._settle(sender, events, outcome)
        self._spool.remove(path)
        with self._lock:
            self._backlog.popleft()
            self._changed.notify_all()
        return True

    _failed = 0

    def _drain_to_disk(self, until: float) -> None:
        """While nothing can be sent, what comes in goes to disk."""
        while time.monotonic() < until and not self._closed:
            with self._lock:
                if not self._queue:
                    self._changed.wait(min(0.1, max(until - time.monotonic(), 0.01)))
            batch = self._take_now()
            if not batch:
                continue
            path = self._spooled(batch)
            with self._lock:
                self._taken = 0
                if path is not None:
                    self._backlog.append(path)
                else:
                    dropped = self._counts.dropped + len(batch)
                    self._counts = replace(self._counts, dropped=dropped)

    def _take_now(self) -> list[Event]:
        with self._lock:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), _BATCH_EVENTS))]
            self._bytes -= sum(len(event.value) for event in batch)
            self._taken = len(batch)
            return batch

    def _settle(self, sender: Sender, batch: Sequence[Event], outcome: Outcome) -> None:
        """Count a batch whose fate is known. A refused one is halved until the culprits stand
        alone."""
        pending = deque([(list(batch), outcome)])
        while pending:
            events, known = pending.popleft()
            if known.kind == "stored":
                with self._lock:
                    published = self._counts.published + len(events)
                    self._counts = replace(self._counts, published=published)
            elif len(events) <= 1:
                self.tell("an event is refused: %s", known.why)
                with self._lock:
                    refused = self._counts.refused + len(events)
                    self._counts = replace(self._counts, refused=refused)
            else:
                middle = len(events) // 2
                for half in (events[:middle], events[middle:]):
                    pending.append((half, self._insisted(sender, half)))

    def _insisted(self, sender: Sender, events: Sequence[Event]) -> Outcome:
        wait = _FIRST_WAIT
        while (outcome := sender.send(events)).kind == "later":
            if not self._pause(outcome.wait or wait):
                return Outcome.refused("given up at the end of the process")
            wait = min(wait * 2, _LONGEST_WAIT)
        return outcome

    def _pause(self, seconds: float) -> bool:
        """Wait, with jitter, less when somebody flushes. False when the client is closed."""
        with self._lock:
            until = time.monotonic() + seconds * random.uniform(0.5, 1.0)
            while not self._closed and (left := until - time.monotonic()) > 0:
                if self._hurry and left > 0.25:
                    until = time.monotonic() + 0.25
                self._changed.wait(min(left, 0.25))
            return not self._closed

    def tell(self, text: str, *args: object) -> None:
        """A warning, at most one a minute; the others are for debugging."""
        now = time.monotonic()
        level = logging.DEBUG
        if now - self._told > _TOLD_EVERY or not self._told:
            self._told, level = now, logging.WARNING
        log.log(level, text, *args)


_LIVING: weakref.WeakSet[Publisher] = weakref.WeakSet()


def _at_exit() -> None:
    for publisher in list(_LIVING):
        publisher.close()


def _after_fork() -> None:
    for publisher in list(_LIVING):
        publisher.after_fork()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
