"""The dashboard and the boards over the real engine: every query answers, hostile text stays text, switches reach the topic."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from aiohttp.test_utils import TestClient, TestServer

from deploy.cli.controls import read_controls
from deploy.dashboard.queries import DIMENSIONS, QUERIES
from deploy.dashboard.server import Options, application
from deploy.monitoring.boards import BOARDS, document
from tests.installation import NOW, Installation, Sent, request, response, unique

T = TypeVar("T")
HOSTILE = "<img src=x onerror=alert(1)>\u202egnp.exe</script>"


def on_dashboard(mirante: Installation, do: Callable[[TestClient[Any, Any]], Awaitable[T]]) -> T:
    """What ``do`` gets from a dashboard over the installation."""

    async def run() -> T:
        options = Options(mirante.stack.settings, token="right", workers=mirante.stack.metrics_urls)
        async with TestClient(TestServer(application(options))) as client:
            return await do(client)

    return asyncio.run(run())


async def rows(client: TestClient[Any, Any], name: str, **parameters: object) -> list[dict[str, Any]]:
    answer = await client.get(f"/api/query/{name}", params={key: str(value) for key, value in parameters.items()})
    body = await answer.json()
    assert answer.status == 200, body
    names = [column["name"] for column in body["meta"]]
    return [dict(zip(names, row, strict=True)) for row in body["data"]]


SPAN = {"since": int(NOW.timestamp()) - 3600, "until": int(NOW.timestamp()) + 3600}


@pytest.fixture
def call(mirante: Installation) -> dict[str, str]:
    """A call of a tenant of its own, with hostile names and text, in ClickHouse."""
    number, tenant = unique("dash"), unique("tenant")
    common = {"tenant": tenant, "session_id": f"s-{number}"}
    asked = request(number, feature=HOSTILE, user_id="u-1", messages=[{"role": "user", "content": HOSTILE}], **common)
    said = response(number, output=HOSTILE * 100, **common)
    mirante.publish([Sent("requests", asked, f"s-{number}"), Sent("responses", said, f"s-{number}")])
    sql = "SELECT sum(requests) FROM mirante.cost_windows WHERE tenant = {tenant:String} GROUP BY window_seconds"
    mirante.eventually(sql, [(1,)] * 4, tenant=tenant)
    return {"tenant": tenant, "id": f"r-{number}"}


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_answers(mirante: Installation, name: str) -> None:
    names = {param.name for param in QUERIES[name].params}
    parameters = {key: value for key, value in SPAN.items() if key in names}

    async def ask(client: TestClient[Any, Any]) -> None:
        await rows(client, name, **parameters)
        if "by" in names:
            for dimension in DIMENSIONS:
                await rows(client, name, **parameters, by=dimension)

    on_dashboard(mirante, ask)


def test_sums_are_those_of_the_call(mirante: Installation, call: dict[str, str]) -> None:
    async def ask(client: TestClient[Any, Any]) -> list[dict[str, Any]]:
        return await rows(client, "totals", **SPAN, tenant=call["tenant"])

    (total,) = on_dashboard(mirante, ask)
    assert (total["requests"], total["ok"], total["input_tokens"], total["output_tokens"]) == (1, 1, 1000, 100)
    assert total["cost_usd"] == pytest.approx(0.00021)
    assert total["latency_p50_ms"] == pytest.approx(1000, rel=0.01)


AGES = (280_000, 200_000, 90_000, 86_000, 4_000, 50, 20)


@pytest.fixture(scope="module")
def days(mirante: Installation) -> str:
    """The tenant of calls of four days (`AGES` seconds before noon), each with its latency, one of them without one."""
    tenant = unique("tenant")
    sent = []
    for n, age in enumerate(AGES):
        number = unique("day")
        common = {"tenant": tenant, "session_id": f"s-{number}"}
        times = {"latency_ms": 100 * (n + 1), "ttft_ms": 10 * (n + 1)} if n else {"latency_ms": None, "ttft_ms": None}
        asked, said = request(number, at=-age, **common), response(number, at=1 - age, **times, **common)
        sent += [Sent("requests", asked, f"s-{number}"), Sent("responses", said, f"s-{number}")]
    mirante.publish(sent)
    whole = "SELECT sum(requests) FROM mirante.cost_windows WHERE window_seconds = 60 AND tenant = {tenant:String}"
    mirante.eventually(whole, [(len(AGES),)], tenant=tenant)
    return tenant


def test_a_period_read_from_days_hours_and_minutes_is_that_of_its_minutes(mirante: Installation, days: str) -> None:
    # Given calls of four days; when it is asked about a period that begins and ends within an hour
    tenant = days
    span = {"since": int(NOW.timestamp()) - 210_000, "until": int(NOW.timestamp()) + 100}

    async def ask(client: TestClient[Any, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        return await rows(client, "totals", **span, tenant=tenant), await rows(client, "breakdown", **span, tenant=tenant)

    (total,), (whole, feature) = on_dashboard(mirante, ask)
    # Then every figure is that of its minutes
    quantiles = ", ".join(
        f"mirante_quantile(sumMap({of}_bins, {of}_counts).1, sumMap({of}_bins, {of}_counts).2, {q})"
        for of in ("latency", "ttft")
        for q in (0.5, 0.99)
    )
    sql = (
        f"SELECT sum(requests), toFloat64(sum(cost_usd)), {quantiles} FROM mirante.cost_windows WHERE window_seconds = 60"
        f" AND tenant = '{tenant}' AND window_start >= toDateTime({span['since']}) AND window_start < toDateTime({span['until']})"
    )
    (expected,) = mirante.query(sql)
    names = ("requests", "cost_usd", "latency_p50_ms", "latency_p99_ms", "ttft_p50_ms", "ttft_p99_ms")
    assert expected[0] == len(AGES) - 1
    assert tuple(total[name] for name in names) == pytest.approx(expected)
    assert tuple(feature[name] for name in names) == pytest.approx(expected)
    assert whole["whole"] and {**whole, **total} == whole


def test_hostile_text_is_data_and_never_markup(mirante: Installation, call: dict[str, str]) -> None:
    async def ask(client: TestClient[Any, Any]) -> tuple[Any, list[dict[str, Any]]]:
        answer = await client.get("/api/story", params={"id": call["id"]})
        assert answer.content_type == "application/json"
        return await answer.json(), await rows(client, "breakdown", **SPAN, tenant=call["tenant"])

    story, breakdown = on_dashboard(mirante, ask)
    assert story["kind"] == "response_id"
    assert story["calls"][0]["output"] == HOSTILE * 100
    assert [(row["whole"], row["value"]) for row in breakdown] == [(1, ""), (0, HOSTILE)]


def test_a_switch_reaches_the_topic_with_its_reason(mirante: Installation) -> None:
    scope = f"feature:{unique('stopped')}"
    wanted = {"scope": scope, "action": "throttle", "limit": 5, "lasts": "30m", "reason": "a test of the page"}

    async def ask(client: TestClient[Any, Any]) -> int:
        answer = await client.post("/api/switches", json=wanted, headers={"Authorization": "Bearer right"})
        return answer.status

    assert on_dashboard(mirante, ask) == 200
    state, _faults = asyncio.run(read_controls(mirante.stack.settings))
    (control,) = [control for control in state if control.scope == scope]
    assert (control.action, control.limit, control.reason) == ("throttle", 5, "a test of the page")
    assert control.expires_at is not None
    assert control.expires_at.timestamp() == pytest.approx(time.time() + 1800, abs=60)


def test_what_is_about_workers_and_budgets_answers(mirante: Installation) -> None:
    async def ask(client: TestClient[Any, Any]) -> list[Any]:
        paths = ("/api/about", "/api/budgets", "/api/learning", "/api/checklist", "/api/workers")
        return [await (await client.get(path)).json() for path in paths]

    about, budgets, learned, checklist, workers = on_dashboard(mirante, ask)
    assert about["labels"] is False
    assert budgets["budgets"] == []
    assert "series" in learned
    assert {item["state"] for item in checklist["items"]} <= {"yes", "no", "unknown"}
    assert [worker["ready"] for worker in workers["workers"]] == [True]


def expanded(sql: str, begin: int = SPAN["since"], end: int = SPAN["until"], interval: int = 60, **chosen: str) -> str:
    """A panel's SQL as the ClickHouse plugin sends it for a period; macros by its documentation."""
    for column in ("window_start", "time", "starts_at"):
        sql = sql.replace(
            f"$__timeFilter({column})", f"{column} >= toDateTime({begin}) AND {column} <= toDateTime({end})"
        ).replace(f"$__timeInterval({column})", f"toStartOfInterval(toDateTime({column}), INTERVAL {interval} second)")
    sql = sql.replace("$__fromTime", f"toDateTime({begin})").replace("$__toTime", f"toDateTime({end})")
    sql = sql.replace("$__interval_s", str(interval))
    for name in ("tenant", "feature", "model"):
        sql = sql.replace(f"${{{name}:singlequote}}", chosen.get(name, "'a', 'it''s'"))
    assert "$" not in sql, sql
    return sql


PANELS = {panel.title: panel.sql for board in BOARDS for panel in board.panels}
NOON = int(NOW.timestamp())


@pytest.mark.parametrize("interval", [60, 1_800, 3_600, 10_800, 86_400])
@pytest.mark.parametrize("span", [(-280_060, 60), (-210_000, 100), (-90_000, -50), (-86_400, 0), (-3_600, 0), (-100, 0)])
def test_a_panel_of_grafana_reads_long_windows_and_gives_what_minutes_give(
    mirante: Installation, days: str, interval: int, span: tuple[int, int]
) -> None:
    begin, end = NOON + span[0], NOON + span[1]
    (one,) = mirante.query(f"SELECT any(feature), any(model) FROM mirante.cost_windows WHERE tenant = '{days}'")
    chosen = {"tenant": f"'{days}'", "feature": f"'{one[0]}'", "model": f"'{one[1]}'"}
    minutes = (
        f"FROM mirante.cost_windows WHERE window_seconds = 60 AND tenant = '{days}'"
        f" AND window_start >= toDateTime({begin}) AND window_start <= toDateTime({end})"
    )
    step = f"toStartOfInterval(window_start, INTERVAL {interval} second) AS time"
    merged = "mirante_quantile(sumMap(latency_bins, latency_counts).1, sumMap(latency_bins, latency_counts).2, {})"
    quantiles = ", ".join(merged.format(q) for q in (0.5, 0.95, 0.99))
    wanted = {
        "Requests": f"SELECT sum(requests) {minutes}",
        "Spend": f"SELECT toFloat64(sum(cost_usd)) {minutes}",
        "Tokens": f"SELECT {step}, sum(input_tokens), sum(output_tokens), sum(cache_read_tokens) {minutes} GROUP BY time ORDER BY time",
        "Latency": f"SELECT {step}, {quantiles} {minutes} GROUP BY time HAVING sum(length(latency_bins)) > 0 ORDER BY time",
    }
    for title, sql in wanted.items():
        assert mirante.query(expanded(PANELS[title], begin, end, interval, **chosen)) == mirante.query(sql), title


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_every_panel_of_grafana_asks_what_the_engine_answers(mirante: Installation, board: Any) -> None:
    whole = document(board)
    statements = [target["rawSql"] for panel in whole["panels"] for target in panel["targets"] if "rawSql" in target]
    statements += [variable["query"]["rawSql"] for variable in whole["templating"]["list"]]
    statements += [mark["target"]["rawSql"] for mark in whole["annotations"]["list"]]
    for statement in statements:
        mirante.query(expanded(statement))
    assert json.dumps(whole)
