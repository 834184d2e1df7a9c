"""The operational checklist: what is said of an installation, given what its tables hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from deploy.cli.checklist import ITEMS, ItemVerdict, examine
from streams.settings import Settings

TABLES = sorted({table for item in ITEMS for table in item.tables})
GOOD: dict[str, Any] = {
    "kills": 1, "restores": 1, "last": "2026-03-01 12:00 UTC", "burns": 2, "exhausted": 1,
    "answered": 100, "named": 100, "traced": 50, "newest": "resp-1", "calls": 100, "with_pii": 7, "suspects": ["123.456.789-00"],
    "longest": 15_000, "timeouts": 1, "overrun": 0, "with_schema": 10, "checked": 10, "invalid": 1, "alerts": 0,
    "refusals": 2, "errors": 3, "prompted": 100, "versioned": 100, "current": [["chat", "support", "0123456789abcdef"]],
    "candidates": 4, "usd": "1.25", "series": [["chat", "gpt-4o", 0, 13 * 3600, 100_000]],
}  # fmt: skip
CONFIGURED = Settings(budgets=[{"name": "day", "limit": 1, "unit": "tokens", "window": "day"}], limits=[{"name": "per-user"}])


def verdicts(tables: Sequence[str] = TABLES, settings: Settings = CONFIGURED, **changed: Any) -> dict[str, ItemVerdict]:
    def ask(sql: str) -> list[Mapping[str, Any]]:
        return [{"name": table} for table in tables] if "system.tables" in sql else [GOOD | changed]

    return {item.name: verdict for item, verdict in examine(ask, settings, hours=24)}


def test_everything_is_ticked_where_everything_is_there() -> None:
    found = verdicts()
    assert len(found) == 11
    assert {verdict.state for verdict in found.values()} == {"yes"}
    assert "chat: support@0123456789ab" in found["which prompt version runs now"].evidence


@pytest.mark.parametrize(
    ("item", "changed"),
    [
        ("trace from a response_id", {"named": 99}),
        ("personal data are masked", {"suspects": ["ana@example.com"]}),
        ("personal data are masked", {"suspects": ["529.982.247-25"]}),
        ("hard timeouts", {"overrun": 1}),
        ("hard timeouts", {"longest": 600_000}),
        ("output is checked against its schema", {"checked": 0}),
        ("which prompt version runs now", {"versioned": 99}),
    ],
)
def test_what_the_data_contradict_is_not_ticked(item: str, changed: dict[str, Any]) -> None:
    found = verdicts(**changed)
    assert [name for name, verdict in found.items() if verdict.state == "no"] == [item]
    assert found[item].remedy


def test_the_evidence_never_repeats_personal_data() -> None:
    assert "529" not in verdicts(suspects=["529.982.247-25"])["personal data are masked"].evidence


def test_what_is_not_configured_is_not_ticked() -> None:
    found = verdicts(settings=Settings())
    assert {name for name, verdict in found.items() if verdict.state == "no"} == {"token budget with alerts", "rate limits"}


def test_what_is_still_learned_is_no_fault_and_is_named_with_how_long() -> None:
    verdict = verdicts(series=[["chat", "gpt-4o", 0, 600, 1_100]])["detectors know what is usual"]
    assert verdict.state == "unknown" and verdict.remedy
    assert "chat · gpt-4o: learning for about: cost 19 min, traffic 49 min" in verdict.evidence


def test_what_nothing_is_known_of_is_unknown() -> None:
    found = verdicts(calls=0, answered=0, prompted=0, kills=0, candidates=0, series=[])
    assert {name for name, verdict in found.items() if verdict.state == "yes"} == {"token budget with alerts", "rate limits"}
    assert {verdict.state for verdict in found.values()} == {"yes", "unknown"}


def test_a_table_that_does_not_exist_is_named() -> None:
    found = verdicts(tables=[table for table in TABLES if table != "cache_candidates"])
    verdict = found["what a semantic cache would save"]
    assert verdict.state == "unknown"
    assert "cache_candidates" in verdict.evidence
    assert "creates the tables" in verdict.remedy


def test_the_calls_of_the_period_are_read_once() -> None:
    asked: list[str] = []

    def ask(sql: str) -> list[Mapping[str, Any]]:
        asked.append(sql)
        return [{"name": table} for table in TABLES] if "system.tables" in sql else [GOOD]

    examine(ask, CONFIGURED, hours=24)
    assert len(asked) == len(set(asked))
    assert sum("max(timeout_ms)" in sql for sql in asked) == 1
