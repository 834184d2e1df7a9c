"""What a call costs: the price book against its source, against the conventions, and against what goes wrong elsewhere."""

from __future__ import annotations

import random
import tomllib
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from genai_prices import Usage
from genai_prices import __version__ as genai_prices_version
from genai_prices.data import providers
from genai_prices.types import ModelInfo
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.pricing import (
    PICODOLLARS_PER_USD,
    Cost,
    PriceBook,
    PriceOverride,
    Tokens,
    read_overrides,
    read_tiers,
)
from agents.pricing.corrections import CORRECTIONS
from agents.pricing.rates import Plan
from agents.pricing.sellers import Listed

DAY = date(2025, 6, 1)
MILLION = 1_000_000
UNKNOWN = Cost(None, "unknown")

counts = st.integers(min_value=0, max_value=2 * MILLION)


def usd(amount: str | int) -> int:
    return int(Decimal(amount) * PICODOLLARS_PER_USD)


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook()


# --- tokens are counted once ----------------------------------------------------------------------------------


def test_cached_tokens_are_part_of_the_input_and_not_charged_twice(book: PriceBook) -> None:
    # gpt-4o: 2.50 in, 1.25 cached, 10 out, USD per million tokens
    cost = book.price("openai", "gpt-4o", DAY, Tokens(input=MILLION, output=0, cache_read=MILLION))
    assert cost == Cost(usd("1.25"), "computed")


def test_each_kind_of_token_has_its_own_price(book: PriceBook) -> None:
    # claude-3-5-sonnet: 3 in, 0.30 cache read, 3.75 cache write, 15 out
    usage = Tokens(input=1_000, output=100, cache_read=600, cache_write=300)
    expected = usd("3") * 100 + usd("0.30") * 600 + usd("3.75") * 300 + usd("15") * 100
    assert book.price("anthropic", "claude-3-5-sonnet-20241022", DAY, usage).picodollars == expected // MILLION


def test_reasoning_is_part_of_the_output(book: PriceBook) -> None:
    without = book.price("openai", "o3-mini", DAY, Tokens(input=10, output=1_000))
    assert book.price("openai", "o3-mini", DAY, Tokens(input=10, output=1_000, reasoning=900)) == without


def test_reasoning_with_a_price_of_its_own(book: PriceBook) -> None:
    # sonar-deep-research: 8 out, 3 reasoning
    cost = book.price("perplexity", "sonar-deep-research", DAY, Tokens(input=0, output=MILLION, reasoning=MILLION))
    assert cost.picodollars == usd("3")


def test_a_model_without_cache_prices_charges_cached_tokens_as_input(book: PriceBook) -> None:
    usage = Tokens(input=1_000, output=0, cache_read=700, cache_write=100)
    assert book.price("openai", "gpt-4", DAY, usage) == book.price("openai", "gpt-4", DAY, Tokens(1_000, 0))


def test_cached_tokens_beyond_the_input_are_charged_once_and_nothing_is_uncached(book: PriceBook) -> None:
    usage = Tokens(input=10, output=0, cache_read=MILLION)
    assert book.price("openai", "gpt-4o", DAY, usage).picodollars == usd("1.25")


def test_a_fee_per_request_is_added_once(book: PriceBook) -> None:
    # sonar: 1 in, 1 out, and USD 5 to 12 per thousand requests whatever the tokens
    fee = book.price("perplexity", "sonar", DAY, Tokens(0, 0)).picodollars
    assert fee is not None and fee > 0
    assert book.price("perplexity", "sonar", DAY, Tokens(MILLION, 0)).picodollars == fee + usd("1")


# --- unknown is not zero --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-99-imaginary"),
        (None, "my-finetune"),
        ("a-provider-nobody-knows", "gpt-4o"),
        ("ollama", "llama3"),
        ("vllm", "meta-llama/Llama-3.1-8B-Instruct"),
        ("vllm-openai", "gpt-4o"),
        (None, "ollama/gpt-4o"),
        ("openai", ""),
        ("openai", "x" * 5_000),
        ("openai", "whisper-1"),
        ("github-copilot", "gpt-4o"),
    ],
)
def test_what_has_no_price_is_unknown(book: PriceBook, provider: str | None, model: str) -> None:
    assert book.price(provider, model, DAY, Tokens(1_000, 100)) == UNKNOWN


def test_no_usage_cannot_be_priced(book: PriceBook) -> None:
    assert book.price("openai", "gpt-4o", DAY, Tokens()) == UNKNOWN
    assert book.price("openai", "gpt-4o", DAY, Tokens(cache_read=5)) == UNKNOWN
    assert book.price("openai", "gpt-4o", DAY, Tokens(input=0, output=0)) == Cost(0, "computed")
    assert book.price("openai", "text-embedding-3-small", DAY, Tokens(input=MILLION)).picodollars == usd("0.02")


def test_a_negative_count_cannot_be_priced(book: PriceBook) -> None:
    for field in Tokens._fields[:10]:
        assert book.price("openai", "gpt-4o", DAY, Tokens(10, 10)._replace(**{field: -1})) == UNKNOWN


def test_a_free_model_costs_zero(book: PriceBook) -> None:
    free = next(m.id for p in providers if p.id == "openrouter" for m in p.models if m.id.endswith(":free"))
    assert book.price("openrouter", free, DAY, Tokens(1_000, 100)) == Cost(0, "computed")


# --- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "model", "input_usd"),
    [
        ("openai", "gpt-4o-2024-08-06", "2.5"),
        ("OpenAI", "GPT-4o", "2.5"),
        ("openai", "openai/gpt-4o", "2.5"),
        (None, "openai/gpt-4o", "2.5"),
        ("litellm", "openai/gpt-4o", "2.5"),
        ("azure", "gpt-4o", "2.5"),
        ("azure.ai.openai", "gpt-4o", "2.5"),
        ("az.ai.openai", "gpt-4o", "2.5"),
        (None, "text-embedding-3-small", "0.02"),
        ("gcp.gemini", "models/gemini-2.0-flash", "0.1"),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.0-flash-001", "0.1"),
        (None, "vertex_ai/gemini-2.0-flash", "0.1"),
        ("gcp.vertex_ai", "claude-3-5-sonnet@20240620", "3"),
        ("aws.bedrock", "us.anthropic.claude-3-5-sonnet-20241022-v2:0", "3"),
        (None, "us.anthropic.claude-3-5-sonnet-20241022-v2:0", "3"),
        ("aws.bedrock", "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-5-sonnet-20241022-v2:0", "3"),
        (None, "bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0", "3"),
        ("aws.bedrock", "amazon.nova-pro-v1:0", "0.8"),
        ("mistral_ai", "mistral-large-latest", "2"),
        ("x_ai", "grok-3", "3"),
        ("openrouter", "openai/gpt-4o", "2.5"),
    ],
)
def test_providers_and_models_are_found_under_the_names_services_use(
    book: PriceBook, provider: str | None, model: str, input_usd: str
) -> None:
    assert book.price(provider, model, DAY, Tokens(100_000, 0)).picodollars == usd(input_usd) // 10


def test_regions_of_bedrock_cost_more_than_its_global_endpoint(book: PriceBook) -> None:
    name = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    worldwide, europe, unlisted_region = (
        book.price("aws.bedrock", f"{region}.{name}", DAY, Tokens(100_000, 0)).picodollars
        for region in ("global", "eu", "ca")
    )
    assert (worldwide, europe, unlisted_region) == (usd("0.30"), usd("0.33"), usd("0.33"))


# --- time -----------------------------------------------------------------------------------------------------


def test_a_call_has_the_price_of_its_day_not_of_today(book: PriceBook) -> None:
    # o3 fell from 10 to 2 USD per million input tokens on 2025-06-10
    before = book.price("openai", "o3", date(2025, 6, 9), Tokens(MILLION, 0))
    after = book.price("openai", "o3", date(2025, 6, 10), Tokens(MILLION, 0))
    assert (before.picodollars, after.picodollars) == (usd("10"), usd("2"))


def test_peak_hours(book: PriceBook) -> None:
    # deepseek-chat: full price from 00:30 to 16:30 UTC, half outside
    def at(clock: time | None) -> int | None:
        return book.price("deepseek", "deepseek-chat", DAY, Tokens(MILLION, 0), at=clock).picodollars

    assert at(time(0, 30)) == at(time(16, 29)) == at(None) == usd("0.27")
    assert at(time(0, 29)) == at(time(16, 30)) == at(time(23, 59, tzinfo=UTC)) == usd("0.135")


def test_a_datetime_is_not_a_day(book: PriceBook) -> None:
    with pytest.raises(TypeError, match="UTC day"):
        book.price("openai", "gpt-4o", datetime(2025, 6, 1, tzinfo=UTC), Tokens(1, 1))


# --- size of the input ----------------------------------------------------------------------------------------


def test_a_large_input_raises_the_price_of_every_token(book: PriceBook) -> None:
    # gemini-2.5-pro: 1.25 in and 10 out, 2.50 and 15 for inputs larger than 200,000
    def cost(size: int) -> int | None:
        return book.price("google", "gemini-2.5-pro", DAY, Tokens(size, 1_000)).picodollars

    assert cost(200_000) == usd("1.25") // 5 + usd("10") // 1_000
    assert cost(200_001) == usd("2.50") * 200_001 // MILLION + usd("15") // 1_000


def test_cached_tokens_count_towards_the_size_of_the_input(book: PriceBook) -> None:
    small = book.price("google", "gemini-2.5-pro", DAY, Tokens(200_000, MILLION, cache_read=200_000)).picodollars
    large = book.price("google", "gemini-2.5-pro", DAY, Tokens(200_001, MILLION, cache_read=200_001)).picodollars
    assert small is not None and large is not None and large - small > usd("4")


# --- against the source ---------------------------------------------------------------------------------------


def _expected(model: ModelInfo, provider_index: int, when: datetime, tokens: Tokens) -> Decimal:
    usage = Usage(
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write,
        output_reasoning_tokens=tokens.reasoning,
    )
    total = model.calc_price(usage, providers[provider_index], genai_request_timestamp=when)
    return total.total_price * PICODOLLARS_PER_USD


def _every_price() -> list[tuple[int, ModelInfo]]:
    return [(index, model) for index, provider in enumerate(providers) for model in provider.models]


def _plan(book: PriceBook, provider_index: int, model: ModelInfo, day: date) -> Plan | None:
    """The plan of a model as the data lists it: for a seller of whom no correction speaks."""
    del provider_index
    listed = Listed("nobody", model.id.lower(), model)
    return book._plan_of(listed, (), day, None, None)


def test_every_model_costs_what_genai_prices_says(book: PriceBook, monkeypatch: pytest.MonkeyPatch) -> None:
    """All models, several random usages and dates each: equal to the Decimal result, within the final rounding."""
    dice = random.Random(20250601)
    compared = unpriced = 0
    for index, model in _every_price():
        for _ in range(2):
            day = date.fromordinal(dice.randint(date(2023, 1, 1).toordinal(), date(2027, 1, 1).toordinal()))
            clock = time(dice.randrange(24), dice.randrange(60))
            size = dice.choice((0, 7, 1_000, 128_000, 128_001, 200_000, 200_001, 272_001, 1_500_000))
            read = dice.randint(0, size)
            write = dice.randint(0, size - read)
            out = dice.choice((0, 1, 999, 64_000))
            tokens = Tokens(size, out, read, write, dice.randint(0, out))
            plan = _plan(book, index, model, day)
            monkeypatch.setattr(book, "_plan", lambda *_, plan=plan: plan)
            cost = book.price(None, "any", day, tokens, at=clock)
            if cost.picodollars is None:
                unpriced += 1
                continue
            expected = _expected(model, index, datetime.combine(day, clock, UTC), tokens)
            assert abs(cost.picodollars - expected) <= 1, (providers[index].id, model.id, day, tokens)
            compared += 1
    assert compared > 4_000
    assert unpriced < 200


@settings(max_examples=100, deadline=None)
@given(
    entry=st.sampled_from(_every_price()),
    day=st.dates(date(2023, 1, 1), date(2027, 1, 1)),
    parts=st.tuples(counts, counts, counts, counts, counts),
)
def test_any_usage_costs_what_genai_prices_says(
    entry: tuple[int, ModelInfo], day: date, parts: tuple[int, int, int, int, int]
) -> None:
    uncached, read, write, answer, reasoning = parts
    tokens = Tokens(uncached + read + write, answer + reasoning, read, write, reasoning)
    book = PriceBook()
    plan = _plan(book, *entry, day)
    book._plan = lambda *_: plan  # type: ignore[assignment,method-assign]
    cost = book.price(None, "any", day, tokens)
    if cost.picodollars is not None:
        expected = _expected(entry[1], entry[0], datetime.combine(day, time(12), UTC), tokens)
        assert abs(cost.picodollars - expected) <= 1


def test_prices_finer_than_a_picodollar_are_rounded_once_and_half_to_even() -> None:
    override = PriceOverride(model="m", input_per_mtok=Decimal("0.0000005"), output_per_mtok=Decimal(0))
    book = PriceBook([override])
    rounded = [book.price(None, "m", DAY, Tokens(tokens, 0)).picodollars for tokens in (1, 2, 3, 5, 1_001)]
    assert rounded == [0, 1, 2, 2, 500]


# --- service tiers --------------------------------------------------------------------------------------------


def test_a_tier_has_its_listed_price(book: PriceBook) -> None:
    day = date(2026, 11, 1)
    standard, batch, priority = (
        book.price("openai", "gpt-4o", day, Tokens(MILLION, 0), tier).picodollars
        for tier in ("default", "batch", "Priority")
    )
    assert standard == usd("2.50")
    assert batch == usd("1.25")
    assert priority is not None and priority > standard


@pytest.mark.parametrize("tier", [None, "", "default", "standard", "auto", "ON_DEMAND"])
def test_the_standard_tier_has_many_names(book: PriceBook, tier: str | None) -> None:
    assert book.price("openai", "gpt-4o", DAY, Tokens(MILLION, 0), tier).picodollars == usd("2.50")


def test_a_tier_without_a_price_is_unknown_unless_its_multiplier_is_given(book: PriceBook) -> None:
    usage = Tokens(MILLION, 0)
    assert book.price("cohere", "command-r", DAY, usage, "batch") == UNKNOWN
    half = PriceBook(tiers={"batch": 0.5}).price("cohere", "command-r", DAY, usage, "batch")
    full = book.price("cohere", "command-r", DAY, usage).picodollars
    assert full and half == Cost(full // 2, "computed")


# --- overrides ------------------------------------------------------------------------------------------------


def override(model: str, price: str = "1", **fields: object) -> PriceOverride:
    return read_overrides([{"model": model, "input_per_mtok": price, "output_per_mtok": "2", **fields}])[0]


def test_overrides_are_read_from_toml() -> None:
    settings_file = tomllib.loads(
        """
        [[prices]]
        model = "gpt-4o*"
        provider = "azure"
        effective_from = 2025-01-01
        input_per_mtok = 2.2
        output_per_mtok = 9
        [[prices]]
        model = "claude-*"
        multiplier = 0.85
        [tiers]
        batch = 0.5
        """
    )
    book = PriceBook(read_overrides(settings_file["prices"]), read_tiers(settings_file["tiers"]))
    assert book.price("azure.ai.openai", "gpt-4o", DAY, Tokens(MILLION, 0)) == Cost(usd("2.2"), "override")
    assert book.price("openai", "gpt-4o", DAY, Tokens(MILLION, 0)) == Cost(usd("2.5"), "computed")
    assert book.price("anthropic", "claude-3-5-sonnet", DAY, Tokens(MILLION, 0)) == Cost(usd("2.55"), "override")


def test_a_self_hosted_model_is_priced_by_an_override_and_may_be_free() -> None:
    book = PriceBook([override("llama3*", "0", provider="ollama", output_per_mtok=0)])
    assert book.price("ollama", "llama3:70b", DAY, Tokens(1_000, 100)) == Cost(0, "override")
    assert book.price("vllm", "llama3:70b", DAY, Tokens(1_000, 100)) == UNKNOWN


def test_the_last_matching_override_counts() -> None:
    book = PriceBook([override("*", "1"), override("gpt-*", "2"), override("gpt-4o", "3", provider="azure")])
    prices = [
        book.price(provider, model, DAY, Tokens(MILLION, 0)).picodollars
        for provider, model in (("openai", "gpt-4o"), ("azure", "gpt-4o"), ("x", "GPT-X"), ("x", "y"))
    ]
    assert prices == [usd(2), usd(3), usd(2), usd(1)]


def test_an_override_holds_on_its_days_both_inclusive() -> None:
    book = PriceBook([override("m", effective_from="2025-03-01", effective_to="2025-03-31")])
    days = [date(2025, 2, 28), date(2025, 3, 1), date(2025, 3, 31), date(2025, 4, 1)]
    assert [book.price(None, "m", day, Tokens(1, 0)).source for day in days] == [
        "unknown",
        "override",
        "override",
        "unknown",
    ]


def test_an_override_by_provider_reaches_events_that_name_none() -> None:
    book = PriceBook([override("gpt-4o", provider="openai")])
    assert book.price(None, "gpt-4o", DAY, Tokens(1, 1)).source == "override"


def test_missing_prices_of_an_override_fall_back_to_input_and_output() -> None:
    book = PriceBook([override("m", "3", reasoning_per_mtok="7"), override("n", "3", cache_read_per_mtok="0.3")])
    assert book.price(None, "m", DAY, Tokens(MILLION, 0, cache_read=MILLION)).picodollars == usd(3)
    assert book.price(None, "m", DAY, Tokens(0, MILLION, reasoning=MILLION)).picodollars == usd(7)
    assert book.price(None, "n", DAY, Tokens(MILLION, 0, cache_read=MILLION)).picodollars == usd("0.3")


def test_overrides_and_tiers() -> None:
    everything, batch_only = override("m", "4"), override("m", "1", tier="batch")
    usage = Tokens(MILLION, 0)
    book = PriceBook([everything, batch_only], {"batch": 0.5, "flex": 0.5})
    by_tier = {tier: book.price(None, "m", DAY, usage, tier).picodollars for tier in (None, "batch", "flex", "odd")}
    assert by_tier == {None: usd(4), "batch": usd(1), "flex": usd(2), "odd": usd(4)}


def test_a_multiplier_of_a_tier_is_one_of_the_standard_price() -> None:
    half = PriceOverride(model="command-r", tier="batch", multiplier=Decimal("0.5"))
    book = PriceBook([half])
    full = book.price("cohere", "command-r", DAY, Tokens(MILLION, 0)).picodollars
    assert full and book.price("cohere", "command-r", DAY, Tokens(MILLION, 0), "batch") == Cost(full // 2, "override")


def test_a_multiplier_of_an_unknown_price_is_unknown() -> None:
    book = PriceBook([PriceOverride(model="*", multiplier=Decimal("0.9"))])
    assert book.price("ollama", "llama3", DAY, Tokens(1, 1)) == UNKNOWN


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"model": "m"}, "input_per_mtok and output_per_mtok"),
        ({"model": "m", "input_per_mtok": 1}, "input_per_mtok and output_per_mtok"),
        ({"model": " ", "multiplier": 1}, "model is empty"),
        ({"model": "m", "multiplier": 1, "input_per_mtok": 1}, "not both"),
        ({"model": "m", "input_per_mtok": -1, "output_per_mtok": 1}, "input_per_mtok must be .*not -1"),
        ({"model": "m", "multiplier": "NaN"}, r"\[\[prices\]\]"),
        ({"model": "m", "multiplier": float("nan")}, r"\[\[prices\]\]"),
        ({"model": "m", "multiplier": 1, "price": 3}, "unknown field `price`"),
        ({"model": 4, "multiplier": 1}, r"\$\[0\].model"),
        ({"model": "m", "multiplier": 1, "effective_from": "2025-02-01", "effective_to": "2025-01-01"}, "is before"),
    ],
)
def test_a_mistake_in_an_override_is_named(row: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_overrides([row])


@pytest.mark.parametrize("table", [{"batch": -1}, {"default": 0.5}, {"batch": "half"}, {"batch": float("inf")}])
def test_a_mistake_in_the_tiers_is_named(table: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\[tiers\]"):
        read_tiers(table)


# --- version --------------------------------------------------------------------------------------------------


def test_the_version_names_the_data_and_what_was_changed() -> None:
    plain = f"genai-prices {genai_prices_version}, corrections {CORRECTIONS.checked}"
    assert PriceBook().version == plain
    one, other = PriceBook([override("m", "1")]).version, PriceBook([override("m", "2")]).version
    assert one.startswith(plain + "+") and one != other
    assert one == PriceBook([override("m", "1")]).version
    assert PriceBook(tiers={"batch": 0.5}).version not in (plain, one)


def test_prices_never_come_from_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the price book must stay offline")

    monkeypatch.setattr(socket, "socket", refuse)
    assert PriceBook().price("openai", "gpt-4o", DAY, Tokens(1, 1)).source == "computed"


def test_the_cache_is_bounded() -> None:
    book = PriceBook(cache_size=8)
    for number in range(50):
        book.price("openai", f"model-{number}", DAY, Tokens(1, 1))
    assert book._plan.cache_info().currsize == 8
