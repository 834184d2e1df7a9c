"""Metrics tell the truth: what is counted is declared, and a worker speaks of its own partitions only."""

from __future__ import annotations

import asyncio
from typing import get_args

import pytest

from streams.counters import COUNTERS, CounterName
from streams.effects import Effects
from streams.metrics import Metrics
from tests.unit.builders import FakeBatch
from tests.unit.test_checkpoint_pieces import new_checkpointer
from tests.unit.test_checkpoint_simulation import Cluster
from tests.unit.test_drift_state import SAMPLES


def series(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Label values -> value of the samples of a metric."""
    found = (sample for family in metrics.registry.collect() for sample in family.samples)
    return {tuple(s.labels.values()): s.value for s in found if s.name == name}


def test_every_counter_is_declared_once() -> None:
    assert set(COUNTERS) == set(get_args(CounterName))
    assert len({declared.metric for declared in COUNTERS.values()}) == len(COUNTERS)


def test_a_counter_that_is_not_declared_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="no counter 'acceptd'"):
        Effects().count("acceptd", "requests")  # type: ignore[arg-type]


def test_a_label_that_is_not_declared_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="has no label"):
        Effects().count("settled_early", "requests")


@pytest.mark.parametrize("name", get_args(CounterName))
def test_what_is_counted_is_in_its_own_metric_and_in_no_other(name: CounterName) -> None:
    # Given
    metrics, effects, declared = Metrics(), Effects(), COUNTERS[name]
    label = "x" if declared.label else ""
    effects.count(name, label)
    effects.count(name, label, by=2)

    # When
    metrics.applied(effects)

    # Then
    expected = {("x",): 3.0} if declared.label else {(): 3.0}
    assert series(metrics, f"{declared.metric}_total") == expected
    others = [one.metric for one in COUNTERS.values() if one.label and one is not declared]
    assert [other for other in others if series(metrics, f"{other}_total")] == []


def test_a_partition_that_was_lost_leaves_lag_and_state() -> None:
    async def main() -> None:
        # Given a worker that has read and kept something of two partitions
        metrics = Metrics()
        checkpointer = new_checkpointer(Cluster(), [], metrics)
        metrics.behind("other", 1, 5)
        await checkpointer.restore({0, 1})
        for partition in (0, 1):
            await checkpointer.apply(FakeBatch(SAMPLES, partition, [], next_offset=7, highwater=9), lambda: None)
        await checkpointer.flush()
        assert {key[:2] for key in series(metrics, "mirante_lag")} == {("other", "1"), (SAMPLES, "0"), (SAMPLES, "1")}
        assert {key[1] for key in series(metrics, "mirante_state")} == {"0", "1"}

        # When one of them is another's
        await checkpointer.restore({0})

        # Then nothing is said of it, and of the rest what was said before
        assert series(metrics, "mirante_lag") == {("other", "1"): 5.0, (SAMPLES, "0"): 2.0}
        assert {key[1] for key in series(metrics, "mirante_state")} == {"0"}

    asyncio.run(main())
