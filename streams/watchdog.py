"""Says what holds the event loop for more than a second: agent, step, function and event, never its text.

The loop beats four times a second. A thread looks at the beats, for while the loop is held nothing
in it can say so. Where one call of a library holds the interpreter as well, the thread waits with
all others and speaks when that is over; what it was is then in the trace, which the operating
system's timer makes the processor's own handler write (`faulthandler`), and which also tells the
next worker if this one does not survive it (streams/deaths.py).
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from streams.deaths import AGAIN, SLOW
from streams.in_hand import InHand
from streams.metrics import Metrics

log = logging.getLogger(__name__)

BEAT = 0.25
"""Seconds between two beats."""

TOLD_SECONDS = 600.0
"""Seconds for which `/health` names what has held the loop."""
MOST_TOLD = 20

_OURS = re.compile(r"[/\\]((?:agents|streams|schemas|deploy)[/\\].+\.py)$")
_PLAIN_KEY = re.compile(rb"[\w.:@/\-]{1,64}", re.ASCII)


class Hold(NamedTuple):
    """What holds the loop. `at`: the innermost function of Mirante's own."""

    agent: str
    step: str
    at: str
    event: str

    def __str__(self) -> str:
        what = f"{self.agent}/{self.step}" if self.agent else "no agent"
        return f"{what}, at {self.at}" + (f", {self.event}" if self.event else "")


class Watchdog:
    """Of one worker's event loop. `trace`: where traces go, emptied when the loop goes on."""

    def __init__(
        self,
        in_hand: InHand,
        metrics: Metrics,
        trace: BinaryIO | None = None,
        *,
        limit: float = SLOW,
        now: Callable[[], float] = time.monotonic,
        busy: Callable[[], float] = time.process_time,
    ) -> None:
        self._in_hand, self._metrics, self._trace = in_hand, metrics, trace
        self._limit, self._now, self._busy = limit, now, busy
        self._loop_thread = 0
        self._beaten = self._looked = now()
        self._worked = busy()
        self._held: Hold | None = None
        self._since = self._beaten
        self._told: dict[str, float] = {}
        self._ended = threading.Event()

    async def run(self) -> None:
        """Beat until cancelled, in the loop that is watched."""
        self._loop_thread = threading.get_ident()
        self._beaten = self._looked = self._now()
        thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._arm()
        thread.start()
        try:
            while True:
                self.beat()
                await asyncio.sleep(BEAT)
        finally:
            self._ended.set()
            self._disarm()

    def beat(self) -> None:
        """The loop goes on."""
        now = self._now()
        late = now - self._beaten > self._limit
        self._beaten = now
        if self._trace is not None:
            if late:
                os.ftruncate(self._trace.fileno(), 0)
            signal.setitimer(signal.ITIMER_REAL, self._limit + BEAT, AGAIN)

    def look(self) -> None:
        """Look whether the loop goes on; say so once when it does not, and once when it does again."""
        now, worked, beaten = self._now(), self._busy(), self._beaten
        gap, self._looked = now - self._looked, now
        spent, self._worked = worked - self._worked, worked
        silent = now - beaten
        if self._held is None:
            if silent <= self._limit:
                return
            if gap > self._limit and spent < gap / 4:
                self._beaten = max(self._beaten, now)  # the whole process was stopped
                return
            self._held, self._since = self._what(), beaten
            log.warning("the event loop has been held for %.1f s: %s", silent, self._held)
        if self._beaten > self._since:
            self._over(self._held, self._beaten - self._since)
            self._held = None

    def problems(self) -> list[str]:
        """What has held the loop lately, in the order in which it did, and what holds it."""
        now, held, since = self._now(), self._held, self._since
        told = [text for text, at in self._told.items() if now - at < TOLD_SECONDS]
        if held is not None:
            told.append(f"has held the worker for {now - since:.0f} s and still does: {held}")
        return told

    def _over(self, held: Hold, seconds: float) -> None:
        log.warning("the event loop goes on after %.1f s: %s", seconds, held)
        self._metrics.held(held.agent, held.step, seconds)
        told = {**self._told, f"held the worker for {seconds:.1f} s: {held}": self._now()}
        while len(told) > MOST_TOLD:
            del told[next(iter(told))]
        self._told = told

    def _watch(self) -> None:
        while not self._ended.wait(BEAT):
            self.look()

    def _what(self) -> Hold:
        work, record = self._in_hand.work, self._in_hand.record
        agent, step = (work.agent, work.step) if work is not None else ("", "")
        if record is not None:
            event = f"event {record.topic}/{record.partition}/{record.offset}{_shown_key(record.key)}"
        elif work is not None and work.topic:
            to = f" to {work.last}" if work.last > work.first else ""
            event = f"event {work.topic}/{work.partition}/{work.first}{to}"
        else:
            event = ""
        return Hold(agent, step, self._where(), event)

    def _where(self) -> str:
        frame = sys._current_frames().get(self._loop_thread)
        while frame is not None:
            if found := _OURS.search(frame.f_code.co_filename):
                return f"{found[1]}:{frame.f_lineno} {frame.f_code.co_name}"
            frame = frame.f_back
        return "a library"

    def _arm(self) -> None:
        if self._trace is not None:
            faulthandler.enable(self._trace)
            faulthandler.register(signal.SIGALRM, self._trace, all_threads=False)

    def _disarm(self) -> None:
        if self._trace is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.unregister(signal.SIGALRM)


def _shown_key(key: bytes | None) -> str:
    """An id as it is; of anything else only how long it is."""
    if not key:
        return ""
    return f" key {key.decode()}" if _PLAIN_KEY.fullmatch(key) else f" (a key of {len(key)} bytes)"
