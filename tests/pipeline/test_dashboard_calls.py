"""What pages say of many calls is what the view of interactions says, whatever has been written twice or superseded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from deploy.dashboard.params import read_params
from deploy.dashboard.queries import QUERIES
from schemas.migrate import migrate, migrations
from schemas.rows import DATABASE
from tests.pipeline.test_migrations import Engine, open_engine

pytest.importorskip("chdb")

DAY = 1_772_323_200
"""2026-03-01, epoch seconds."""
SPAN = {"since": str(DAY + 1_000), "until": str(DAY + 9 * 86_400)}
WITHIN = f"time >= toDateTime({SPAN['since']}) AND time < toDateTime({SPAN['until']})"
CALLS = 400


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Calls of ten days, half of them written before there was a table of calls; some first unanswered, some written twice."""
    with open_engine(tmp_path_factory.mktemp("engine")) as opened:
        before = [one for one in migrations() if one.name != "calls"]
        migrate(
            opened, before[: next(n for n, one in enumerate(migrations()) if one.name == "calls")]
        )
        insert(opened, [call(n, 1) for n in range(0, CALLS, 5)])
        insert(opened, [call(n, 2) for n in range(0, CALLS // 2, 2)])
        migrate(opened)
        insert(opened, [call(n, 2) for n in range(1, CALLS)])
        insert(opened, [call(n, 2) for n in range(0, CALLS, 7)])
        yield opened


def call(n: int, version: int) -> dict[str, Any]:
    """As it was known while unanswered (1) or then (2)."""
    row = {
        "time": f"{DAY + n * 2_160}.{n % 1_000:03}", "request_id": f"q-{n}", "version": version, "tenant": f"t-{n % 3}",
        "feature": "ab"[n % 2], "provider": "p", "model": f"m-{n % 2}", "user_id": f"u-{n % 9}" if n % 10 else "",
        "messages": f'[{{"role": "user", "content": "Question {n} of Zoë"}}]', "outcome": "unanswered", "cost_source": "unknown",
    }  # fmt: skip
    if version == 1:
        return row
    return row | {
        "response_id": f"r-{n}", "outcome": "ok" if n % 11 else "refusal", "input_tokens": n % 17 if n % 13 else None,
        "output_tokens": 5 if n % 13 else None, "cost_usd": f"0.{n * 37 % 1_000:03}" if n % 4 else None,
        "cost_source": "computed" if n % 4 else ("partial", "unknown")[n % 8 // 4], "latency_ms": n * 53 % 1_009,
        "json_valid": (None, True, False)[n % 3], "pii": "[]" if n % 6 else '[{"kind": "email"}]',
        "injection": "[]" if n % 25 else '[{"where": "user"}]', "output": f"Answer {n}: ÉTAPE {n % 20}",
    }  # fmt: skip


def insert(engine: Engine, rows: list[dict[str, Any]]) -> None:
    body = msgspec.json.Encoder().encode_lines(rows)
    settings = {"date_time_input_format": "best_effort", "input_format_null_as_default": 1}
    engine._call(
        "raw_insert",
        f"{DATABASE}.interactions_data",
        insert_block=body,
        fmt="JSONEachRow",
        settings=settings,
    )


def ask(engine: Engine, name: str, **given: str) -> list[dict[str, Any]]:
    query = QUERIES[name]
    values = read_params(query.params, {**SPAN, **given})
    sql = query.statement(values)
    for key, value in query.bound(values).items():
        for kind in ("String", "UInt32"):
            sql = sql.replace(f"{{{key}:{kind}}}", f"'{value}'" if kind == "String" else str(value))
    names = [row[0] for row in engine.rows(f"DESCRIBE ({sql})")]
    return [dict(zip(names, row, strict=True)) for row in engine.rows(sql)]


def test_the_table_of_calls_has_each_call_once_as_it_ended(engine: Engine) -> None:
    columns = "tenant, feature, provider, model, user_id, outcome, input_tokens, output_tokens, cost_usd, cost_source, json_valid"
    found = engine.rows(
        f"SELECT time, hash, {columns}, attack, personal FROM mirante.calls_data FINAL ORDER BY ALL"
    )
    assert len(found) == CALLS
    assert found == engine.rows(
        f"SELECT time, cityHash64(request_id), {columns}, injection != '[]', pii != '[]' FROM mirante.interactions ORDER BY ALL"
    )


def test_users_are_those_of_the_interactions(engine: Engine) -> None:
    found = ask(engine, "users", tenant="t-1")
    expected = engine.rows(
        "SELECT user_id, count(), toFloat64(sum(cost_usd)) AS usd, countIf(outcome != 'ok'), sum(input_tokens), sum(output_tokens)"
        f" FROM mirante.interactions WHERE {WITHIN} AND tenant = 't-1' AND user_id != '' GROUP BY user_id"
    )
    assert len(found) >= 3
    assert sorted(tuple(row.values()) for row in found) == sorted(map(tuple, expected))
    assert [row["usd"] for row in found] == sorted((row["usd"] for row in found), reverse=True)


def test_what_guards_found_is_that_of_the_interactions(engine: Engine) -> None:
    found = ask(engine, "guards", model="m-1")
    expected = engine.rows(
        "SELECT feature, count(), countIf(outcome = 'refusal'), countIf(injection != '[]'),"
        " countIf(json_valid = false), countIf(json_valid IS NOT NULL), countIf(pii != '[]')"
        f" FROM mirante.interactions WHERE {WITHIN} AND model = 'm-1' GROUP BY feature"
    )
    assert [tuple(row.values()) for row in found] == list(map(tuple, expected))
    assert all(row["refusals"] and row["invalid"] and row["attacks"] for row in found)


def test_calls_without_a_price_are_those_of_the_interactions(engine: Engine) -> None:
    found = ask(engine, "unpriced")
    expected = engine.rows(
        "SELECT provider, model, cost_source, count(), sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)),"
        f" toUnixTimestamp64Milli(min(time)) FROM mirante.interactions WHERE {WITHIN} AND cost_source IN ('unknown', 'partial')"
        " AND (input_tokens IS NOT NULL OR output_tokens IS NOT NULL) GROUP BY ALL"
    )
    assert {row["cost_source"] for row in found} == {"unknown", "partial"}
    assert sorted(tuple(row.values()) for row in found) == sorted(map(tuple, expected))


@pytest.mark.parametrize(
    ("given", "test"),
    [
        ({}, "1"),
        ({"outcome": "unanswered"}, "outcome = 'unanswered'"),
        ({"text": "étape 7"}, "output LIKE '%ÉTAPE 7%'"),
        ({"text": "of zoë"}, "1"),
        ({"flag": "attack", "feature": "b"}, "injection != '[]' AND feature = 'b'"),
        ({"user": "u-4", "tenant": "t-1"}, "user_id = 'u-4' AND tenant = 't-1'"),
        (
            {"flag": "unpriced"},
            "cost_source IN ('unknown', 'partial') AND input_tokens IS NOT NULL",
        ),
    ],
)
@pytest.mark.parametrize(
    ("order", "by"),
    [
        ("newest", "time DESC"),
        ("dearest", "cost_usd DESC NULLS LAST"),
        ("slowest", "latency_ms DESC NULLS LAST"),
    ],
)
def test_calls_are_found_as_they_are_now(
    engine: Engine, given: dict[str, str], test: str, order: str, by: str
) -> None:
    found = ask(engine, "calls", order=order, limit="50", **given)
    shown = by.partition(" ")[0]
    expected = engine.rows(
        f"SELECT request_id, outcome, toFloat64({shown}) FROM mirante.interactions WHERE {WITHIN} AND {test} ORDER BY {by}"
    )
    key = {"time": "ms", "cost_usd": "cost_usd", "latency_ms": "latency_ms"}[shown]
    divisor = 1_000 if key == "ms" else 1
    values = [None if row[key] is None else row[key] / divisor for row in found]
    assert values == [row[2] for row in expected][:50]
    assert {(row["request_id"], row["outcome"]) for row in found} <= {
        (row[0], row[1]) for row in expected
    }
    assert len({row["request_id"] for row in found}) == len(found)
    assert found or given == {"outcome": "unanswered"}
