"""Whatever order a broker shows batches in, a reader that waits for gaps gets each record once and in order."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.gaps import Gaps
from streams.kafka import EMBEDDED_CLUSTER
from streams.settings import Settings
from streams.worker import GAP_PATIENCE, Worker

PATIENCE = 5.0


class Written(NamedTuple):
    offset: int
    visible: float
    """When a reader can see it; never, if infinite: compaction, or the end of a transaction."""


def read(log: list[Written], gaps: Gaps[str], until: float, step: float = 0.5) -> list[int]:
    """What somebody gets who looks every ``step`` seconds and, as a consumer does, takes what he sees from his position on."""
    got: list[int] = []
    position, now = 0, 0.0
    while now <= until:
        records = [record for record in log if record.offset >= position and record.visible <= now]
        taken = records[: gaps.before("topic", position, records, now)]
        got += [record.offset for record in taken]
        position = taken[-1].offset + 1 if taken else position
        now += step
    return got


@given(st.lists(st.floats(0, PATIENCE / 2), max_size=30))
def test_given_batches_that_appear_late_then_no_record_is_skipped(delays: list[float]) -> None:
    log = [Written(offset, offset / 10 + delay) for offset, delay in enumerate(delays)]
    assert read(log, Gaps(PATIENCE), until=len(log) / 10 + PATIENCE) == list(range(len(log)))


@given(st.sets(st.integers(0, 20), min_size=1, max_size=15))
def test_given_gaps_for_good_then_each_is_passed_after_the_patience(there: set[int]) -> None:
    log = [Written(offset, 0.0) for offset in sorted(there)]
    assert read(log, Gaps(PATIENCE), until=(PATIENCE + 1) * 21) == sorted(there)


def test_given_no_patience_then_nothing_is_waited_for() -> None:
    assert read([Written(0, 0.0), Written(1, 9.0), Written(2, 0.0)], Gaps(0.0), until=0.0) == [0, 2]


@pytest.mark.parametrize(("cluster", "patience"), [(f"{EMBEDDED_CLUSTER}4f0c", GAP_PATIENCE), ("MkU3OEVBNTcwNTJENDM2Qg", 0.0)])
def test_a_worker_waits_for_gaps_on_the_embedded_broker_only(cluster: str, patience: float) -> None:
    assert Worker(Settings(), [], cluster).batches.gap_patience == patience


def test_an_entry_for_several_offsets_leaves_no_gap() -> None:
    class Entry(NamedTuple):
        offset: int
        last_offset: int

    gaps: Gaps[str] = Gaps(PATIENCE)
    assert gaps.before("tp", 0, [Written(0, 0.0), Entry(1, 4), Written(5, 0.0)], now=0.0) == 3
    assert gaps.before("tp", 0, [Written(0, 0.0), Entry(1, 4), Written(6, 0.0)], now=0.0) == 2
