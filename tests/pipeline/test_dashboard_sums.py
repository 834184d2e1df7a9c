"""One query gives what two gave: sums of all beside sums by group, held to plain SQL on the engine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from deploy.dashboard.params import read_params
from deploy.dashboard.queries import DIMENSIONS, QUERIES
from schemas.migrate import migrate
from schemas.rows import DATABASE
from tests.pipeline.test_migrations import Engine, open_engine

pytest.importorskip("chdb")

DAY = 1_772_323_200
"""2026-03-01, epoch seconds."""
SPAN = {"since": str(DAY - 7_000), "until": str(DAY + 3 * 86_400 + 500)}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Parts of windows and labels of four days and two features, superseded versions among them."""
    with open_engine(tmp_path_factory.mktemp("engine")) as opened:
        migrate(opened)
        insert(opened, "cost_parts", parts())
        insert(opened, "labels_data", labels())
        yield opened


def insert(engine: Engine, table: str, rows: list[dict[str, Any]]) -> None:
    engine._call("raw_insert", f"{DATABASE}.{table}", insert_block=msgspec.json.Encoder().encode_lines(rows), fmt="JSONEachRow")


def parts() -> list[dict[str, Any]]:
    """A call every 1,000 seconds, in its minute, hour and day: what was known of it first, and then all."""
    found = []
    for seconds in (60, 3_600, 86_400):
        windows: dict[tuple[int, str], list[int]] = {}
        for n, at in enumerate(range(DAY - 86_400, DAY + 4 * 86_400, 1_000)):
            windows.setdefault((at // seconds * seconds, "ab"[n % 3 == 0]), []).append(n)
        for (start, feature), calls in windows.items():
            for version, counted in ((len(calls), calls[:1]), (2 * len(calls), calls)):
                found.append({
                    "window_start": start, "window_seconds": seconds, "feature": feature, "model": "m", "source": "kafka",
                    "source_partition": 0, "segment": 1, "version": version, "requests": len(counted), "ok": len(counted),
                    "input_tokens": sum(n % 7 for n in counted), "cost_usd": f"0.{len(counted):06}",
                    "latency_bins": sorted({n % 50 for n in counted}),
                    "latency_counts": [sum(m % 50 == n for m in counted) for n in sorted({n % 50 for n in counted})],
                })  # fmt: skip
    return found


def labels() -> list[dict[str, Any]]:
    return [
        {"time": DAY + n * 500, "label_id": f"l-{n}", "response_id": f"r-{n}", "version": version,
         "label": "positive" if n % 3 else "negative", "score": n % 10 / 10 if version == 2 else 0.5,
         "feature": "ab"[n % 2], "model": "m", "explicit": n % 5 == 0}
        for n in range(400)
        for version in (1, 2)
    ]  # fmt: skip


def ask(engine: Engine, name: str, **given: str) -> list[dict[str, Any]]:
    query = QUERIES[name]
    values = read_params(query.params, {**SPAN, **given})
    sql = query.statement(values)
    for key, value in query.bound(values).items():
        for kind in ("String", "UInt32"):
            sql = sql.replace(f"{{{key}:{kind}}}", f"'{value}'" if kind == "String" else str(value))
    names = [row[0] for row in engine.rows(f"DESCRIBE ({sql})")]
    return [dict(zip(names, row, strict=True)) for row in engine.rows(sql)]


def alike(one: Any, other: Any) -> bool:
    return math.isclose(one, other) if isinstance(one, float) and isinstance(other, float) else bool(one == other)


@pytest.mark.parametrize("by", DIMENSIONS)
def test_the_first_row_of_a_breakdown_is_the_total_and_the_others_add_up_to_it(engine: Engine, by: str) -> None:
    (total,) = ask(engine, "totals")
    whole, *groups = ask(engine, "breakdown", by=by)
    assert total["requests"] > 250
    assert all(alike(whole[name], value) for name, value in total.items())
    assert sum(row["requests"] for row in groups) == total["requests"]
    assert math.isclose(sum(row["cost_usd"] for row in groups), total["cost_usd"])


def test_each_row_of_a_breakdown_is_the_total_of_its_feature(engine: Engine) -> None:
    _, *groups = ask(engine, "breakdown", by="feature")
    assert {row["value"] for row in groups} == {"a", "b"}
    for row in groups:
        (total,) = ask(engine, "totals", feature=row["value"])
        assert all(alike(row[name], total[name]) for name in total.keys() - {"value"})


@pytest.mark.parametrize("by", DIMENSIONS)
def test_what_was_spent_is_what_the_breakdown_says(engine: Engine, by: str) -> None:
    names = ("value", "whole", "requests", "cost_usd")
    spent, broken = ask(engine, "spent", by=by), ask(engine, "breakdown", by=by)
    assert [[row[name] for name in names] for row in spent] == [[row[name] for name in names] for row in broken]


def test_satisfaction_over_time_and_by_feature_is_that_of_the_last_versions(engine: Engine) -> None:
    rows = ask(engine, "satisfaction")
    figures = "count(), avg(score), countIf(label = 'positive'), countIf(label = 'negative'), countIf(explicit)"
    names = ("answers", "satisfaction", "positive", "negative", "explicit")
    period = f"FROM mirante.labels WHERE time >= toDateTime({SPAN['since']}) AND time < toDateTime({SPAN['until']})"
    step = 3_600
    over_time = engine.rows(
        f"SELECT toUnixTimestamp(toStartOfInterval(time, INTERVAL {step} SECOND)) AS t, {figures} {period} GROUP BY t ORDER BY t"
    )
    by = engine.rows(f"SELECT feature, model, {figures} {period} GROUP BY feature, model ORDER BY count() DESC, feature")
    told = [row for row in rows if row["over_time"]]
    assert len(told) == len(over_time) > 50
    for row, expected in zip(told, over_time, strict=True):
        assert all(alike(row[name], value) for name, value in zip(("t", *names), expected, strict=True))
    others = sorted((row for row in rows if not row["over_time"]), key=lambda row: row["feature"])
    assert [row["feature"] for row in others] == ["a", "b"]
    for row, expected in zip(others, sorted(by), strict=True):
        assert all(alike(row[name], value) for name, value in zip(("feature", "model", *names), expected, strict=True))


def test_hours_and_days_read_alone_are_those_of_all_windows(engine: Engine) -> None:
    columns = [row[:2] for row in engine.rows("DESCRIBE mirante.cost_windows")]
    assert [row[:2] for row in engine.rows("DESCRIBE mirante.cost_windows_long")] == columns
    found = engine.rows("SELECT * FROM mirante.cost_windows_long ORDER BY ALL")
    assert len(found) > 100
    assert found == engine.rows("SELECT * FROM mirante.cost_windows WHERE window_seconds >= 3600 ORDER BY ALL")
