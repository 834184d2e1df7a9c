"""Events that kill the process that works on them, wherever that happens, among processes that are killed at random: they become dead
letters, nothing else does, and every record is still a row or a dead letter.

Processes, broker and tables are those of the simulation of checkpoints.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

import streams.checkpoint
from agents.inspection.masking import Masking
from schemas.decoding import DECODERS
from streams.deadletters import POISON
from streams.deaths import DeathLedger
from streams.in_hand import InHand, Work
from streams.partitioner import partition_of
from tests.unit.builders import SOURCE, Json, request, response
from tests.unit.test_checkpoint_simulation import NOW, PARTITIONS, TIMESTAMP, Cluster, Died, Process, Worker

CALLS = 6
TEXT = "a text that kills"


class Killed(BaseException):
    """The process is gone in the middle of a computation. `work`: what it had in hand."""

    def __init__(self, work: Work | None) -> None:
        super().__init__(work)
        self.work = work


class Known:
    """What a ledger says, as of streams.in_hand.Deaths."""

    def __init__(self, ledger: DeathLedger) -> None:
        self._ledger = ledger

    def suspects(self, agent: str, topic: str, partition: int) -> Sequence[Work]:
        works = [one.work for one in self._ledger.suspects]
        return [work for work in works if (work.agent, work.topic, work.partition) == (agent, topic, partition)]

    def reason(self, work: Work) -> str | None:
        found = (one for one in self._ledger.suspects if one.condemned)
        return next((one.reason for one in found if (one.work.first, one.work.mark) == (work.first, work.mark)), None)


@pytest.fixture(autouse=True)
def clock_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.checkpoint, "ProcessingTime", streams.checkpoint.ProcessingTime)


def killing(where: str, in_hand: Callable[[], InHand]) -> Any:
    """Patches: a request whose text is TEXT kills as it is read, or as a row of it is made."""
    if where == "read":
        decode = DECODERS["requests"]

        def read(value: bytes | None) -> Any:
            if value and TEXT.encode() in value:
                raise Killed(in_hand().work)
            return decode(value)

        return patch.dict(DECODERS, {"requests": read})
    line = Masking.line

    def masked(self: Masking, row: Any, session: str, count: Callable[[str], None]) -> Any:
        if TEXT in str(row):
            raise Killed(in_hand().work)
        return line(self, row, session, count)

    return patch.object(Masking, "line", masked)


def publish(cluster: Cluster, rng: random.Random, is_answered: bool) -> Json:
    """Calls, some in a partition that is not their home. Returns the request that kills."""
    worst = rng.randrange(CALLS)
    events: list[tuple[str, Json]] = []
    for n in range(CALLS):
        text = TEXT if n == worst else "hello"
        fields: Json = {"messages": [{"role": "user", "content": text}], "timeout_ms": 1_000}
        events.append(("requests", request(n, 5.0 * n, **fields)))
        if n != worst or is_answered:
            events.append(("responses", response(n, 5.0 * n + 1)))
    rng.shuffle(events)
    for kind, event in events:
        key = event["session_id"].encode()
        partition = partition_of(key, PARTITIONS) if rng.random() < 0.6 else rng.randrange(PARTITIONS)
        cluster.logs.append(f"llm.{kind}", partition, msgspec.json.encode(event), key=key, timestamp=TIMESTAMP)
    return next(event for kind, event in events if kind == "requests" and TEXT in str(event))


async def run_to_end(cluster: Cluster, where: str, rng: random.Random) -> int:
    """Returns how often a process has died of what it had in hand."""
    ledger, deaths, in_hand = DeathLedger(), 0, InHand()
    origin = rng.uniform(0.0, NOW)
    streams.checkpoint.ProcessingTime = lambda longest_gap: SimpleNamespace(now=lambda: cluster.now - origin)  # type: ignore
    with killing(where, lambda: in_hand):
        while True:
            # Half of them are killed between two steps as well, where nothing is in hand.
            worker = Worker(cluster, Process(dies_at=rng.randint(1, 60) if rng.random() < 0.5 else -1))
            in_hand = InHand(SOURCE, deaths=Known(ledger))
            for checkpointer in worker.checkpointers.values():
                checkpointer._in_hand = in_hand
            try:
                await worker.own()
                await worker.work_off(rng)
            except Died:
                continue
            except Killed as killed:
                work = killed.work
            else:
                return deaths
            deaths += 1
            assert work is not None and deaths < 12
            ledger.add(SOURCE, work, "Segmentation fault", True)


WAYS = [("read", True), ("row", True), ("row", False)]


@pytest.mark.parametrize(("where", "is_answered"), WAYS)
@pytest.mark.parametrize("seed", range(8))
def test_what_kills_is_a_dead_letter_and_nothing_else_is_lost(seed: int, where: str, is_answered: bool) -> None:
    rng, cluster = random.Random(f"{seed} {where} {is_answered}"), Cluster()
    worst = publish(cluster, rng, is_answered)

    deaths = asyncio.run(run_to_end(cluster, where, rng))

    rows, letters = cluster.tables.interactions(), cluster.letters
    innocent = {f"r{n}" for n in range(CALLS)} - {worst["request_id"]}
    assert set(rows) == innocent and all(row["outcome"] == "ok" for row in rows.values())
    by_topic = [topic for topic, _, _ in letters]
    assert by_topic.count("llm.requests") == 1 and by_topic.count("llm.responses") == int(is_answered)
    assert len(letters) == 1 + int(is_answered)
    assert any(letter.stage == POISON and "Segmentation fault" in letter.reason for letter in letters.values())
    # Twice each, and once more for each way on which it comes to another partition first.
    assert 2 <= deaths <= (2 if where == "read" else 6)
