"""A short run of the chaos tests with a fixed seed; the long ones are `make chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.run import Plan, run
from tests.fixtures_brokers import broker_kind

OPEN = {"work went on during the faults"}
"""Not asserted: six faults within seconds on a busy machine leave no time for it. The long runs say it."""


@pytest.mark.slow
@pytest.mark.timeout(480)
async def test_after_kills_stops_restarts_and_lost_answers_the_tables_hold_exactly_what_the_input_implies(tmp_path: Path) -> None:
    plan = Plan(seed=11, directory=tmp_path, kafka=broker_kind(), workers=2, interactions=12_000, rate=800.0, kills=2, others=4, settle=180)
    said: list[str] = []
    report = await run(plan, said.append)
    broken = [finding for finding in report.findings if not finding.holds and finding.name not in OPEN]
    assert not broken, "\n".join([*map(str, broken), *said])
