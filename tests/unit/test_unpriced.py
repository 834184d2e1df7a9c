"""UnpricedModel: one condition per model with its first calls, whatever the rate, until it has a price."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from agents.alerts.settings import AlertSettings
from agents.alerts.state import AlertsState
from agents.anomaly.settings import AnomalySettings
from agents.anomaly.state import AnomalyState
from agents.anomaly.unpriced import MOST, UnpricedModels
from agents.detectors.pace import SECONDS
from agents.pricing import read_overrides
from agents.pricing.paste import price_lines
from schemas.aggregates import OUTCOME_INDEX, Aggregate, Contribution, Series
from schemas.findings import Finding, Findings
from schemas.outputs import Alert
from schemas.partials import Part
from streams.effects import Effects
from tests.unit.builders import SOURCE, FakeBatch, Record
from tests.unit.said import said
from tests.unit.test_anomaly_state import message

START = 1_788_739_200
HOUR = 3_600
DAY = 24 * HOUR
OK = OUTCOME_INDEX["ok"]


def series(model: str = "acme-1", feature: str = "chat", provider: str = "acme") -> Series:
    return Series("t", feature, "prod", provider, model, "a1", "live")


def calls(count: int = 1, *, price: int | None = None, partial: bool = False, tokens: int = 1_000) -> Aggregate:
    """`price`: picodollars, None if there is none."""
    found = Aggregate()
    used = (tokens, 0, 0, 0, 0)
    for at in range(count):
        found.add(Contribution(OK, used, price, 800.0, 200.0, price is None, f"r{at}", partial=partial))
    return found


def judged(models: UnpricedModels, end: int, *parts: tuple[Series, Aggregate]) -> list[Finding]:
    return list(models.judge(end, parts, {}, "anomaly"))


def told(found: Iterable[Finding]) -> list[tuple[str, bool]]:
    return [(finding.labels["model"], finding.active) for finding in found]


# --- when it is told -----------------------------------------------------------------------------------------------


def test_the_first_call_without_a_price_tells() -> None:
    models = UnpricedModels()
    (found,) = judged(models, START, (series(), calls()))
    assert found.name == "UnpricedModel" and found.active and found.severity == "ticket"
    assert found.labels == {"provider": "acme", "model": "acme-1"}
    assert found.since == START - SECONDS


@pytest.mark.parametrize("every", [30, 60, 300, 3_600])
def test_a_slow_model_is_one_condition_that_holds_all_day(every: int) -> None:
    # Given: one call every so many seconds for a day
    models = UnpricedModels()
    found: list[Finding] = []
    for end in range(START, START + DAY, SECONDS):
        parts = [(series(), calls())] if (end - START) % every == 0 else []
        found += judged(models, end, *parts)
    # Then: it never ceases, and is told of often enough that nobody takes it for over
    assert all(finding.active for finding in found)
    moments = [finding.time for finding in found]
    assert max(b - a for a, b in pairwise(moments)) <= 300
    assert found[-1].requests == DAY // every


def test_thirty_models_with_four_calls_each_are_thirty_conditions() -> None:
    models = UnpricedModels()
    found = judged(models, START, *[(series(f"m-{at}"), calls(4)) for at in range(30)])
    assert sorted(told(found)) == sorted((f"m-{at}", True) for at in range(30))
    assert {finding.requests for finding in found} == {4}


def test_features_that_use_one_model_are_one_condition() -> None:
    models = UnpricedModels()
    found = judged(models, START, (series(feature="chat"), calls(2)), (series(feature="search"), calls(3)))
    assert [finding.requests for finding in found] == [5]
    assert said(found[0])["description"].startswith("Features: chat, search.")


def test_priced_calls_tell_nothing() -> None:
    models = UnpricedModels()
    assert judged(models, START, (series(), calls(1_000, price=10**9))) == []


def test_calls_that_report_no_usage_are_told_of_only_when_they_are_more_than_a_few() -> None:
    # Given: a model with a price, one in a hundred of whose streams reports no usage
    models = UnpricedModels()
    few: list[Finding] = []
    for at in range(100):
        few += judged(models, START + at * SECONDS, (series(), calls(99, price=10**9)), (series(), calls(1, tokens=0)))
    assert few == []
    # When: none does any more
    found = judged(UnpricedModels(), START, (series(), calls(20, tokens=0)))
    assert [finding.active for finding in found] == [True]
    assert "without their usage" in said(found[0])["summary"] and "[[prices]]" not in said(found[0])["action"]


# --- what it says --------------------------------------------------------------------------------------------------


def test_it_says_how_many_calls_and_tokens_and_gives_the_lines_to_paste() -> None:
    models = UnpricedModels()
    judged(models, START, (series(), calls(3, tokens=2_000)))
    (found,) = judged(models, START + SECONDS, (series(), calls(1)))
    assert "4 calls without a known price" in said(found)["summary"] and "(7,000 tokens)" in said(found)["summary"]
    assert found.requests == 4 and found.detail["tokens"] == 7_000
    assert price_lines("acme", "acme-1") in said(found)["action"]
    assert found.response_ids == ["r0", "r2"]


def test_a_part_of_a_price_is_told_of_as_a_lower_bound() -> None:
    models = UnpricedModels()
    (found,) = judged(models, START, (series(), calls(2, price=10**9, partial=True)))
    assert found.severity == "info" and "lower bound" in said(found)["summary"]
    assert found.detail["partial"] == 2 and found.detail["unpriced"] == 0
    (worse,) = judged(models, START + SECONDS, (series(), calls(1)))
    assert worse.severity == "ticket" and "1 call without a known price" in said(worse)["summary"]


@pytest.mark.parametrize("model", ["acme-1", 'quo"ted', "back\\slash", "tab\tbed", "modèle-é", "del\x7f"])
def test_the_lines_are_toml_for_any_name_and_price_nothing_until_they_are_filled_in(model: str) -> None:
    lines = price_lines("acme", model)
    (row,) = tomllib.loads(lines)["prices"]
    assert (row["model"], row["provider"]) == (model, "acme")
    with pytest.raises(ValueError, match=r"\[\[prices\]\].*input_per_mtok"):
        read_overrides([row])
    assert read_overrides([{**row, "input_per_mtok": 1, "output_per_mtok": 2}])


# --- when it is over -----------------------------------------------------------------------------------------------


def test_it_is_over_when_the_model_has_a_price() -> None:
    models = UnpricedModels()
    judged(models, START, (series(), calls(100)))
    found: list[Finding] = []
    for at in range(1, 10):
        found += judged(models, START + at * SECONDS, (series(), calls(5, price=10**9)))
    assert [finding.active for finding in found] == [False]
    assert models.all() == []


def test_it_is_over_a_day_after_the_last_call() -> None:
    models = UnpricedModels()
    judged(models, START, (series(), calls()))
    found = [f for end in range(START + SECONDS, START + DAY + HOUR, SECONDS) for f in judged(models, end)]
    over = [finding for finding in found if not finding.active]
    assert [finding.time for finding in over] == [START + DAY]


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_a_model_of_which_some_calls_have_no_price_does_not_come_and_go(share: float) -> None:
    models, dice = UnpricedModels(), random.Random(7)
    found: list[Finding] = []
    for at in range(4_000):
        lacking = sum(dice.random() < share for _ in range(5))
        parts = [(series(), calls(5 - lacking, price=10**9)), (series(), calls(lacking))]
        found += judged(models, START + at * SECONDS, *parts)
    assert found and all(finding.active for finding in found)


def test_memory_is_bounded_and_what_is_forgotten_is_withdrawn() -> None:
    models = UnpricedModels()
    found: list[Finding] = []
    for at in range(MOST + 50):
        found += judged(models, START + at * SECONDS, (series(f"m-{at:04}"), calls()))
    assert len(models.all()) == MOST
    assert [model for model, active in told(found) if not active] == [f"m-{at:04}" for at in range(50)]


# --- state -------------------------------------------------------------------------------------------------------------


def batch(topic: str, *values: bytes) -> FakeBatch:
    records = [Record(topic, 0, at, 0, None, value, ()) for at, value in enumerate(values)]
    return FakeBatch(topic, 0, records, len(records))


def anomaly_state(partition: int = 0, sources: int = 1) -> AnomalyState:
    return AnomalyState(partition, SOURCE, "llm.internal.findings", AnomalySettings(), sources)


def a_call_a_minute(minutes: int, first: int = 0, **who: Any) -> Iterator[bytes]:
    for at in range(first, first + minutes):
        time = START + at * 60
        yield msgspec.msgpack.encode(message([Part(0, time, series(**who), calls())], float(time + 60)))


def read(state: AnomalyState, messages: FakeBatch, effects: Effects) -> None:
    """As a worker does."""
    state.apply(messages, effects)
    while state.proceed(effects):
        pass


def findings_of(effects: Effects) -> list[Finding]:
    messages = [msgspec.msgpack.decode(m.value, type=Findings) for m in effects.messages]
    return [f for one in messages for f in one.findings if f.name == "UnpricedModel"]


def test_a_state_that_was_stopped_and_restored_says_the_same() -> None:
    # Given: two hours of one call a minute, told by one state from start to end
    whole, effects = anomaly_state(), Effects()
    inputs = list(a_call_a_minute(120))
    for value in inputs:
        read(whole, batch("p", value), effects)
    expected = [msgspec.json.encode(f) for f in findings_of(effects)]
    assert expected
    # When: another stops after each message and is restored, from its changes or from a snapshot
    for how in ("changes", "snapshot"):
        state, effects, pieces = anomaly_state(), Effects(), list[bytes]()
        for value in inputs:
            read(state, batch("p", value), effects)
            if how == "snapshot":
                pieces = list(state.snapshot())
            elif (piece := state.changes()) is not None:
                pieces.append(piece)
            state = anomaly_state()
            for piece in pieces:
                state.load(piece)
        # Then
        assert [msgspec.json.encode(f) for f in findings_of(effects)] == expected


def test_a_model_in_two_partitions_is_one_alert() -> None:
    """Features of one model may lie in two partitions; people hear of the model once, and once when it is over."""
    alerts = AlertsState("llm.alerts", 2, AlertSettings(), SOURCE)
    effects = Effects()
    for at in range(12):  # a call a minute in both, then a day without any
        for partition, feature in enumerate(("chat", "search")):
            models = PARTITIONS.setdefault(partition, UnpricedModels())
            end = START + (at + 1) * 60
            found = list(models.judge(end, [(series(feature=feature), calls())], {"shard": str(partition)}, "anomaly"))
            value = Findings(agent="anomaly", partition=partition, clock=float(end), findings=found)
            alerts.apply(batch("f", msgspec.msgpack.encode(value)), effects)
    shown = [msgspec.json.decode(m.value, type=Alert) for m in effects.messages if m.value is not None]
    assert {alert.labels["model"] for alert in shown} == {"acme-1"}
    assert len({alert.alert_id for alert in shown}) == 1
    assert "at least" in shown[0].annotations["summary"]


PARTITIONS: dict[int, UnpricedModels] = {}
