"""The oracle of the chaos tests: it stands apart from the product, and says of small inputs what a person would."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests import chaos
from tests.chaos.oracle import Totals, expected, prices
from tests.chaos.records import Stored
from tests.chaos.traffic import ChaosTraffic

FOLDER = Path(chaos.__file__).parent
APART = ("oracle", "records", "traffic", "mutations")


@pytest.mark.parametrize("name", APART)
def test_it_knows_nothing_of_the_product(name: str) -> None:
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {module for module in imported if module.split(".")[0] in ("schemas", "streams", "agents", "deploy")}
    ours = {module.removeprefix("tests.chaos.") for module in imported if module.startswith("tests.")}
    assert ours <= set(APART)


def test_prices_are_those_of_the_vendors_lists() -> None:
    assert prices("openai", "gpt-4o-mini", "2026-03-01") == (150_000, 75_000, 600_000)  # $0.15, $0.075 and $0.60 per million
    assert prices("anthropic", "claude-sonnet-4-5", "2026-03-01") == (3_000_000, 300_000, 15_000_000)


def record(topic: str, offset: int, event: object, partition: int = 0) -> Stored:
    return Stored(topic, partition, offset, None, json.dumps(event).encode(), 0.0)


ASKED = {
    "event_id": "q", "time": "2026-03-01T12:00:05Z", "request_id": "r", "model": "gpt-4o-mini", "provider": "openai", "feature": "chat",
}  # fmt: skip
SAID = {
    "event_id": "a", "time": "2026-03-01T12:00:06Z", "request_id": "r", "response_id": "x", "status": "ok",
    "usage": {"input_tokens": 1_000, "output_tokens": 100, "cache_read_tokens": 400},
}  # fmt: skip


def test_a_call_published_twice_counts_once() -> None:
    found = expected([record("responses", 0, SAID), record("requests", 0, ASKED), record("requests", 4, ASKED, partition=2)])
    (call,) = found.interactions.values()
    assert (call.outcome, call.cost) == ("ok", 600 * 150_000 + 400 * 75_000 + 100 * 600_000)
    assert found.records == {"requests": 2, "responses": 1}
    assert found.repeats == {"requests": 1}
    (window,) = found.windows(60).values()
    assert window == Totals(1, 1, 0, 1_000, 100, 400, call.cost)


def test_what_is_no_event_is_dead_and_what_answers_nothing_an_orphan() -> None:
    found = expected([record("requests", 0, {}), record("responses", 1, SAID), record("responses", 2, SAID)])
    assert found.dead == {("requests", 0, 0)}
    assert found.orphans == {"a": {("responses", 0, 1), ("responses", 0, 2)}}


def test_the_traffic_is_the_same_for_the_same_seed_and_has_everything_in_it() -> None:
    records = list(ChaosTraffic("t", 4_000, 400.0, 1_790_000_000.0, 6).records())
    assert records == list(ChaosTraffic("t", 4_000, 400.0, 1_790_000_000.0, 6).records())
    assert [r.at for r in records] == sorted(r.at for r in records)
    assert {r.codec for r in records} == {None, "gzip", "snappy", "lz4", "zstd"}
    found = expected(Stored(r.topic, 0, n, r.key, r.value, r.at) for n, r in enumerate(records))
    assert len(found.interactions) == 4_000
    assert {call.outcome for call in found.interactions.values()} == {"ok", "unanswered"}
    assert all(found.repeats[kind] for kind in ("requests", "responses", "feedback", "evaluations"))
    assert len(found.dead) == 40
    assert len(found.orphans) == 27
