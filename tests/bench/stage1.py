"""What the guards cost stage 1: the same events through one partition's state with all guards on and off, in turn, in one process.

Nothing else is measured: no Kafka, no ClickHouse, no fetching, so the share of the guards is larger here than in a worker. Garbage is
collected as in a worker, or what another benchmark has left in the process would be walked as well.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec
from rich.console import Console
from rich.table import Table

from agents.budgets.rules import read_rules
from agents.guards.tap import GuardTap
from agents.inspection.masking import Masking
from agents.inspection.pii import Found
from agents.inspection.schema import UNCHECKED
from agents.interactions.context import Context
from agents.interactions.state import InteractionsState
from agents.pricing import PriceBook
from deploy.traffic.demo import demo
from deploy.traffic.record import TimedRecord
from schemas.rows import Row
from streams.effects import Effects
from streams.garbage import spare_what_is_loaded
from streams.settings import Settings
from streams.topics import Topics
from tests.bench import smoke
from tests.load import Load

BATCH = 500
ROUNDS = 15
_encode = msgspec.json.Encoder().encode


class Fetched(NamedTuple):
    """As the transport hands over a record."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Batch(NamedTuple):
    topic: str
    partition: int
    records: Sequence[Fetched]
    next_offset: int
    highwater: int | None = None
    size: int = 0


class Unmasked(Masking):
    """Encodes and nothing else."""

    def line(self, row: Row, session: str, count: Callable[[str], None]) -> tuple[bytes, Found]:
        return _encode(row), {}


def batches(records: Iterable[TimedRecord]) -> list[Batch]:
    """In order of time, as batches of one topic."""
    waiting: dict[str, list[Fetched]] = {}
    offsets: dict[str, int] = {}
    made: list[Batch] = []
    for record in records:
        topic = f"llm.{record.topic}"
        offset = offsets[topic] = offsets.get(topic, -1) + 1
        held = waiting.setdefault(topic, [])
        held.append(Fetched(topic, 0, offset, int(record.time * 1000), record.key, record.value))
        if len(held) >= BATCH:
            made.append(Batch(topic, 0, waiting.pop(topic), offset + 1))
    return made + [Batch(topic, 0, held, offsets[topic] + 1) for topic, held in waiting.items()]


def run(work: list[Batch], guarded: bool) -> tuple[float, int]:
    """CPU seconds, and rows made."""
    settings = Settings(partitions=1)
    topics = Topics.of(settings)
    masking = Masking(b"bench") if guarded else Unmasked(b"")
    taps: tuple[Callable[[], Any], ...] = (lambda: GuardTap(topics.guarded, 1),) if guarded else ()
    context = Context(settings, topics, PriceBook(), "bench", read_rules(), masking, taps=taps)
    state, rows = InteractionsState(0, context), 0
    with ExitStack() as stack:
        if not guarded:
            for name, off in (
                ("refusals", lambda texts: [False] * len(texts)),
                ("attempts", lambda call: []),
                ("validity", lambda *of: UNCHECKED),
            ):
                stack.enter_context(patch(f"agents.inspection.verdicts.{name}", off))
        gc.collect()
        begun = time.process_time()
        for number, batch in enumerate(work):
            effects = Effects()
            state.apply(batch, effects)
            if number % 8 == 7:
                state.close_interval(effects)
                state.changes()
            rows += effects.row_count
        return time.process_time() - begun, rows


def compare(name: str, records: Iterable[TimedRecord], table: Table, rounds: int) -> None:
    work = batches(records)
    events = sum(len(batch.records) for batch in work)
    size = sum(len(record.value or b"") for batch in work for record in batch.records) / events
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(rounds):
        for guarded in (False, True):
            seconds[guarded].append(run(work, guarded)[0])
    on, off = min(seconds[True]), min(seconds[False])
    table.add_row(
        name,
        f"{events:,}",
        f"{size:,.0f}",
        f"{events / off:,.0f}",
        f"{events / on:,.0f}",
        f"{1 - off / on:.1%}",
        f"{(on - off) / events * 1e6:.1f}",
    )


def main(pairs: int = 10_000, console: Console | None = None, rounds: int = ROUNDS) -> None:
    table = Table(title=f"Throughput of stage 1, all guards on and off (best of {rounds}, CPU time)", title_justify="left")
    for column in ("traffic", "events", "bytes/event", "off, events/s", "on, events/s", "falls by (aim: < 35%)", "guards, µs/event"):
        table.add_column(column, justify="left" if column == "traffic" else "right")
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)
    spare_what_is_loaded()
    compare("demo (conversations, en and pt, some documents and tools)", demo(start=start, rate=50.0, count=pairs), table, rounds)
    compare("load (1 kB, nothing to find)", islice(Load(pairs, "bench", int(start.timestamp() * 1e6)).records(), 2 * pairs), table, rounds)
    (console or Console(width=170)).print(table)


if __name__ == "__main__":
    main(100, rounds=1) if smoke.asked_for() else main()
