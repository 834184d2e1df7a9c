"""What `[[prices]]` and `[[models]]` can say: every kind of price, where and for what size it holds, and which model an id is."""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal

import pytest

from agents.pricing import PICODOLLARS_PER_USD, Cost, PriceBook, Tokens, read_models, read_overrides
from deploy.registry import price_book
from streams.settings import Settings

DAY = date(2026, 11, 27)
MILLION = 1_000_000


def usd(amount: str) -> int:
    return int(Decimal(amount) * PICODOLLARS_PER_USD)


def book_of(text: str) -> PriceBook:
    tables = tomllib.loads(text)
    return PriceBook(read_overrides(tables.get("prices", [])), tables.get("tiers"), read_models(tables.get("models", [])))


WHOLE = """
[[prices]]
model = "acme-omni"
provider = "acme"
input_per_mtok = 1
output_per_mtok = 2
cache_read_per_mtok = 0.1
cache_write_per_mtok = 1.25
cache_write_1h_per_mtok = 2.5
reasoning_per_mtok = 3
input_audio_per_mtok = 10
output_audio_per_mtok = 20
input_image_per_mtok = 5
output_image_per_mtok = 40
per_request = { web_search = 0.01, rerank = 0.002 }
"""


@pytest.mark.parametrize(
    ("usage", "amount"),
    [
        (Tokens(MILLION, 0, input_audio=0, output_audio=0), "1"),
        (Tokens(MILLION, 0, cache_read=MILLION, input_audio=0), "0.1"),
        (Tokens(MILLION, 0, cache_write=MILLION, input_audio=0), "1.25"),
        (Tokens(MILLION, 0, cache_write=MILLION, cache_write_1h=MILLION, input_audio=0), "2.5"),
        (Tokens(0, MILLION, reasoning=MILLION, output_audio=0), "3"),
        (Tokens(MILLION, 0, input_audio=MILLION), "10"),
        (Tokens(0, MILLION, output_audio=MILLION), "20"),
        (Tokens(MILLION, 0, input_image=MILLION), "5"),
        (Tokens(0, MILLION, output_image=MILLION), "40"),
        (Tokens(0, 0, requests=(("rerank", 3), ("web_search_requests", 2))), "0.026"),
    ],
)
def test_every_kind_of_price_can_be_stated(usage: Tokens, amount: str) -> None:
    assert book_of(WHOLE).price("acme", "acme-omni", DAY, usage) == Cost(usd(amount), "override")


def test_prices_of_speech_that_are_stated_need_a_breakdown_as_listed_ones_do() -> None:
    assert book_of(WHOLE).price("acme", "acme-omni", DAY, Tokens(MILLION, MILLION)) == Cost(None, "unknown")


def test_audio_of_a_listed_model_keeps_its_listed_price_where_an_override_does_not_state_it() -> None:
    book = book_of('[[prices]]\nmodel = "gpt-realtime"\ninput_per_mtok = 3\noutput_per_mtok = 12')
    usage = Tokens(MILLION, MILLION, input_audio=MILLION, output_audio=0)
    assert book.price("openai", "gpt-realtime", DAY, usage) == Cost(usd("44"), "override")  # 32 listed, 12 stated


def test_an_hours_cache_write_of_a_claude_model_costs_twice_the_input_that_is_stated() -> None:
    book = book_of('[[prices]]\nmodel = "claude-*"\ninput_per_mtok = 2\noutput_per_mtok = 10\ncache_write_per_mtok = 2.5')
    usage = Tokens(MILLION, 0, cache_write=MILLION, cache_write_1h=MILLION)
    assert book.price("anthropic", "claude-sonnet-4-5", DAY, usage) == Cost(usd("4"), "override")


def test_fees_alone_are_added_to_the_listed_price() -> None:
    book = book_of('[[prices]]\nmodel = "gpt-4o"\nprovider = "azure"\nper_request = { web_search = 0.014 }')
    usage = Tokens(MILLION, 0, requests=(("web_search", 2),))
    assert book.price("azure", "gpt-4o", DAY, usage) == Cost(usd("2.528"), "override")
    assert book.price("azure", "gpt-5", DAY, usage).source == "partial"


def test_a_fee_may_cost_nothing() -> None:
    book = book_of('[[prices]]\nmodel = "gpt-5"\nper_request = { code_interpreter = 0 }')
    usage = Tokens(MILLION, 0, requests=(("code_interpreter", 1),))
    assert book.price("openai", "gpt-5", DAY, usage) == Cost(usd("1.25"), "override")


def test_an_override_may_hold_in_a_region_only() -> None:
    book = book_of('[[prices]]\nmodel = "gpt-4o"\nregion = "eu*"\ninput_per_mtok = 2.75\noutput_per_mtok = 11')
    prices = {
        region: book.price("openai", "gpt-4o", DAY, Tokens(MILLION, 0), region=region).picodollars
        for region in (None, "EU", "eu-west-1", "us")
    }
    assert prices == {None: usd("2.5"), "EU": usd("2.75"), "eu-west-1": usd("2.75"), "us": usd("2.5")}


def test_a_multiplier_is_one_of_the_price_in_the_region() -> None:
    book = book_of('[[prices]]\nmodel = "claude-*"\nmultiplier = 0.5')
    cost = book.price("anthropic", "claude-opus-4-6", DAY, Tokens(MILLION, 0), region="us")
    assert cost == Cost(usd("2.75"), "override")


SIZES = """
[[prices]]
model = "acme-1"
input_per_mtok = 1
output_per_mtok = 10
[[prices]]
model = "acme-1"
over_input_tokens = 200_000
input_per_mtok = 2
output_per_mtok = 15
[[prices]]
model = "acme-1"
over_input_tokens = 500_000
input_per_mtok = 4
output_per_mtok = 30
"""


@pytest.mark.parametrize(
    ("size", "rate"), [(200_000, 1), (200_001, 2), (500_000, 2), (500_001, 4), (1_000_000, 4)]
)
def test_an_override_may_hold_for_large_inputs_only(size: int, rate: int) -> None:
    cost = book_of(SIZES).price("acme", "acme-1", DAY, Tokens(size, 0))
    assert cost == Cost(size * rate * PICODOLLARS_PER_USD // MILLION, "override")


def test_cached_tokens_count_towards_the_size() -> None:
    usage = Tokens(200_001, 0, cache_read=200_001)
    assert book_of(SIZES).price("acme", "acme-1", DAY, usage).picodollars == 200_001 * 2 * 1_000_000


def test_an_override_for_large_inputs_leaves_the_list_as_it_is_below() -> None:
    text = '[[prices]]\nmodel = "gpt-4o"\nover_input_tokens = 100_000\ninput_per_mtok = 9\noutput_per_mtok = 9'
    small = book_of(text).price("openai", "gpt-4o", DAY, Tokens(100_000, 0))
    large = book_of(text).price("openai", "gpt-4o", DAY, Tokens(100_001, 0))
    assert small == Cost(usd("0.25"), "computed")
    assert large == Cost(100_001 * 9_000_000, "override")


def test_of_a_model_nobody_lists_only_the_sizes_that_are_stated_are_known() -> None:
    text = '[[prices]]\nmodel = "acme-1"\nover_input_tokens = 100\ninput_per_mtok = 9\noutput_per_mtok = 9'
    assert book_of(text).price("acme", "acme-1", DAY, Tokens(100, 0)) == Cost(None, "unknown")
    assert book_of(text).price("acme", "acme-1", DAY, Tokens(101, 0)).source == "override"


def test_a_tier_may_have_its_own_price_which_is_not_multiplied() -> None:
    book = book_of(
        """
        [[prices]]
        model = "gpt-5"
        tier = "scale"
        input_per_mtok = 1
        output_per_mtok = 2
        [tiers]
        scale = 3
        """
    )
    assert book.price("openai", "gpt-5", DAY, Tokens(MILLION, 0), "scale") == Cost(usd("1"), "override")
    assert book.price("openai", "gpt-4o", DAY, Tokens(MILLION, 0), "scale") == Cost(usd("7.5"), "computed")


# --- [[models]] --------------------------------------------------------------------------------------------------------


def test_an_id_may_be_another_model() -> None:
    book = book_of('[[models]]\nid = "prod-gpt4o-deployment"\nis = "gpt-4o"\nprovider = "azure"')
    usage = Tokens(MILLION, 0)
    assert book.price("azure.ai.openai", "prod-gpt4o-deployment", DAY, usage) == Cost(usd("2.5"), "computed")
    assert book.price(None, "PROD-gpt4o-deployment", DAY, usage) == Cost(usd("2.5"), "computed")
    assert book.price("openai", "prod-gpt4o-deployment", DAY, usage) == Cost(None, "unknown")


def test_aliases_may_have_wildcards_and_the_last_one_counts() -> None:
    book = book_of('[[models]]\nid = "prod-*"\nis = "gpt-4o"\n[[models]]\nid = "prod-mini-*"\nis = "openai/gpt-4o-mini"')
    assert book.price("openai", "prod-1", DAY, Tokens(MILLION, 0)).picodollars == usd("2.5")
    assert book.price(None, "prod-mini-7", DAY, Tokens(MILLION, 0)).picodollars == usd("0.15")


def test_an_alias_speaks_for_an_id_behind_a_prefix_too() -> None:
    book = book_of('[[models]]\nid = "house-model"\nis = "claude-sonnet-4-5"\nprovider = "anthropic"')
    assert book.price(None, "anthropic/house-model", DAY, Tokens(100_000, 0)).picodollars == usd("0.3")


def test_an_override_speaks_of_a_model_by_its_id_or_by_what_it_is() -> None:
    aliases = '[[models]]\nid = "prod"\nis = "gpt-4o"\nprovider = "openai"\n'
    for name in ("prod", "gpt-4o"):
        book = book_of(aliases + f'[[prices]]\nmodel = "{name}"\nprovider = "openai"\nmultiplier = 0.5')
        assert book.price(None, "prod", DAY, Tokens(MILLION, 0)) == Cost(usd("1.25"), "override")


def test_an_alias_of_a_model_nobody_lists_is_unknown() -> None:
    book = book_of('[[models]]\nid = "prod"\nis = "acme-99"')
    assert book.price("openai", "prod", DAY, Tokens(1, 1)) == Cost(None, "unknown")


# --- mistakes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"model": "m", "input_audio_per_mtok": 1}, "input_per_mtok and output_per_mtok"),
        ({"model": "m", "per_request": {"web_search": -1}}, r"per_request\.web_search must be .*not -1"),
        ({"model": "m", "per_request": {"web_search": "?"}}, r"\$\[0\]\.per_request"),
        ({"model": "m", "per_request": {"web_search": "nan"}}, r"\[\[prices\]\]"),
        ({"model": "m", "multiplier": 1, "over_input_tokens": 0}, "over_input_tokens must be 1 or more"),
        ({"model": "m", "multiplier": 1, "over_input_tokens": "many"}, r"\$\[0\]\.over_input_tokens"),
        ({"model": "m", "input_per_mtok": "?", "output_per_mtok": "?"}, r"\$\[0\]\.input_per_mtok"),
        ({"model": "m", "multiplier": 1, "regions": "eu"}, "unknown field `regions`"),
    ],
)
def test_a_mistake_in_a_price_is_named_with_its_table_and_key(row: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=r"\[\[prices\]\]") as raised:
        read_overrides([row])
    raised.match(complaint)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"id": "a"}, "`is`"),
        ({"id": " ", "is": "b"}, "id is empty"),
        ({"id": "a", "is": ""}, "is is empty"),
        ({"id": "a", "is": 4}, r"\$\[0\]\.is"),
        ({"id": "a", "is": "b", "model": "c"}, "unknown field `model`"),
    ],
)
def test_a_mistake_in_an_alias_is_named_with_its_table_and_key(row: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=r"\[\[models\]\]") as raised:
        read_models([row])
    raised.match(complaint)


def test_the_worker_reads_both_tables_from_its_settings() -> None:
    settings = Settings(
        models=[{"id": "prod", "is": "acme-1"}],
        prices=[{"model": "acme-1", "input_per_mtok": 4, "output_per_mtok": 8}],
    )
    cost = price_book(settings).price(None, "prod", DAY, Tokens(MILLION, 0))
    assert cost == Cost(usd("4"), "override")


def test_the_version_tells_that_an_alias_was_changed() -> None:
    one, other = (book_of(f'[[models]]\nid = "a"\nis = "{name}"').version for name in ("b", "c"))
    assert one != other != PriceBook().version
