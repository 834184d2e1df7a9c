"""The price table: what calls cost, worked out by hand from the prices that providers publish.

`prices.tsv` has one call a line: provider and model as somebody writes them, day, time of day, tier and region, the usage,
what it costs, what is expected of `cost_source`, and where the price comes from. What it costs is stated as terms:
`1000*2.5` is a thousand tokens at 2.50 USD per million, `5@0.01` five requests at a cent, `x1.1` a factor of the token
terms. The arithmetic here is Decimal's; nothing of it is Mirante's.
"""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date, time
from decimal import Decimal
from pathlib import Path

import pytest

from agents.pricing import PriceBook, Tokens

ROWS = list(csv.DictReader(Path(__file__).with_name("prices.tsv").open(), dialect="excel-tab"))

_FIELDS = {
    "in": "input",
    "out": "output",
    "read": "cache_read",
    "write": "cache_write",
    "write_1h": "cache_write_1h",
    "reasoning": "reasoning",
    "audio_in": "input_audio",
    "audio_out": "output_audio",
    "image_in": "input_image",
    "image_out": "output_image",
}


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook()


def usage_of(text: str) -> Tokens:
    """`in=1000 out=100 web_search=2 ?`: counts by their names, and `?` for what nobody understood."""
    tokens, requests, understood = {}, [], True
    for item in text.split():
        name, _, count = item.partition("=")
        if item == "?":
            understood = False
        elif name in _FIELDS:
            tokens[_FIELDS[name]] = int(count)
        else:
            requests.append((name, int(count)))
    return Tokens(**tokens, requests=tuple(sorted(requests)), understood=understood)


def dollars(terms: str) -> Decimal:
    tokens, fees, factor = Decimal(0), Decimal(0), Decimal(1)
    for term in terms.split():
        if term.startswith("x"):
            factor *= Decimal(term[1:])
        elif "@" in term:
            count, usd = term.split("@")
            fees += int(count) * Decimal(usd)
        else:
            count, per_million = term.split("*")
            tokens += int(count) * Decimal(per_million) / 1_000_000
    return tokens * factor + fees


@pytest.mark.parametrize("row", ROWS, ids=[f"{at}-{row['provider']}-{row['model']}" for at, row in enumerate(ROWS, 2)])
def test_a_call_costs_what_the_provider_lists(book: PriceBook, row: dict[str, str]) -> None:
    cost = book.price(
        row["provider"] or None,
        row["model"],
        date.fromisoformat(row["day"]),
        usage_of(row["usage"]),
        row["tier"] or None,
        at=time.fromisoformat(row["time"]) if row["time"] else None,
        region=row["region"] or None,
    )
    usd = None if cost.picodollars is None else Decimal(cost.picodollars).scaleb(-12)
    expected = None if row["source"] == "unknown" else dollars(row["terms"])
    assert (usd, cost.source) == (expected, row["source"]), row["from"]


def test_the_table_is_large_and_every_row_says_where_its_price_comes_from() -> None:
    sources = Counter(row["source"] for row in ROWS)
    assert len(ROWS) >= 300 and sources["unknown"] >= 40 and sources["partial"] >= 20
    assert len({row["provider"] for row in ROWS}) >= 12
    assert all(row["from"].strip() for row in ROWS)
    calls = Counter(tuple(row[key] for key in row if key not in ("terms", "source", "from")) for row in ROWS)
    assert [call for call, count in calls.items() if count > 1] == []
