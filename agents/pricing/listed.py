"""What the lists say a model costs: genai-prices with `corrections.toml`, at a moment, in a tier
and a region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from agents.pricing.corrections import CORRECTIONS, Price, at
from agents.pricing.rates import FEE_KEYS, PER_KCOUNT, PER_MTOK, PICODOLLARS_PER_USD
from agents.pricing.sellers import Listed

Items = Mapping[str, Decimal | TieredPrices]
"""Key of genai-prices -> price in its unit."""


class ListPrice(NamedTuple):
    """What a model costs by the lists."""

    items: Items
    corrections: tuple[Price, ...]
    factor: Fraction
    """Of every price per token: for a tier or region that is not listed."""
    one_hour: Fraction | None
    """What an hour's cache write costs where it is not listed, as a multiple of the input price."""
    fees: dict[str, Fraction]
    """Kind of request -> picodollars."""
    lower_bound: str
    audio_is_text: bool

    def thresholds(self) -> set[int]:
        """Sizes of the input above which other prices hold."""
        tiered = (value for value in self.items.values() if isinstance(value, TieredPrices))
        starts = {tier.start for value in tiered for tier in value.tiers}
        return starts | {
            price.over_input_tokens for price in self.corrections if price.over_input_tokens
        }

    def amounts(self, size: int) -> dict[str, Fraction]:
        """Key of genai-prices -> picodollars per token or request, for an input of `size`
        tokens."""
        values = {key: _at_size(value, size) for key, value in self.items.items()}
        for price in self.corrections:
            if size > (price.over_input_tokens or -1):
                values.update(price.items())
        if (
            self.one_hour is not None
            and "input_mtok" in values
            and "cache_write_1h_mtok" not in values
        ):
            values["cache_write_1h_mtok"] = values["input_mtok"] * Decimal(
                str(float(self.one_hour))
            )
        return {
            key: Fraction(value) * (PER_MTOK * self.factor if key.endswith("_mtok") else PER_KCOUNT)
            for key, value in values.items()
        }


def list_price(
    listed: Listed,
    moment: datetime,
    tier: str | None,
    region: str | None,
    tiers: Mapping[str | None, Fraction],
) -> ListPrice | None:
    """What a model costs at a moment; None if no list says. `tiers`: factors for tiers that are not
    listed."""
    day, seller, name = moment.date(), listed.seller, listed.id
    if tier is None:
        items, factor = _standard(listed.model, moment), Fraction(1)
    elif (variant := _variant_price(listed, moment, tier)) is not None:
        items, factor = _items(variant), Fraction(1)
    else:
        factors = [
            Fraction(entry.factor)
            for entry in at(CORRECTIONS.tiers, seller, name, day)
            if entry.tier == tier
        ]
        if not factors and tier not in tiers:
            return None
        items, factor = _standard(listed.model, moment), factors[-1] if factors else tiers[tier]
    # Prices of the maker are corrected as the maker's.
    about = listed.maker or seller
    corrections = tuple(
        price
        for price in CORRECTIONS.prices
        if price.provider == about and _about(price, listed, day)
    )
    if not items and not corrections:
        # The data drops prices of 0 and also lists models it has no price for. Only OpenRouter's
        # `:free` ids, which Azure's list shares, say that nothing is what the call costs.
        if not name.endswith(":free"):
            return None
        items = {"input_mtok": Decimal(0), "output_mtok": Decimal(0)}
    if region is not None:
        for entry in at(CORRECTIONS.regions, seller, name, day):
            if entry.holds_in(region):
                factor *= Fraction(entry.factor)
    fees = {
        kind: Fraction(_at_size(items[key], 0)) * PER_KCOUNT
        for key, kind in FEE_KEYS.items()
        if key in items
    }
    if not listed.own:
        fees = {}  # what a tool costs at the maker says nothing of what it costs elsewhere
    fees |= {
        fee.name: Fraction(fee.usd) * PICODOLLARS_PER_USD
        for fee in at(CORRECTIONS.fees, seller, name, day)
    }
    hours = [
        Fraction(entry.one_hour) for entry in CORRECTIONS.cache_writes if entry.about(name, day)
    ]
    bounds = [entry.why for entry in at(CORRECTIONS.lower_bounds, seller, name, day)]
    return ListPrice(
        items,
        corrections,
        factor,
        hours[-1] if hours else None,
        fees,
        bounds[-1] if bounds else "",
        seller == "google" or "tts" in name,
    )


def moments(listed: Listed | None, day: date) -> tuple[time, ...]:
    """Times of day (UTC) at which the price of a model may change on a day, from midnight on.

    One alone is a time whose price holds all day.
    """
    bounds = () if listed is None or listed.model is None else _bounds(listed.model)
    if listed is None or not bounds:
        return (time(12),)
    for entry in at(CORRECTIONS.off_peak, listed.seller, listed.id, day):
        if day.isoweekday() in entry.days:
            return (entry.at,)
    return bounds


def _bounds(model: ModelInfo) -> tuple[time, ...]:
    priced: Iterable[ConditionalPrice | PriceVariant] = [
        *(() if isinstance(model.prices, ModelPrice) else model.prices),
        *(model.price_variants or ()),
    ]
    bounds: set[time] = set()
    for entry in priced:
        if isinstance(entry.constraint, TimeOfDateConstraint):
            for bound in (entry.constraint.start_time, entry.constraint.end_time):
                bounds.add(
                    datetime.combine(date(2000, 1, 1), bound, bound.tzinfo or UTC)
                    .astimezone(UTC)
                    .time()
                )
    return tuple(sorted(bounds | {time(0)})) if bounds else ()


def _about(price: Price, listed: Listed, day: date) -> bool:
    return price.about(listed.id, day) or price.about(listed.name, day)


def _standard(model: ModelInfo | None, moment: datetime) -> Items:
    return {} if model is None else _items(model.get_prices(moment))


def _items(price: ModelPrice) -> Items:
    return {key: value for key, value in vars(price).items() if value is not None}


def _at_size(value: Decimal | TieredPrices, size: int) -> Decimal:
    if isinstance(value, TieredPrices):
        return next((tier.price for tier in reversed(value.tiers) if size > tier.start), value.base)
    return value


def _variant_price(listed: Listed, moment: datetime, tier: str) -> ModelPrice | None:
    """The listed price of a model in a tier, None if the tier is not listed at that moment."""
    # A maker's tiers are not those of another seller.
    if not listed.own or listed.model is None:
        return None
    # Batch is listed as a way of processing, the rest as service tiers, Anthropic's fast mode as a
    # speed.
    context = {"processing": tier, "service_tier": tier, "speed": tier}
    for variant in listed.model.price_variants or ():
        if all(context.get(key) == value for key, value in variant.when.items()):
            since = _earlier(listed, variant, moment, tier)
            if since is not None:
                return listed.model.get_prices(since, context)
    return None


def _earlier(listed: Listed, variant: PriceVariant, moment: datetime, tier: str) -> datetime | None:
    """The moment whose prices of the variant hold at `moment`: itself, or the variant's first day;
    None if it does not."""
    constraint = variant.constraint
    if constraint is None or constraint.active(moment):
        return moment
    if not isinstance(constraint, StartDateConstraint) or listed.model is None:
        return None
    first = datetime.combine(constraint.start_date, moment.timetz())
    entries = at(CORRECTIONS.tier_history, listed.seller, listed.id, moment.date())
    if any(entry.tier == tier for entry in entries) and listed.model.get_prices(
        moment
    ) == listed.model.get_prices(first):
        return first
    return None
