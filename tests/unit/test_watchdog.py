"""Who holds the event loop is named: agent, step, function and event, and never the event's text."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from prometheus_client import generate_latest

from streams.in_hand import InHand, Work
from streams.metrics import Metrics
from streams.watchdog import BEAT, Watchdog
from tests.unit.builders import Record

LIMIT = 0.4
LONG = LIMIT + 2.5 * BEAT
BATCH = Work("interactions", "apply", "llm.requests", 2, 1_000, 1_099)


def record(key: bytes | None) -> Record:
    return Record("llm.requests", 2, 1_042, 0, key, b"a text that nobody may see", ())


class Watched:
    """A loop that is held by something, and what was said of it."""

    def __init__(self) -> None:
        self.in_hand, self.metrics = InHand(), Metrics()
        self.watchdog = Watchdog(self.in_hand, self.metrics, limit=LIMIT)

    def hold(self, seconds: float, key: bytes | None = b"s-77") -> None:
        async def main() -> None:
            watching = asyncio.ensure_future(self.watchdog.run())
            await asyncio.sleep(BEAT)
            with self.in_hand.at(BATCH):
                self.in_hand.record = record(key)
                time.sleep(seconds)  # noqa: ASYNC251  # that is the point
            await asyncio.sleep(3 * BEAT)
            watching.cancel()
            with pytest.raises(asyncio.CancelledError):
                await watching

        asyncio.run(main())

    @property
    def problem(self) -> str:
        """What is said of the batch. A busy machine may hold a loop with nothing in hand as well."""
        (found,) = [problem for problem in self.watchdog.problems() if "interactions" in problem]
        return found

    @property
    def counted(self) -> bool:
        exposed = generate_latest(self.metrics.registry).decode()
        return 'mirante_loop_held_total{agent="interactions",step="apply"} 1.0' in exposed


def test_it_names_the_event_that_holds_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched()
    with caplog.at_level(logging.WARNING):
        watched.hold(LONG)
    problem = watched.problem
    assert "interactions/apply" in problem and "event llm.requests/2/1042 key s-77" in problem
    said = [line.getMessage() for line in caplog.records if "interactions" in line.getMessage()]
    assert "has been held for" in said[0] and "goes on after" in said[1] and "/2/1042" in said[0]
    assert watched.counted
    assert "nobody may see" not in problem + " ".join(said)


def test_a_loop_that_goes_on_is_not_named(caplog: pytest.LogCaptureFixture) -> None:
    # given a loop that is never held for longer than nine tenths of a second
    now = 0.0
    watchdog = Watchdog(InHand(), Metrics(), now=lambda: now, busy=lambda: now)
    for step in range(100):
        now = 0.1 * step
        if step % 9 == 0:
            watchdog.beat()
        watchdog.look()
    assert watchdog.problems() == [] and not caplog.records


def test_a_key_that_is_no_id_is_not_shown() -> None:
    watched = Watched()
    watched.hold(LONG, key="João da Silva \x1b[31m".encode())
    problem = watched.problem
    assert "a key of" in problem and "Silva" not in problem


def test_a_process_that_was_stopped_is_not_blamed_on_an_event() -> None:
    # given a loop and a thread that both stand still for a minute, in which the process did nothing
    now = 0.0
    watchdog = Watchdog(InHand(), Metrics(), now=lambda: now, busy=lambda: 0.0)
    now = 60.0
    # when the thread is the first to go on
    watchdog.look()
    now = 60.1
    watchdog.beat()
    watchdog.look()
    # then nothing is said
    assert watchdog.problems() == []


def test_one_call_that_holds_the_interpreter_as_well_is_named() -> None:
    # given a minute in which the process worked and neither loop nor thread went on
    now, worked = 0.0, 0.0
    in_hand = InHand()
    in_hand.take(BATCH)
    watchdog = Watchdog(in_hand, Metrics(), now=lambda: now, busy=lambda: worked)
    now, worked = 60.0, 59.0
    # when the thread goes on before the loop
    watchdog.look()
    now = 60.1
    watchdog.beat()
    watchdog.look()
    # then the batch is named
    (problem,) = watchdog.problems()
    assert "llm.requests/2/1000 to 1099" in problem


def test_what_holds_the_loop_is_named_while_it_does() -> None:
    # given a batch in hand and a loop that does not go on
    now = 0.0
    in_hand = InHand()
    in_hand.take(BATCH)
    watchdog = Watchdog(in_hand, Metrics(), now=lambda: now, busy=lambda: now)
    # when the thread looks after three seconds
    now = 3.0
    watchdog.look()
    # then the batch is named already
    (problem,) = watchdog.problems()
    assert "for 3 s and still does" in problem and "llm.requests/2/1000 to 1099" in problem
