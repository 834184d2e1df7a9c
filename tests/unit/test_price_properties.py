"""What holds of every price, whatever the model and the usage."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from genai_prices.data import providers
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agents.pricing import Cost, PriceBook, PriceOverride, Tokens

BOOK = PriceBook()
DAY = date(2026, 11, 27)

models = st.sampled_from([(provider.id, model.id) for provider in providers for model in provider.models])
tiers = st.sampled_from([None, "batch", "flex", "priority", "scale"])
regions = st.sampled_from([None, "global", "us", "eu", "us-east5"])
counts = st.integers(0, 400_000)
few = st.integers(0, 3)


@st.composite
def usages(draw: st.DrawFn) -> Tokens:
    """Usage that adds up: parts are inside what they are parts of."""
    text, audio, image = draw(counts), draw(few) * 1_000, draw(few) * 500
    size = text + audio + image
    read = draw(st.integers(0, size))
    write = draw(st.integers(0, size - read))
    hour = draw(st.integers(0, write))
    spoken, painted, answer = draw(few) * 1_000, draw(few) * 500, draw(st.integers(0, 50_000))
    reasoning = draw(st.integers(0, answer))
    fees = draw(st.dictionaries(st.sampled_from(["web_search", "file_search", "code_execution"]), st.integers(1, 5)))
    return Tokens(
        size, answer + spoken + painted, read, write, reasoning, hour, audio, spoken, image, painted, tuple(sorted(fees.items())),
        draw(st.booleans()),
    )  # fmt: skip


def priced(model: tuple[str, str], usage: Tokens, tier: str | None, region: str | None, book: PriceBook = BOOK) -> Cost:
    return book.price(model[0], model[1], DAY, usage, tier, region=region)


@hypothesis_settings(max_examples=200, deadline=None)
@given(models, usages(), tiers, regions)
def test_an_amount_is_missing_exactly_when_nothing_is_known_and_a_lower_bound_is_not_nothing(
    model: tuple[str, str], usage: Tokens, tier: str | None, region: str | None
) -> None:
    cost = priced(model, usage, tier, region)
    assert (cost.picodollars is None) == (cost.source == "unknown")
    assert cost.picodollars is None or cost.picodollars >= 0
    if cost.source == "partial":
        assert cost.picodollars


@hypothesis_settings(max_examples=200, deadline=None)
@given(models, usages(), tiers, regions)
def test_an_explanation_is_there_exactly_when_the_price_is_not_whole(
    model: tuple[str, str], usage: Tokens, tier: str | None, region: str | None
) -> None:
    explained = BOOK.explain(model[0], model[1], DAY, usage, tier, region=region)
    assert explained.cost == priced(model, usage, tier, region)
    assert bool(explained.reasons) == (explained.cost.source in ("partial", "unknown"))


MORE = {
    "text": {"input": 1},
    "cached": {"input": 1, "cache_read": 1},
    "written": {"input": 1, "cache_write": 1},
    "written for an hour": {"input": 1, "cache_write": 1, "cache_write_1h": 1},
    "audio": {"input": 1, "input_audio": 1},
    "image": {"input": 1, "input_image": 1},
    "answer": {"output": 1},
    "reasoning": {"output": 1, "reasoning": 1},
    "speech": {"output": 1, "output_audio": 1},
    "picture": {"output": 1, "output_image": 1},
}


# Many combinations have no price: they are left out, and that is no fault of the search.
@hypothesis_settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(models, usages(), tiers, regions, st.sampled_from(sorted(MORE)), st.integers(1, 300_000))
def test_more_of_anything_never_costs_less(
    model: tuple[str, str], usage: Tokens, tier: str | None, region: str | None, what: str, many: int
) -> None:
    more = usage._replace(**{name: getattr(usage, name) + many for name in MORE[what]})
    before, after = priced(model, usage, tier, region), priced(model, more, tier, region)
    assume(before.picodollars is not None and after.picodollars is not None)
    assert before.picodollars is not None and after.picodollars is not None
    assert after.picodollars >= before.picodollars


@hypothesis_settings(max_examples=150, deadline=None)
@given(models, st.integers(0, 30_000), st.integers(0, 30_000), st.integers(0, 30_000), st.integers(0, 9_000))
def test_a_call_costs_the_sum_of_its_parts(model: tuple[str, str], text: int, read: int, write: int, answer: int) -> None:
    # Small inputs: a larger one may raise the price of every token.
    parts = [
        Tokens(text, 0),
        Tokens(read, 0, cache_read=read),
        Tokens(write, 0, cache_write=write),
        Tokens(0, answer),
    ]
    whole = priced(model, Tokens(text + read + write, answer, read, write), None, None)
    alone = [priced(model, part, None, None) for part in (*parts, Tokens(0, 0))]
    assume(whole.source == "computed" and all(cost.source == "computed" for cost in alone))
    amounts = [cost.picodollars or 0 for cost in alone]
    fee = amounts.pop()  # per request, whatever it uses
    assert abs((whole.picodollars or 0) - (sum(amounts) - 3 * fee)) <= 3  # each is rounded


@hypothesis_settings(max_examples=200, deadline=None)
@given(models, usages(), tiers, regions)
def test_an_override_beats_the_list(
    model: tuple[str, str], usage: Tokens, tier: str | None, region: str | None
) -> None:
    own = PriceOverride(model="*", input_per_mtok=Decimal(7), output_per_mtok=Decimal(11))
    text = Tokens(usage.input, usage.output, input_audio=0, output_audio=0)
    cost = priced(model, text, tier, region, PriceBook([own]))
    assert cost == Cost(7_000_000 * (usage.input or 0) + 11_000_000 * (usage.output or 0), "override")


@hypothesis_settings(max_examples=100, deadline=None)
@given(models, usages(), st.decimals(0, 3, places=2))
def test_a_multiplier_is_one_of_the_whole_list_price(model: tuple[str, str], usage: Tokens, factor: Decimal) -> None:
    plain = usage._replace(understood=True, requests=())
    listed = priced(model, plain, None, None)
    assume(listed.source == "computed")
    scaled = priced(model, plain, None, None, PriceBook([PriceOverride(model="*", multiplier=factor)]))
    assert scaled.source == "override"
    assert abs((scaled.picodollars or 0) - (listed.picodollars or 0) * factor) <= 2
