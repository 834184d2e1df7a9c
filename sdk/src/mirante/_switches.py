"""The state of the switches, kept up to date by a thread, and what it says of a call."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Literal

from mirante._http import HttpControls
from mirante._kafka import KafkaControls
from mirante.controls import ALLOW, Control, Controls, Decision, Throttle, strictest

log = logging.getLogger("mirante")

Unknown = Literal["open", "closed"]

_UNKNOWN = Decision("kill", None, "", "the state of the switches is not known")


class Switches:
    """``new_source``: None where there is nothing to ask. ``every``: seconds between two reads over
    HTTP, unless the server itself waits for a change."""

    def __init__(
        self,
        new_source: Callable[[], HttpControls | KafkaControls] | None,
        *,
        unknown: Unknown,
        every: float,
    ) -> None:
        if unknown not in ("open", "closed"):
            raise ValueError(f'controls_unknown is "open" or "closed", not {unknown!r}')
        self._new_source = new_source
        self._unknown = unknown
        self._every = every
        self._controls = Controls()
        self._throttle = Throttle()
        self._known = threading.Event()
        self._start_lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        _LIVING.add(self)

    @property
    def known(self) -> bool:
        """Whether the state has been read once. What was read last holds while nothing can be
        read."""
        return self._known.is_set()

    @property
    def pending(self) -> bool:
        """Whether a first reading is under way that may still come."""
        return (
            self._new_source is not None and not self._known.is_set() and not self._ended.is_set()
        )

    def start(self) -> None:
        if self._thread is not None or self._new_source is None or self._ended.is_set():
            return
        with self._start_lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="mirante-controls", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    log.debug("no thread for the switches: %s", error)
                    return
                self._thread = thread

    def wait(self, timeout: float) -> bool:
        """Wait for the first reading."""
        self.start()
        return self._known.wait(timeout)

    def decide(
        self,
        names: Mapping[str, str | None],
        *,
        unknown: Unknown | None = None,
        again: bool = False,
    ) -> Decision:
        """What applies to a call that is about to be made; it counts against throttles, unless it
        has been counted and is tried ``again``."""
        self.start()
        if not self._known.is_set():
            return _UNKNOWN if (unknown or self._unknown) == "closed" else ALLOW
        found = self._controls.applying(time.time(), names)
        if not found:
            return ALLOW
        decision = strictest(found)
        if decision.action == "kill":
            return decision
        if again:
            return ALLOW
        throttles: list[Control] = [control for control in found if control.action == "throttle"]
        return self._throttle.refuses(throttles, time.monotonic()) or ALLOW

    def set(self, values: list[Mapping[str, object]]) -> None:
        """Take this state as known: for tests of what calls a switch."""
        self._controls.replace(values)
        self._known.set()

    def close(self) -> None:
        self._ended.set()

    def after_fork(self) -> None:
        """In the child: the state stays, the thread is not there any more."""
        known, ended = self._known.is_set(), self._ended.is_set()
        self._known, self._ended = threading.Event(), threading.Event()
        self._start_lock = threading.Lock()
        self._throttle = Throttle()
        if known:
            self._known.set()
        if ended:
            self._ended.set()
        self._thread = None

    # --- the thread's side

    def _run(self) -> None:
        ended, owner = self._ended, os.getpid()
        wait = 0.2
        while not ended.is_set() and os.getpid() == owner:
            begun = time.monotonic()
            try:
                assert self._new_source is not None
                source = self._new_source()
                if isinstance(source, KafkaControls):
                    self._follow(source, ended)
                else:
                    self._poll(source, ended)
            except Exception as error:  # noqa: BLE001 - whatever it is, the last state holds
                level = logging.WARNING if wait == 0.2 else logging.DEBUG
                log.log(level, "switches can not be read, what is known holds: %s", error)
            wait = 0.2 if time.monotonic() - begun > 30 else min(wait * 2, 5.0)
            ended.wait(wait * random.uniform(0.5, 1.0))

    def _follow(self, source: KafkaControls, ended: threading.Event) -> None:
        fresh = Controls()

        def record(key: bytes | None, value: bytes | None) -> None:
            try:
                fresh.record(key, value)
            except ValueError as error:
                log.debug("a record of the controls is none: %s", error)

        def known() -> None:
            self._controls = fresh
            self._known.set()

        source.follow(record, known, ended.is_set)

    def _poll(self, source: HttpControls, ended: threading.Event) -> None:
        try:
            while not ended.is_set():
                begun = time.monotonic()
                state = source.read()
                if state is not None:
                    faults = self._controls.replace(state)
                    if faults:
                        log.warning(
                            "%d entries of the controls mean nothing and are left out", faults
                        )
                    self._known.set()
                ended.wait(max(self._every - (time.monotonic() - begun), 0.0))
        finally:
            source.close()


_LIVING: weakref.WeakSet[Switches] = weakref.WeakSet()


def _after_fork() -> None:
    for switches in list(_LIVING):
        switches.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
