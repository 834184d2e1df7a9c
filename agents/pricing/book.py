"""The price book: what one model call cost, at the prices of the day it happened.

Prices come from the data packaged with `genai-prices` (USD per million tokens, with their history;
read offline, never refreshed over the network), from `corrections.toml` where that data is silent
or wrong, and from what an operator says in `mirante.toml` (docs/prices.md). Which price applies,
first that answers:

1. the last matching override (`[[prices]]`);
2. the price listed for the model at the seller, on the day, for the tier and region that served the
   call;
3. the standard price times a factor, if the tier has no listed price: of `corrections.toml`, then
   of `[tiers]`;
4. none: `Cost(None, "unknown")`. An unknown price is never 0.

A maker's price is no evidence for another seller's, except where `corrections.toml` names a source
that says so.

Money is an integer number of **picodollars** (1e-12 USD), so sums are exact in any order. A price
of at most six decimals per million tokens is a whole number of picodollars per token; a finer one
is kept as an exact fraction and the total of a call is rounded once, half to even.

Tokens follow the OpenTelemetry convention: `input` includes tokens read from and written to a
cache, `output` includes reasoning; tokens of audio and images are inside both. Hence

    uncached = max(input - cache_read - cache_write, 0)   at the input price
    cache_read, cache_write, cache_write_1h               at their own price, else the input price
    answer   = max(output - reasoning, 0)                 at the output price
    reasoning                                             at its own price, else the output price

A service that reports cached tokens *outside* the input breaks the convention; where that shows
(cached tokens exceed the input) every reported token is still charged once: nothing is uncached and
the input counts as cache_read + cache_write. The same holds for reasoning beyond the output. Prices
that depend on the size of the input apply to all tokens of the call once the whole input, cached or
not, is *larger* than the threshold, as providers bill.

Text needs no breakdown by modality, except at models of speech and images, whose tokens alone do
not tell the price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256

import msgspec
from genai_prices import __version__ as _BOOK_VERSION

from agents.pricing.corrections import CORRECTIONS
from agents.pricing.listed import ListPrice, list_price, moments
from agents.pricing.names import Written, provider_id, provider_names, read, served_in
from agents.pricing.overrides import (
    Aliases,
    ModelAlias,
    OverrideRule,
    PriceOverride,
    factors,
    region_of,
    tier_of,
)
from agents.pricing.rates import ExplainedCost, Plan, SizeRates, plan_of, text_cost, whole_cost
from agents.pricing.sellers import Listed, find
from agents.pricing.usage import UNKNOWN, Cost, Tokens

# A longer text is no model's name (an ARN has at most 2,048 characters) and must not fill the
# cache.
_LONGEST_MODEL = 2_048

_NOON = time(12)


class PriceBook:
    """Prices a call in picodollars. Pure and deterministic: same arguments, same cost, on every
    machine.

    `tiers` are multipliers of the standard price for service tiers whose price is not listed. What
    a (provider, model, day, tier, region) costs is resolved once and kept in a bounded cache; a hit
    costs well under a microsecond.

    >>> from datetime import date
    >>> day = date(2025, 6, 1)
    >>> PriceBook().price("openai", "gpt-4o-2024-08-06", day, Tokens(input=1_000, output=100))
    Cost(picodollars=3500000000, source='computed')
    """

    def __init__(
        self,
        overrides: Sequence[PriceOverride] = (),
        tiers: Mapping[str, Decimal | float] | None = None,
        models: Sequence[ModelAlias] = (),
        *,
        cache_size: int = 16_384,
    ) -> None:
        self._tiers = factors(tiers)
        # Newest first, so that the first match is the last one written.
        self._rules = tuple(OverrideRule(override) for override in reversed(overrides))
        self._aliases = Aliases(models)
        self._version = _version(overrides, self._tiers, models)
        self._plan = lru_cache(maxsize=cache_size)(self._resolve)

    @property
    def version(self) -> str:
        """Names the prices used, for every row: the data's version, the day of the corrections, and
        a hash of what `mirante.toml` says if it says anything."""
        return self._version

    def price(
        self,
        provider: str | None,
        model: str,
        day: date,
        usage: Tokens,
        tier: str | None = None,
        *,
        at: time | None = None,
        region: str | None = None,
    ) -> Cost:
        """The cost of one call of `model` on `day` (UTC day of the event) with `usage`.

        `tier` is the service tier that served the call, as the provider wrote it (batch, flex,
        priority, default, ...). `region` is where it was served, as the provider calls it
        (`us-east5`, `global`, `eu`). `at` is the UTC time of day, for the few models with peak
        hours; without it they are priced as at noon. No token and no request reported, or a
        negative count, cannot be priced: unknown.
        """
        (
            tokens_in,
            tokens_out,
            cached,
            write,
            reasoning,
            hour,
            a_in,
            a_out,
            i_in,
            i_out,
            requests,
            understood,
            audio_read,
            image_read,
        ) = usage
        if len(model) > _LONGEST_MODEL:
            return UNKNOWN
        plan = self._plan(provider, model, day, tier, region)
        if plan is not None and plan.peaks is not None:
            plan = plan.at(at or _NOON)
        if plan is None:
            return UNKNOWN
        if (
            not plan.plain
            or tokens_in is None
            or tokens_out is None
            or requests
            or not understood
            or hour
            or a_in
            or a_out
            or i_in
            or i_out
            or audio_read
            or image_read
        ):
            return UNKNOWN if _negative(usage) else whole_cost(plan, usage).cost
        cached, write, reasoning = cached or 0, write or 0, reasoning or 0
        if (
            tokens_in | tokens_out | cached | write | reasoning
        ) < 0:  # the sign of an OR is that of its operands
            return UNKNOWN
        return text_cost(plan, tokens_in, tokens_out, cached, write, reasoning)

    def explain(
        self,
        provider: str | None,
        model: str,
        day: date,
        usage: Tokens,
        tier: str | None = None,
        *,
        at: time | None = None,
        region: str | None = None,
    ) -> ExplainedCost:
        """What `price` says, and why it is not the whole price."""
        plan = (
            self._plan(provider, model, day, tier, region) if len(model) <= _LONGEST_MODEL else None
        )
        plan = plan.at(at or _NOON) if plan is not None else None
        if plan is not None:
            if _negative(usage):
                return ExplainedCost(UNKNOWN, ("a count is negative",))
            return whole_cost(plan, usage)
        written = read(provider, model)
        if provider and not written.names:
            return ExplainedCost(UNKNOWN, (f"no price list of {provider} is known",))
        if find(written, day) is None:
            seller = f" of {written.seller}" if written.seller else ""
            return ExplainedCost(UNKNOWN, (f"no price list{seller} has this model",))
        if tier_of(tier) is not None:
            return ExplainedCost(UNKNOWN, (f"the tier {tier} has no listed price",))
        return ExplainedCost(UNKNOWN, ("the model is listed without a price",))

    def _resolve(
        self, provider: str | None, model: str, day: date, tier: str | None, region: str | None
    ) -> Plan | None:
        """What rules 1 to 4 of the module say for one model on one day. None = no price."""
        if isinstance(day, datetime):
            # A datetime is a date to Python, but would make every call a cache miss and cannot be
            # compared with days.
            raise TypeError("day must be a date, the UTC day of the event")
        written = read(provider, model)
        names = [model.strip().lower(), *written.names]
        alias = self._aliases.resolve(provider, model, written)
        if alias is not None:
            provider = alias[0]
            written = read(*alias)
            names += [alias[1].strip().lower(), *written.names]
        wanted, where = tier_of(tier), region_of(region) or written.region
        listed = find(served_in(written, where), day)
        providers = _providers(provider, written, listed)
        rules = [rule for rule in self._rules if rule.matches(names, providers, day, wanted, where)]
        return self._plan_of(listed, rules, day, wanted, where, names[-1])

    def _plan_of(
        self,
        listed: Listed | None,
        rules: Sequence[OverrideRule],
        day: date,
        tier: str | None,
        region: str | None,
        name: str = "",
    ) -> Plan | None:
        """The plan of a model by the list and the overrides that speak of it, whatever the hour."""
        name = listed.id if listed is not None else name
        bounds = moments(listed, day)
        plans = [
            self._plan_at(name, listed, rules, datetime.combine(day, bound, UTC), tier, region)
            for bound in bounds
        ]
        if len(plans) == 1 or not any(plans):
            return plans[0]
        return Plan(scale=1, base=None, peaks=(bounds, tuple(plans)))

    def _plan_at(
        self,
        name: str,
        listed: Listed | None,
        rules: Sequence[OverrideRule],
        moment: datetime,
        tier: str | None,
        region: str | None,
    ) -> Plan | None:
        def in_tier(tier: str | None) -> ListPrice | None:
            return None if listed is None else list_price(listed, moment, tier, region, self._tiers)

        here = in_tier(tier)
        # A tier's own multiplier is one of the standard price; a general one applies to whatever
        # the tier costs.
        standard = in_tier(None) if any(rule.tier is not None for rule in rules) else None
        thresholds = {0, *(rule.over for rule in rules)}
        for price in (here, standard):
            thresholds |= price.thresholds() if price is not None else set()
        sizes = [self._priced(over, here, standard, rules, tier) for over in sorted(thresholds)]
        first = next((rule for rule in rules if not rule.over), None)
        base = standard if first is not None and first.tier is not None else here
        fees = dict(base.fees) if base is not None else {}
        if first is not None:
            fees = {kind: fee * (first.factor or 1) for kind, fee in fees.items()} | first.fees()
        whole = first is not None and first.factor is None
        return plan_of(
            name,
            sizes,
            fees=fees,
            lower_bound="" if whole or base is None else base.lower_bound,
            audio_is_text=base is None or base.audio_is_text,
        )

    def _priced(
        self,
        over: int,
        here: ListPrice | None,
        standard: ListPrice | None,
        rules: Sequence[OverrideRule],
        tier: str | None,
    ) -> SizeRates:
        """The price of an input larger than `over` tokens (0: of any)."""
        size = over + 1 if over else 0
        rule = next((rule for rule in rules if rule.over <= over), None)
        price = standard if rule is not None and rule.tier is not None else here
        amounts = None if price is None else price.amounts(size)
        if rule is None:
            return SizeRates(over, amounts, "computed")
        if rule.factor is not None:
            scaled = (
                None
                if amounts is None
                else {key: amount * rule.factor for key, amount in amounts.items()}
            )
            return SizeRates(over, scaled, "override")
        factor = Fraction(1) if rule.tier is not None else self._tiers.get(tier, Fraction(1))
        own = {key: amount * factor for key, amount in rule.amounts().items()}
        if amounts is None and here is None and standard is None:
            return SizeRates(over, own, "override")
        kept = {
            key: amount
            for key, amount in (amounts or {}).items()
            if "audio" in key or "image" in key or "video" in key
        }
        hour = (
            {}
            if price is None or price.one_hour is None
            else {"cache_write_1h_mtok": own["input_mtok"] * price.one_hour}
        )
        return SizeRates(over, {**kept, **hour, **own}, "override")


def _negative(usage: Tokens) -> bool:
    counts = (*usage[:10], usage.cache_read_audio, usage.cache_read_image)
    return any(count is not None and count < 0 for count in counts) or any(
        count < 0 for _, count in usage.requests
    )


def _providers(provider: str | None, written: Written, listed: Listed | None) -> set[str]:
    """All names of a call's provider: as given, as its id says, or the one its model was found
    at."""
    names = provider_names(provider) if provider else set()
    if written.seller is not None:
        names.add(written.seller)
    elif listed is not None and (not provider or provider_id(provider) is None):
        names.add(listed.seller)
    return names


def _version(
    overrides: Sequence[PriceOverride],
    tiers: Mapping[str | None, Fraction],
    models: Sequence[ModelAlias],
) -> str:
    version = f"genai-prices {_BOOK_VERSION}, corrections {CORRECTIONS.checked}"
    if not overrides and not tiers and not models:
        return version
    factors = sorted((str(name), str(factor)) for name, factor in tiers.items())
    content = msgspec.json.encode([overrides, factors, models])
    return f"{version}+{sha256(content).hexdigest()[:8]}"
