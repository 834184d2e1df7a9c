"""The price book: what one model call cost, at the prices of the day it happened.

Prices come from the data packaged with ``genai-prices`` (USD per million tokens, with their history; read
offline, never refreshed over the network) and from overrides an operator writes in ``mirante.toml``::

    [[prices]]
    model = "gpt-4o*"            # `*` matches any run of characters; case does not matter
    provider = "azure"           # optional
    effective_from = 2026-01-01  # optional, first day (UTC), inclusive
    effective_to = 2026-06-30    # optional, last day (UTC), inclusive
    input_per_mtok = 2.25        # USD per million tokens
    output_per_mtok = 9.00

    [[prices]]
    model = "claude-*"
    multiplier = 0.85            # a negotiated discount on the listed price

    [tiers]
    batch = 0.5                  # for models whose batch price is not listed

Money is an integer number of **picodollars** (1e-12 USD), so sums are exact in any order. A price of at most six
decimals per million tokens is a whole number of picodollars per token; a finer one is kept as an exact fraction and the
total of a call is rounded once, half to even.

Tokens follow the OpenTelemetry convention: ``input_tokens`` includes tokens read from and written to a cache,
``output_tokens`` includes reasoning. Hence

    uncached = max(input - cache_read - cache_write, 0)        at the input price
    cache_read, cache_write                                    at their own price, or the input price if none is listed
    answer   = max(output - reasoning, 0)                      at the output price
    reasoning                                                  at its own price, or the output price if none is listed

A service that reports cached tokens *outside* ``input_tokens`` breaks the convention; where that shows (cached tokens exceed
the input) every reported token is still charged once: nothing is uncached and the input counts as cache_read + cache_write.
The same holds for reasoning beyond the output. Prices that depend on the size of the input apply to all tokens of the
call once the input is *larger* than the threshold, as providers bill.

Which price applies, first that answers:

1. the last matching override;
2. the price listed for the model at the day, for the service tier if one is given;
3. the standard price times ``[tiers]``, if the tier has no listed price;
4. none: ``Cost(None, "unknown")``. An unknown price is never 0.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256
from math import lcm
from typing import Literal, NamedTuple, TypeVar

import msgspec
from genai_prices import __version__ as _BOOK_VERSION
from genai_prices.data import providers as _PROVIDERS
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    TieredPrices,
    TimeOfDateConstraint,
)

__all__ = ["Cost", "PriceBook", "PriceOverride", "Tokens", "read_overrides", "read_tiers"]

PICODOLLARS_PER_USD = 10**12

CostSource = Literal["computed", "override", "unknown"]


class Tokens(NamedTuple):
    """Token counts of one call, OpenTelemetry convention (see the module). None = not reported."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


class Cost(msgspec.Struct, frozen=True, gc=False):
    """What a call cost, in picodollars (1e-12 USD), and how we know. None exactly when the source is `unknown`."""

    picodollars: int | None
    source: CostSource


UNKNOWN = Cost(None, "unknown")

# A longer text is no model's name (an ARN has at most 2,048 characters) and must not fill the cache.
_LONGEST_MODEL = 2_048


class PriceOverride(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[prices]]` table of `mirante.toml`: prices in USD per million tokens, or a multiplier of the listed price.

    Of the overrides that match a call, the last one counts. One without `tier` speaks for every tier, its price times
    the `[tiers]` multiplier if there is one; one with `tier` gives that tier's price as it stands. `provider` may be
    any name the provider is known by. Days are UTC and inclusive.
    """

    model: str
    provider: str | None = None
    effective_from: date | None = None
    effective_to: date | None = None
    input_per_mtok: Decimal | None = None
    output_per_mtok: Decimal | None = None
    cache_read_per_mtok: Decimal | None = None
    cache_write_per_mtok: Decimal | None = None
    reasoning_per_mtok: Decimal | None = None
    multiplier: Decimal | None = None
    tier: str | None = None

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ValueError("model is empty")
        own = {name: getattr(self, name) for name in _PRICE_FIELDS if getattr(self, name) is not None}
        factor = {} if self.multiplier is None else {"multiplier": self.multiplier}
        for name, value in {**own, **factor}.items():
            if not value.is_finite() or value < 0:
                raise ValueError(f"{name} must be a finite number, 0 or more, not {value}")
        if own and factor:
            raise ValueError("give either prices or a multiplier of the listed price, not both")
        if not factor and (self.input_per_mtok is None or self.output_per_mtok is None):
            raise ValueError("input_per_mtok and output_per_mtok are both needed, or a multiplier")
        if self.effective_from and self.effective_to and self.effective_to < self.effective_from:
            raise ValueError(f"effective_to {self.effective_to} is before effective_from {self.effective_from}")


_PRICE_FIELDS = (
    "input_per_mtok",
    "output_per_mtok",
    "cache_read_per_mtok",
    "cache_write_per_mtok",
    "reasoning_per_mtok",
)


def read_overrides(rows: object) -> tuple[PriceOverride, ...]:
    """The `[[prices]]` tables of `mirante.toml`, as parsed from TOML. Raises ValueError naming the table and the field."""
    return _convert(rows, tuple[PriceOverride, ...], "[[prices]]")


def read_tiers(table: object) -> dict[str, Decimal]:
    """The `[tiers]` table of `mirante.toml`: service tier -> multiplier of the standard price. Raises ValueError."""
    tiers = _convert(table, dict[str, Decimal], "[tiers]")
    for name, factor in tiers.items():
        if not factor.is_finite() or factor < 0:
            raise ValueError(f"[tiers]: {name} must be a finite number, 0 or more, not {factor}")
        if _tier_of(name) is None:
            raise ValueError(f"[tiers]: {name} is the standard tier, whose price is not a multiple of anything")
    return tiers


_T = TypeVar("_T")


def _convert(value: object, kind: type[_T], where: str) -> _T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{where}: {error}") from error
    except InvalidOperation as error:
        # msgspec lets a TOML `nan` through to the check of its own bounds, which cannot compare it.
        raise ValueError(f"{where}: a number is not finite") from error


class PriceBook:
    """Prices a call in picodollars. Pure and deterministic: same arguments, same cost, on every machine.

    `tiers` are multipliers of the standard price for service tiers whose price is not listed. What a (provider, model,
    day, tier) costs is resolved once and kept in a bounded cache; a hit costs well under a microsecond.

    >>> from datetime import date
    >>> PriceBook().price("openai", "gpt-4o-2024-08-06", date(2025, 6, 1), Tokens(input=1_000, output=100))
    Cost(picodollars=3500000000, source='computed')
    """

    def __init__(
        self,
        overrides: Sequence[PriceOverride] = (),
        tiers: Mapping[str, Decimal | float] | None = None,
        *,
        cache_size: int = 16_384,
    ) -> None:
        self._tiers = {
            _tier_of(name): Fraction(str(factor)) for name, factor in read_tiers(dict(tiers or {})).items()
        }
        # Newest first, so that the first match is the last one written.
        self._overrides = tuple(_Rule(override) for override in reversed(overrides))
        self._version = _version(overrides, self._tiers)
        self._plan = lru_cache(maxsize=cache_size)(self._resolve)

    @property
    def version(self) -> str:
        """Names the prices used, for every row: the data's version, and a hash of overrides and tiers if there are any."""
        return self._version

    def price(
        self,
        provider: str | None,
        model: str,
        day: date,
        usage: tuple[int | None, int | None, int | None, int | None, int | None],
        tier: str | None = None,
        *,
        at: time | None = None,
    ) -> Cost:
        """The cost of one call of `model` on `day` (UTC day of the event) with `usage` (see `Tokens`).

        `tier` is the service tier as the provider wrote it (batch, flex, priority, default, ...). `at` is the UTC time
        of day, for the few models with peak hours; without it they are priced as at noon. Neither input nor output tokens
        reported, or a negative count, cannot be priced: unknown.
        """
        tokens_in, tokens_out, read, write, reasoning = usage
        if (tokens_in is None and tokens_out is None) or len(model) > _LONGEST_MODEL:
            return UNKNOWN
        plan = self._plan(provider, model, day, tier)
        if plan is None:
            return UNKNOWN
        if plan.peaks is not None:
            plan = plan.at(at or _NOON)
            if plan is None:
                return UNKNOWN
        tokens_in, tokens_out = tokens_in or 0, tokens_out or 0
        read, write, reasoning = read or 0, write or 0, reasoning or 0
        if (tokens_in | tokens_out | read | write | reasoning) < 0:  # the sign of an OR is that of its operands
            return UNKNOWN
        uncached = max(tokens_in - read - write, 0)
        answer = max(tokens_out - reasoning, 0)
        rates = plan.base
        if plan.steps:
            size = uncached + read + write
            for start, larger in plan.steps:
                if size > start:
                    rates = larger
                    break
        if (plan.input_unpriced and (uncached or read or write)) or (plan.output_unpriced and (answer or reasoning)):
            return UNKNOWN
        amount = uncached * rates.uncached + answer * rates.output + rates.request
        if read or write or reasoning:
            amount += read * rates.cache_read + write * rates.cache_write + reasoning * rates.reasoning
        if plan.scale != 1:
            amount = _divide_half_even(amount, plan.scale)
        return Cost(amount, plan.source)

    def _resolve(self, provider: str | None, model: str, day: date, tier: str | None) -> _Plan | None:
        """What rules 1 to 4 of the module say for one model on one day. None = no price."""
        if isinstance(day, datetime):
            # A datetime is a date to Python, but would make every call a cache miss and cannot be compared with days.
            raise TypeError("day must be a date, the UTC day of the event")
        wanted = _tier_of(tier)
        listed = _find(provider, model)
        for rule in self._overrides:
            if not rule.matches(provider, model, day, wanted, listed):
                continue
            override = rule.override
            own_tier = rule.tier is not None
            factor = Fraction(1) if own_tier else self._tiers.get(wanted, Fraction(1))
            if override.multiplier is None:
                return _plan_of(_override_price(override), factor, "override")
            # A tier's own multiplier is one of the standard price; a general one applies to whatever the tier costs.
            return self._listed_plan(
                listed, day, None if own_tier else wanted, Fraction(override.multiplier), "override"
            )
        return self._listed_plan(listed, day, wanted, Fraction(1), "computed")

    def _listed_plan(
        self, listed: _Listed | None, day: date, tier: str | None, factor: Fraction, source: CostSource
    ) -> _Plan | None:
        if listed is None:
            return None
        bounds = _peak_bounds(listed.model)
        if not bounds:
            return self._listed_plan_at(listed, datetime.combine(day, _NOON, UTC), tier, factor, source)
        plans = tuple(
            self._listed_plan_at(listed, datetime.combine(day, bound, UTC), tier, factor, source) for bound in bounds
        )
        return None if not any(plans) else _Plan(1, source, _FREE, (), False, False, (bounds, plans))

    def _listed_plan_at(
        self, listed: _Listed, moment: datetime, tier: str | None, factor: Fraction, source: CostSource
    ) -> _Plan | None:
        price: ModelPrice | None
        if tier is None:
            price = listed.model.get_prices(moment)
        else:
            price = _variant_price(listed, moment, tier)
            if price is None and tier in self._tiers:
                price = listed.model.get_prices(moment)
                factor *= self._tiers[tier]
        if price is None:
            return None
        if not _price_items(price):
            # The data drops prices of 0 and also lists models it has no price for. Only OpenRouter's `:free` ids,
            # which Azure's list shares, say that nothing is what the call costs.
            return _plan_of(_FREE_PRICE, factor, source) if listed.model.id.endswith(":free") else None
        return _plan_of(price, factor, source)


# --- rates ----------------------------------------------------------------------------------------------------


class _Rates(NamedTuple):
    """Prices for one size of input, in 1/scale picodollars per token; `request` is per call."""

    uncached: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int
    request: int


class _Plan(msgspec.Struct, frozen=True, gc=False):
    """How to price a call of one model on one day in one tier, with integers only."""

    scale: int
    """Rates are in 1/scale picodollars: 1 unless a listed price is finer than 1e-6 USD per million tokens."""
    source: CostSource
    base: _Rates
    steps: tuple[tuple[int, _Rates], ...]
    """(threshold, rates of an input larger than it), largest threshold first."""
    input_unpriced: bool
    """Input is sold by another unit (audio hours, characters), so tokens do not tell its price."""
    output_unpriced: bool
    peaks: tuple[tuple[time, ...], tuple[_Plan | None, ...]] | None
    """Start of each part of the day and its plan, for models with peak hours; the other fields mean nothing then."""

    def at(self, clock: time) -> _Plan | None:
        assert self.peaks is not None
        bounds, plans = self.peaks
        return plans[bisect_right(bounds, clock.replace(tzinfo=None)) - 1]


_NOON = time(12)
_FREE = _Rates(0, 0, 0, 0, 0, 0)
_FREE_PRICE = ModelPrice(input_mtok=Decimal(0), output_mtok=Decimal(0))

# USD per million tokens, and per thousand requests, as picodollars per token and per request.
_PER_MTOK = Fraction(PICODOLLARS_PER_USD, 10**6)
_PER_KCOUNT = Fraction(PICODOLLARS_PER_USD, 10**3)

# Price keys that a call's tokens do not answer for but that its input or output may be sold by. Prices of extras
# (web searches, storage searches) are not among them: they come on top of the tokens, and only when used.
_OTHER_UNITS = frozenset(
    {
        "audio_hours",
        "input_audio_hours",
        "input_mchars",
        "input_text_messages_kcount",
        "input_document_kpages",
        "input_annotated_document_kpages",
    }
)


def _plan_of(price: ModelPrice, factor: Fraction, source: CostSource) -> _Plan:
    """Integer rates of a price; `factor` multiplies them all."""
    items = _price_items(price)
    starts = sorted({tier.start for value in items.values() if isinstance(value, TieredPrices) for tier in value.tiers})
    exact = [_exact_rates(items, size, factor) for size in (0, *(start + 1 for start in starts))]
    scale = lcm(*(rate.denominator for rates in exact for rate in rates))
    base, *larger = (_Rates(*(int(rate * scale) for rate in rates)) for rates in exact)
    other_units = not _OTHER_UNITS.isdisjoint(items)
    other_output = any(key.startswith("output_") and key != "output_mtok" for key in items)
    return _Plan(
        scale=scale,
        source=source,
        base=base,
        steps=tuple(reversed(list(zip(starts, larger, strict=True)))),
        input_unpriced="input_mtok" not in items,
        # No output price at all is how an embedding model is listed: its output costs nothing.
        output_unpriced="output_mtok" not in items and (other_units or other_output),
        peaks=None,
    )


def _exact_rates(items: Mapping[str, Decimal | TieredPrices], size: int, factor: Fraction) -> list[Fraction]:
    """Rates in picodollars for an input of `size` tokens, in the order of `_Rates`."""

    def rate(key: str, unit: Fraction, default: Fraction) -> Fraction:
        value = items.get(key)
        if value is None:
            return default
        if isinstance(value, TieredPrices):
            amount = next((tier.price for tier in reversed(value.tiers) if size > tier.start), value.base)
        else:
            amount = value
        return Fraction(amount) * unit * factor

    zero = Fraction(0)
    uncached = rate("input_mtok", _PER_MTOK, zero)
    output = rate("output_mtok", _PER_MTOK, zero)
    return [
        uncached,
        rate("cache_read_mtok", _PER_MTOK, uncached),
        rate("cache_write_mtok", _PER_MTOK, uncached),
        output,
        rate("output_reasoning_mtok", _PER_MTOK, output),
        rate("requests_kcount", _PER_KCOUNT, zero),
    ]


def _price_items(price: ModelPrice) -> dict[str, Decimal | TieredPrices]:
    return {key: value for key, value in vars(price).items() if value is not None}


def _divide_half_even(amount: int, scale: int) -> int:
    quotient, rest = divmod(amount, scale)
    if 2 * rest > scale or (2 * rest == scale and quotient & 1):
        quotient += 1
    return quotient


# --- overrides and tiers --------------------------------------------------------------------------------------


class _Rule:
    """An override, ready to be matched."""

    def __init__(self, override: PriceOverride) -> None:
        self.override = override
        self.tier = _tier_of(override.tier)
        pattern = ".*".join(re.escape(part) for part in override.model.strip().lower().split("*"))
        self._model = re.compile(pattern, re.DOTALL)
        self._providers = None if override.provider is None else _provider_names(override.provider)

    def matches(self, provider: str | None, model: str, day: date, tier: str | None, listed: _Listed | None) -> bool:
        override = self.override
        if self.tier is not None and self.tier != tier:
            return False
        if override.effective_from is not None and day < override.effective_from:
            return False
        if override.effective_to is not None and day > override.effective_to:
            return False
        if self._providers is not None:
            # An event that does not name its provider belongs to the one its model was found at.
            names = _provider_names(provider) if provider else {listed.provider.id} if listed else set()
            if self._providers.isdisjoint(names):
                return False
        return any(self._model.fullmatch(reference) for reference in _references(model))


def _override_price(override: PriceOverride) -> ModelPrice:
    return ModelPrice(
        input_mtok=override.input_per_mtok,
        output_mtok=override.output_per_mtok,
        cache_read_mtok=override.cache_read_per_mtok,
        cache_write_mtok=override.cache_write_per_mtok,
        output_reasoning_mtok=override.reasoning_per_mtok,
    )


# What providers call the tier everybody is on, and their longer names of the others (Gemini's traffic types).
_STANDARD_TIERS = frozenset({"", "default", "standard", "standard_only", "auto", "on_demand", "normal"})
_TIER_ALIASES = {"on_demand_flex": "flex", "on_demand_priority": "priority"}


def _tier_of(raw: str | None) -> str | None:
    """The tier in lower case; None for the standard one."""
    if raw is None:
        return None
    name = raw.strip().lower().replace("-", "_")
    return None if name in _STANDARD_TIERS else _TIER_ALIASES.get(name, name)


def _variant_price(listed: _Listed, moment: datetime, tier: str) -> ModelPrice | None:
    """The listed price of a model in a tier, None if the tier is not listed at that moment."""
    # A fallback's variants are those of another seller.
    if not listed.own:
        return None
    # Batch is listed as a way of processing, the rest as service tiers, Anthropic's fast mode as a speed.
    context = {"processing": tier, "service_tier": tier, "speed": tier}
    for variant in listed.model.price_variants or ():
        if variant.constraint is not None and not variant.constraint.active(moment):
            continue
        if all(context.get(key) == value for key, value in variant.when.items()):
            return listed.model.get_prices(moment, context)
    return None


def _peak_bounds(model: ModelInfo) -> tuple[time, ...]:
    """Times of day (UTC) at which the price of a model may change, from midnight on; empty if it never does."""
    priced: Iterable[ConditionalPrice | PriceVariant] = [
        *(() if isinstance(model.prices, ModelPrice) else model.prices),
        *(model.price_variants or ()),
    ]
    bounds: set[time] = set()
    for entry in priced:
        if isinstance(entry.constraint, TimeOfDateConstraint):
            for bound in (entry.constraint.start_time, entry.constraint.end_time):
                bounds.add(datetime.combine(date(2000, 1, 1), bound, bound.tzinfo or UTC).astimezone(UTC).time())
    return tuple(sorted(bounds | {time(0)})) if bounds else ()


def _version(overrides: Sequence[PriceOverride], tiers: Mapping[str | None, Fraction]) -> str:
    version = f"genai-prices {_BOOK_VERSION}"
    if not overrides and not tiers:
        return version
    content = msgspec.json.encode([overrides, sorted((str(name), str(factor)) for name, factor in tiers.items())])
    return f"{version}+{sha256(content).hexdigest()[:8]}"


# --- finding a model ------------------------------------------------------------------------------------------


class _Listed(NamedTuple):
    """A model in the price data, and who sells it."""

    provider: Provider
    model: ModelInfo
    own: bool
    """The provider lists the model itself; otherwise the price is that of the model's maker."""


def _collapse(name: str) -> str:
    """`azure.ai.openai`, `Azure AI OpenAI` and `azure_ai_openai` are one name."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


_BY_ID: dict[str, Provider] = {provider.id: provider for provider in _PROVIDERS}

# Names of providers, collapsed, to ids of the price data. Values of `gen_ai.provider.name` and the older `gen_ai.system`
# (OpenTelemetry semantic conventions), of OpenInference and OpenLLMetry, and prefixes of LiteLLM.
_PROVIDER_IDS: dict[str, str] = {
    **{_collapse(provider_id): provider_id for provider_id in _BY_ID},
    "awsbedrock": "aws",
    "amazonbedrock": "aws",
    "bedrock": "aws",
    "bedrockconverse": "aws",
    "amazon": "aws",
    "azureaiopenai": "azure",
    "azureaiinference": "azure",
    "azaiopenai": "azure",
    "azaiinference": "azure",
    "azureopenai": "azure",
    "azureai": "azure",
    "azureaifoundry": "azure",
    "gcpgemini": "google",
    "gcpgenai": "google",
    "gcpvertexai": "google",
    "vertexai": "google",
    "vertex": "google",
    "gemini": "google",
    "googlegenai": "google",
    "googlegenerativeai": "google",
    "googlevertexai": "google",
    "googleaistudio": "google",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "fireworksai": "fireworks",
    "togetherai": "together",
    "perplexityai": "perplexity",
    "voyage": "voyageai",
    "grok": "x-ai",
}

# Gateways and frameworks pass calls on: who sells the model is in its name.
_GATEWAYS = frozenset({"litellm", "portkey", "helicone", "langchain", "llamaindex", "vercel", "aigateway"})

# Who sells a model whose name says nothing of its seller: makers, whose names are their own.
_MAKERS = ("openai", "anthropic", "google", "mistral", "cohere", "deepseek", "x-ai", "voyageai")

# `us.anthropic.claude-...`, `amazon.nova-pro-v1:0`: Bedrock's ids, with or without a region.
_BEDROCK_ID = re.compile(
    r"(?:(?P<region>us|us-gov|eu|apac|au|jp|ca|in|sa|global)\.)?"
    r"(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral|openai|qwen|stability|writer)\.[a-z].*"
)


def _provider_names(name: str) -> set[str]:
    collapsed = _collapse(name)
    return {collapsed, _PROVIDER_IDS.get(collapsed, collapsed)}


def _references(model: str) -> Iterator[str]:
    """Names under which a model may be listed, the likeliest first: as given, then without path, region, or `@`."""
    reference = model.strip().lower()
    yield reference
    tail = reference.rpartition("/")[2]
    if tail != reference and (reference.startswith("arn:") or "models/" in reference):
        # arn:aws:bedrock:...:inference-profile/ID, models/ID, projects/P/.../models/ID, publishers/P/models/ID
        yield tail
    else:
        tail = reference
    if "@" in tail[1:]:
        yield tail.replace("@", "-")  # Vertex AI writes the date of a Claude model after an @


@lru_cache(maxsize=4_096)
def _find(provider: str | None, model: str) -> _Listed | None:
    """Who sells this model under this name, None if the price data does not say."""
    named = _collapse(provider) if provider else ""
    if named in _GATEWAYS:
        named = ""
    if named:
        # Strictly by table: `vllm-openai` is not OpenAI, so no matching of parts of names.
        provider_id = _PROVIDER_IDS.get(named)
        return None if provider_id is None else _find_at(_BY_ID[provider_id], model)
    return _find_anywhere(model)


def _find_at(provider: Provider, model: str) -> _Listed | None:
    for reference in _references(model):
        names = [reference]
        prefix, slash, rest = reference.partition("/")
        if slash and _PROVIDER_IDS.get(_collapse(prefix)) == provider.id:
            names.append(rest)
        if provider.id == "aws":
            name = reference.rpartition("/")[2]
            names.append(name)
            # Bedrock's regions share one price, except `global`, and not every region of every model is listed.
            match = _BEDROCK_ID.fullmatch(name)
            if match is not None and match["region"] not in (None, "global"):
                names.append(name.partition(".")[2])
        for name in names:
            found = provider.find_model(name, all_providers=_PROVIDERS)
            if found is not None:
                return _Listed(provider, found, any(found is own for own in provider.models))
    return None


def _find_anywhere(model: str) -> _Listed | None:
    for reference in _references(model):
        if reference.startswith("arn:aws") or _BEDROCK_ID.fullmatch(reference):
            return _find_at(_BY_ID["aws"], model)
        prefix, slash, _ = reference.partition("/")
        if slash and (seller := _PROVIDER_IDS.get(_collapse(prefix))) is not None:
            return _find_at(_BY_ID[seller], model)
        for provider in _PROVIDERS:
            if provider.model_match is not None and provider.model_match.is_match(reference):
                found = provider.find_model(reference, all_providers=_PROVIDERS)
                if found is not None:
                    return _Listed(provider, found, any(found is own for own in provider.models))
        if not slash:
            for maker in _MAKERS:
                if (listed := _find_at(_BY_ID[maker], reference)) is not None:
                    return listed
    return None
