"""`mirante doctor --prices` on the real engine: what was not priced this week, why, and the lines to paste."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.pricing import PriceBook, read_overrides
from agents.pricing.paste import price_lines
from deploy.cli.unpriced import Lacking, described, lacking
from schemas.migrate import migrate
from schemas.rows import InteractionRow
from tests.pipeline.test_migrations import open_engine

pytest.importorskip("chdb")

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def call(name: str, **fields: Any) -> InteractionRow:
    known: dict[str, Any] = {
        "time": NOON, "request_id": name, "version": 2, "outcome": "ok", "operation": "chat", "provider": "acme",
        "model": "acme-1", "input_tokens": 1_000, "output_tokens": 100, "cost_source": "unknown",
    }  # fmt: skip
    return InteractionRow(**known | fields)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Lacking]]:
    with open_engine(tmp_path_factory.mktemp("engine")) as engine:
        migrate(engine)
        engine.insert(rows())
        yield {one.model: one for one in lacking(engine.rows, PriceBook())}


def rows() -> list[InteractionRow]:
    return [
        *(call(f"a{at}") for at in range(3)),
        call("a-old", time=NOON - timedelta(days=8)),
        call("priced", provider="openai", model="gpt-4o", cost_source="computed", cost_usd="0.0035"),
        call("tier", provider="openai", model="gpt-5", service_tier="scale"),
        call(
            "fee", provider="anthropic", model="claude-sonnet-4-5", cost_source="partial", cost_usd="0.0045",
            usage_requests={"code_execution": 2},
        ),
        call(
            "odd", provider="openai", model="gpt-4.1", cost_source="partial", cost_usd="0.0028",
            usage_unknown=["usage.video_tokens"],
        ),
        call("silent", provider="openai", model="gpt-4o-mini", input_tokens=None, output_tokens=None),
        call("failed", provider="openai", model="o3", input_tokens=None, output_tokens=None, outcome="api_error"),
        call("by-now", provider="mistral", model="mistral-large-2512"),
    ]  # fmt: skip


def test_a_model_without_a_price_has_its_calls_its_tokens_and_the_lines_to_paste(found: dict[str, Lacking]) -> None:
    one = found["acme-1"]
    assert (one.provider, one.unpriced, one.partial, one.tokens) == ("acme", 3, 0, 3_300)
    assert one.reasons == ["no price list of acme is known"]
    assert one.paste == price_lines("acme", "acme-1")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("gpt-5", "the tier scale has no listed price"),
        ("claude-sonnet-4-5", "there is no price for a code_execution"),
        ("gpt-4.1", "not understood: usage.video_tokens"),
        ("gpt-4o-mini", "the service reports no usage"),
    ],
)
def test_it_says_why(found: dict[str, Lacking], model: str, reason: str) -> None:
    assert found[model].reasons == [reason]


def test_a_price_is_not_asked_for_where_the_usage_is_missing(found: dict[str, Lacking]) -> None:
    assert found["gpt-4o-mini"].paste == "" and found["gpt-4o-mini"].unpriced == 1


def test_a_model_that_has_a_price_by_now_is_said_to_have_one(found: dict[str, Lacking]) -> None:
    assert found["mistral-large-2512"].reasons == [] and found["mistral-large-2512"].paste == ""
    assert "has a price by now" in described([found["mistral-large-2512"]])


def test_what_is_priced_or_was_not_billed_is_not_listed(found: dict[str, Lacking]) -> None:
    assert {"gpt-4o", "o3"}.isdisjoint(found)


def test_the_most_frequent_come_first_and_the_text_holds_everything(found: dict[str, Lacking]) -> None:
    text = described(list(found.values()))
    assert next(iter(found)) == "acme-1"
    assert "acme-1 (provider acme): 3 calls without a price, 0 priced in part, 3,300 tokens" in text
    assert '    model = "acme-1"' in text


def test_a_price_in_the_settings_ends_it() -> None:
    priced = PriceBook(read_overrides([{"model": "acme-1", "input_per_mtok": 1, "output_per_mtok": 2}]))

    def query(sql: str) -> list[tuple[Any, ...]]:
        if "LIMIT 200 BY" in sql:
            return [("acme", "acme-1", NOON, 1, 1, *[None] * 8, {}, [], "", "")]
        return [("acme", "acme-1", 1, 0, 2, NOON, NOON)]

    (one,) = lacking(query, priced)
    assert one.reasons == []
    assert described([]) == "Every call of the last seven days has a whole price."
