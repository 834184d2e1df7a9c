"""What river's detectors say of a series beside the sampled tests: rows and evidence, and nothing that decides."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest

from agents.drift.monitor import DriftMonitor
from agents.drift.quality import Quality
from agents.drift.report import Key, drift_finding, witness_row
from agents.drift.settings import DriftSettings
from agents.drift.witness import Heard, statements_on_scores
from schemas.samples import Sample
from tests.unit.drift_data import sample
from tests.unit.said import said

NEEDED = 1 / DriftSettings().level


def answers(number: int, change: int, field: str = "latency_ms", by: float = 2.0, seed: int = 1) -> list[Sample]:
    """Numbers as those of real calls scatter; from ``change`` on one is so many times as large."""
    rng, found = random.Random(seed), []
    for n in range(number):
        usual = {name: rng.lognormvariate(6, 0.5) for name in ("latency_ms", "ttft_ms", "output_tokens")}
        usual[field] *= by if n >= change else 1.0
        numbers = {**usual, "output_tokens": int(usual["output_tokens"])}
        found.append(msgspec.structs.replace(sample(n, rng), **numbers))
    return found


def heard(samples: Sequence[Sample]) -> tuple[DriftMonitor, list[Heard]]:
    monitor, found = DriftMonitor(), list[Heard]()
    for one in samples:
        monitor.add(one, NEEDED)
        found += monitor.said
    return monitor, found


@pytest.mark.parametrize("field", ["latency_ms", "ttft_ms"])
def test_a_number_that_doubles_is_heard_by_both_within_a_hundred_answers(field: str) -> None:
    _, found = heard(answers(400, 250, field))
    after = [one for one in found if 250 <= one.seq < 350]
    assert {(one.detector, one.metric) for one in after} == {("adwin", field), ("page_hinkley", field)}
    assert all(one.heard <= 200 for one in found)


def test_adwin_is_silent_while_nothing_changes() -> None:
    said_of = Counter(one.detector for seed in range(3) for one in heard(answers(1_000, 1_000, seed=seed))[1])
    assert said_of["adwin"] == 0
    assert said_of["page_hinkley"] <= 3 * 4


def test_a_flag_that_rises_is_heard() -> None:
    rng = random.Random(1)
    samples = [
        msgspec.structs.replace(one, outcome="refusal" if rng.random() < (0.7 if n >= 250 else 0.05) else "ok")
        for n, one in enumerate(answers(400, 400))
    ]
    _, found = heard(samples)
    assert any((one.detector, one.metric) == ("hddm_a", "refusal") and one.seq >= 250 for one in found)


def test_what_is_heard_does_not_depend_on_a_restart() -> None:
    samples = answers(500, 300)
    _, expected = heard(samples)
    monitor, found = DriftMonitor(), list[Heard]()
    for n, one in enumerate(samples):
        if n % 37 == 0:  # all that a changelog holds
            series = monitor.series
            anew = DriftMonitor(series.kept, msgspec.msgpack.decode(msgspec.msgpack.encode(monitor.status), type=type(monitor.status)))
            anew.series.reference, anew.series.window, anew.series.block = series.reference, series.window, series.block
            monitor = anew
        monitor.add(one, NEEDED)
        found += monitor.said
    assert found == expected and found


def test_a_drift_says_who_else_has_found_it_and_that_nobody_has() -> None:
    monitor = DriftMonitor()
    for one in answers(400, 250):
        monitor.add(one, NEEDED)
        if monitor.drift is None and monitor.evidence >= NEEDED:
            monitor.declare()
    drift = monitor.drift
    assert drift is not None and drift.metric == "latency_ms"
    found = drift_finding(Key("f", "m"), drift, drift.seen, 1e-3, monitor.status.heard)
    assert found.detail["witnesses"] == [("latency_ms", "adwin"), ("latency_ms", "page_hinkley")]
    assert "Found by other detectors as well: latency (ADWIN, Page-Hinkley)." in said(found)["description"]
    alone = drift_finding(Key("f", "m"), drift, drift.seen, 1e-3)
    assert "have not found it" in said(alone)["description"]
    row = witness_row(Key("f", "m"), monitor.status.heard[-1], 1)
    assert (row.detector, row.p_value, row.drifted) == (monitor.status.heard[-1].detector, 1.0, False)


@pytest.mark.parametrize("binary", [True, False])
def test_scores_that_fall_are_heard(binary: bool) -> None:
    rng, quality, found = random.Random(2), Quality(), list[Heard]()
    for n in range(400):
        level = 0.3 if n >= 250 else 0.9
        score = float(rng.random() < level) if binary else min(1.0, max(0.0, rng.gauss(level, 0.05)))
        quality.add(float(n), score, f"a{n}", NEEDED)
        found += statements_on_scores("judge", quality)
    fallen = [one for one in found if one.time >= 250]
    assert fallen and {one.metric for one in found} == {"score:judge"}
    assert {one.detector for one in fallen} <= ({"hddm_a"} if binary else {"adwin", "page_hinkley"})
