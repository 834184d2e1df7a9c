"""A short run of the fuzz test; the long one is `python -m tests.chaos.fuzz`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.fuzz import fuzz
from tests.fixtures_brokers import broker_kind


@pytest.mark.timeout(170)
async def test_every_odd_record_is_a_row_a_repeat_or_a_dead_letter(tmp_path: Path) -> None:
    said: list[str] = []
    outcome = await fuzz(tmp_path, events=2_000, seed=3, say=said.append, kafka=broker_kind(), settle=100)
    assert outcome.settled is not None, "\n".join(said)
    assert not [account for account in outcome.accounts if account.missing], "\n".join(map(str, outcome.accounts))
    assert not outcome.lost
    assert not outcome.twice
    assert all(account.records for account in outcome.accounts)
    assert all(reason for _, reason, _ in outcome.reasons)
