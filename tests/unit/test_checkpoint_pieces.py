"""An agent whose work comes in pieces: everything else runs in between, and a crash between two pieces changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
import pytest

from schemas.outputs import DeadLetter
from schemas.samples import Samples
from streams.checkpoint import Checkpointer
from streams.damage import Damage
from streams.effects import Effects
from streams.metrics import Metrics
from tests.unit.builders import FakeBatch
from tests.unit.test_checkpoint_simulation import METRICS, PARTITIONS, Cluster, ModelChangelog, ModelSink, Process, Producer
from tests.unit.test_drift_state import SAMPLES, batch, in_messages, new_state, rows, run, stream


class Lines(ModelSink):
    """Keeps what is written as it is."""

    def __init__(self, cluster: Cluster, process: Process, lines: list[bytes]) -> None:
        super().__init__(cluster, process)
        self._lines = lines

    async def write(self, rows: Mapping[str, Sequence[bytes]]) -> list[DeadLetter]:
        await self.process.step("rows")
        for lines in rows.values():
            self._lines += lines
        return []


def new_checkpointer(cluster: Cluster, lines: list[bytes], metrics: Metrics = METRICS) -> Checkpointer:
    process = Process()
    return Checkpointer(
        "drift", [SAMPLES], lambda partition: new_state(),
        changelog=ModelChangelog(cluster, process, "drift", "writer"), producer=Producer(cluster, process),  # type: ignore[arg-type]
        sink=Lines(cluster, process, lines), metrics=metrics, damage=Damage("model"), deadletter_topic=cluster.topics.deadletter,  # type: ignore[arg-type]
        deadletter_partitions=PARTITIONS, interval=2.0, max_pending_rows=1_000, hold=lambda partition, topics: None,
        end=lambda topic, partition: None,
    )  # fmt: skip


def a_catch_up() -> Sequence[Samples]:
    samples = stream()
    return in_messages(samples, len(samples))


def test_others_run_between_the_pieces() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> None:
        checkpointer = new_checkpointer(Cluster(), [])
        await checkpointer.restore({0})
        task = asyncio.ensure_future(other())
        await asyncio.sleep(0)
        before = turns
        await checkpointer.apply(batch(*a_catch_up()), lambda: None)
        assert turns - before >= 4
        assert checkpointer.waiting == 0
        task.cancel()

    asyncio.run(main())


@pytest.mark.parametrize("pieces", [1, 2, 4])
def test_a_crash_between_the_pieces_changes_nothing(pieces: int) -> None:
    messages = a_catch_up()
    whole = Effects()
    run(new_state(), messages, whole)
    cluster, lines = Cluster(), list[bytes]()
    sent: FakeBatch = batch(*messages)

    async def first() -> None:
        checkpointer = new_checkpointer(cluster, lines)
        await checkpointer.restore({0})
        work = asyncio.ensure_future(checkpointer.apply(sent, lambda: None))
        for _ in range(pieces):
            await asyncio.sleep(0)
        assert not work.done() and checkpointer.waiting > 0
        work.cancel()
        await checkpointer.flush()

    async def second() -> None:
        checkpointer = new_checkpointer(cluster, lines)
        assert await checkpointer.restore({0}) == {0: {SAMPLES: sent.next_offset}}
        again = batch(messages[-1])
        again.next_offset = sent.next_offset + 1
        await checkpointer.apply(again, lambda: None)
        await checkpointer.flush()
        assert checkpointer.waiting == 0

    asyncio.run(first())
    asyncio.run(second())
    assert [msgspec.json.decode(line) for line in lines] == rows(whole)
