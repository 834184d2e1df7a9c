"""`corrections.toml` against the price data it corrects: every entry has a source, and is still needed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices, TimeOfDateConstraint

from agents.pricing.corrections import CORRECTIONS, Correction, LowerBound, NotListed, OffPeak, Price, TierFactor

NOW = datetime(2026, 11, 28, tzinfo=UTC)
BY_ID = {provider.id: provider for provider in providers}

ENTRIES: list[Correction] = [
    entry
    for table in CORRECTIONS.__struct_fields__
    if isinstance(entries := getattr(CORRECTIONS, table), list)
    for entry in entries
]


def examples(entry: Correction) -> list[str]:
    """A name for each pattern: what a `*` stands for is left out, or is what follows a fine-tuned model's base."""
    return [name.replace("*", "acme::x1" if name.endswith(":*") else "") for name in entry.models]


def listed(provider: str, name: str) -> list[ModelInfo]:
    """What the data has under a name, or under an id that ends in it."""
    found = BY_ID[provider].find_model(name)
    models = [model for model in BY_ID[provider].models if model.id.lower().endswith(name)]
    return [found] if found is not None else models


def sample(entries: list[Correction], kind: type[Correction]) -> list[Correction]:
    return [entry for entry in entries if type(entry) is kind]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{type(entry).__name__}-{entry.models[0]}")
def test_every_entry_names_its_source(entry: Correction) -> None:
    assert entry.source.startswith(("https://", "genai-prices")), entry
    named = getattr(entry, "provider", None) or getattr(entry, "seller", None)
    assert named is None or named in BY_ID


@pytest.mark.parametrize("entry", sample(ENTRIES, Price), ids=lambda entry: f"{entry.models[0]}-{entry.over_input_tokens}")
def test_a_price_is_given_only_as_long_as_the_data_lacks_it(entry: Price) -> None:
    for name in examples(entry):
        for model in listed(entry.provider, name):
            there = vars(model.get_prices(NOW))
            for key, value in entry.items():
                old = there.get(key)
                if entry.over_input_tokens:
                    known = isinstance(old, TieredPrices) and (entry.over_input_tokens, value) in [
                        (tier.start, tier.price) for tier in old.tiers
                    ]
                else:
                    known = old == value
                assert not known, f"{entry.provider}/{model.id} has {key} = {value}: remove the entry"


@pytest.mark.parametrize("entry", sample(ENTRIES, NotListed), ids=lambda entry: f"{entry.provider}-{entry.models[0]}")
def test_a_listing_is_disregarded_only_as_long_as_the_data_has_it(entry: NotListed) -> None:
    for name in entry.models:
        stem = name.replace("*", "")
        assert any(model.id.lower().startswith(stem) or model.is_match(stem) for model in BY_ID[entry.provider].models)


@pytest.mark.parametrize("entry", sample(ENTRIES, TierFactor), ids=lambda entry: f"{entry.provider}-{entry.tier}")
def test_a_tier_has_a_factor_only_as_long_as_it_is_not_listed(entry: TierFactor) -> None:
    for name in examples(entry):
        for model in listed(entry.provider, name) if name else []:
            tiers = {value for variant in model.price_variants or () for value in variant.when.values()}
            assert entry.tier not in tiers, f"{entry.provider}/{model.id} lists {entry.tier}"


@pytest.mark.parametrize("entry", sample(ENTRIES, OffPeak), ids=lambda entry: "-".join(entry.models))
def test_days_off_peak_are_of_models_with_peak_hours(entry: OffPeak) -> None:
    for name in entry.models:
        (model,) = listed(entry.provider, name)
        assert not isinstance(model.prices, ModelPrice)
        assert any(isinstance(price.constraint, TimeOfDateConstraint) for price in model.prices)


@pytest.mark.parametrize("entry", sample(ENTRIES, LowerBound), ids=lambda entry: entry.models[0])
def test_a_lower_bound_says_why(entry: LowerBound) -> None:
    assert entry.why and not entry.why.endswith(".")


def test_the_file_was_checked_after_the_data_it_corrects() -> None:
    # A newer version of genai-prices is a reason to look through the entries again.
    from genai_prices import __version__

    assert (__version__, str(CORRECTIONS.checked)) == ("0.2.3", "2026-11-29")
