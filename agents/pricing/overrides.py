"""What an operator says of prices in `mirante.toml`: `[[prices]]`, `[[models]]` and `[tiers]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TypeVar

import msgspec

from agents.pricing.names import Written, provider_names
from agents.pricing.patterns import compiled
from agents.pricing.rates import PER_MTOK, PICODOLLARS_PER_USD, fee_name


class PriceOverride(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[prices]]` table: prices in USD per million tokens, or a multiplier of the listed
    price, or fees alone.

    Of the overrides that match a call, the last one counts. One without `tier` speaks for every
    tier, its price times the `[tiers]` multiplier if there is one; one with `tier` gives that
    tier's price as it stands. One with `over_input_tokens` speaks for all tokens of calls whose
    input is larger. `provider` may be any name the provider is known by; `model` and `region` may
    contain `*`. `per_request` gives USD for each request of a kind. Days are UTC and inclusive.

    What prices of an override leave out: cached tokens cost what input does, reasoning what output
    does, an hour's cache write of a Claude model twice the input; audio, images and fees cost what
    the list says if it says so.
    """

    model: str
    provider: str | None = None
    effective_from: date | None = None
    effective_to: date | None = None
    tier: str | None = None
    region: str | None = None
    over_input_tokens: int | None = None
    multiplier: Decimal | None = None
    input_per_mtok: Decimal | None = None
    output_per_mtok: Decimal | None = None
    cache_read_per_mtok: Decimal | None = None
    cache_write_per_mtok: Decimal | None = None
    cache_write_1h_per_mtok: Decimal | None = None
    reasoning_per_mtok: Decimal | None = None
    input_audio_per_mtok: Decimal | None = None
    output_audio_per_mtok: Decimal | None = None
    input_image_per_mtok: Decimal | None = None
    output_image_per_mtok: Decimal | None = None
    per_request: dict[str, Decimal] = {}

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ValueError("model is empty")
        own = {
            name: getattr(self, name) for name in _PRICE_FIELDS if getattr(self, name) is not None
        }
        factor = {} if self.multiplier is None else {"multiplier": self.multiplier}
        fees = {f"per_request.{name}": usd for name, usd in self.per_request.items()}
        for name, value in {**own, **factor, **fees}.items():
            if not value.is_finite() or value < 0:
                raise ValueError(f"{name} must be a finite number, 0 or more, not {value}")
        if own and factor:
            raise ValueError("give either prices or a multiplier of the listed price, not both")
        incomplete = self.input_per_mtok is None or self.output_per_mtok is None
        if incomplete and not factor and (own or not fees):
            raise ValueError("input_per_mtok and output_per_mtok are both needed, or a multiplier")
        if self.effective_from and self.effective_to and self.effective_to < self.effective_from:
            raise ValueError(
                f"effective_to {self.effective_to} is before effective_from {self.effective_from}"
            )
        if self.over_input_tokens is not None and self.over_input_tokens < 1:
            raise ValueError(f"over_input_tokens must be 1 or more, not {self.over_input_tokens}")


# What a `[[prices]]` table calls a price, and the key of genai-prices.
_PRICE_FIELDS = {
    "input_per_mtok": "input_mtok",
    "output_per_mtok": "output_mtok",
    "cache_read_per_mtok": "cache_read_mtok",
    "cache_write_per_mtok": "cache_write_mtok",
    "cache_write_1h_per_mtok": "cache_write_1h_mtok",
    "reasoning_per_mtok": "output_reasoning_mtok",
    "input_audio_per_mtok": "input_audio_mtok",
    "output_audio_per_mtok": "output_audio_mtok",
    "input_image_per_mtok": "input_image_mtok",
    "output_image_per_mtok": "output_image_mtok",
}


class ModelAlias(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"model": "is"}
):
    """One `[[models]]` table: a model called `id` (may contain `*`) is another one, sold by
    `provider`.

    With `provider`, calls that name another provider are left alone; calls that name none are that
    provider's. Of the tables that match, the last one counts.
    """

    id: str
    model: str
    provider: str | None = None

    def __post_init__(self) -> None:
        for name, value in (("id", self.id), ("is", self.model)):
            if not value.strip():
                raise ValueError(f"{name} is empty")


def read_overrides(rows: object) -> tuple[PriceOverride, ...]:
    """The `[[prices]]` tables, as parsed from TOML. Raises ValueError naming the table and the
    field."""
    return _convert(rows, tuple[PriceOverride, ...], "[[prices]]")


def read_models(rows: object) -> tuple[ModelAlias, ...]:
    """The `[[models]]` tables, as parsed from TOML. Raises ValueError naming the table and the
    field."""
    return _convert(rows, tuple[ModelAlias, ...], "[[models]]")


def read_tiers(table: object) -> dict[str, Decimal]:
    """The `[tiers]` table: service tier -> multiplier of the standard price. Raises ValueError."""
    tiers = _convert(table, dict[str, Decimal], "[tiers]")
    for name, factor in tiers.items():
        if not factor.is_finite() or factor < 0:
            raise ValueError(f"[tiers]: {name} must be a finite number, 0 or more, not {factor}")
        if tier_of(name) is None:
            raise ValueError(
                f"[tiers]: {name} is the standard tier, whose price is not a multiple of anything"
            )
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


class OverrideRule:
    """An override, ready to be matched."""

    def __init__(self, override: PriceOverride) -> None:
        self.override = override
        self.tier = tier_of(override.tier)
        self.over = override.over_input_tokens or 0
        self._model = compiled([override.model])
        self._region = None if override.region is None else compiled([override.region])
        self._providers = None if override.provider is None else provider_names(override.provider)

    @property
    def factor(self) -> Fraction | None:
        """What the listed price is multiplied by; None for an override with prices of its own."""
        if self.override.multiplier is not None:
            return Fraction(self.override.multiplier)
        return None if self.override.input_per_mtok is not None else Fraction(1)

    def amounts(self) -> dict[str, Fraction]:
        """Key of genai-prices -> picodollars per token."""
        found = {}
        for field, key in _PRICE_FIELDS.items():
            value = getattr(self.override, field)
            if value is not None:
                found[key] = Fraction(value) * PER_MTOK
        return found

    def fees(self) -> dict[str, Fraction]:
        """Kind of request -> picodollars."""
        fees = self.override.per_request
        return {fee_name(name): Fraction(usd) * PICODOLLARS_PER_USD for name, usd in fees.items()}

    def matches(
        self,
        names: Sequence[str],
        providers: set[str],
        day: date,
        tier: str | None,
        region: str | None,
    ) -> bool:
        """Whether the override speaks of a call: by any of its model's names and of its
        provider's."""
        override = self.override
        if self.tier is not None and self.tier != tier:
            return False
        if override.effective_from is not None and day < override.effective_from:
            return False
        if override.effective_to is not None and day > override.effective_to:
            return False
        if self._region is not None and (region is None or self._region.fullmatch(region) is None):
            return False
        if self._providers is not None and self._providers.isdisjoint(providers):
            return False
        return any(self._model.fullmatch(name) for name in names)


class Aliases:
    """`[[models]]`, ready to be looked up."""

    def __init__(self, aliases: Sequence[ModelAlias]) -> None:
        # Newest first, so that the first match is the last one written.
        self._aliases = [(compiled([alias.id]), alias) for alias in reversed(aliases)]

    def resolve(
        self, provider: str | None, model: str, written: Written
    ) -> tuple[str | None, str] | None:
        """(provider, model) that a call's model really is; None if no alias speaks of it."""
        for pattern, alias in self._aliases:
            if not any(pattern.fullmatch(name) for name in (model.strip().lower(), *written.names)):
                continue
            if alias.provider is None:
                return provider, alias.model
            if not provider or not provider_names(alias.provider).isdisjoint(
                provider_names(provider)
            ):
                return alias.provider, alias.model
        return None


# What providers call the tier everybody is on, and their longer names of the others (Gemini's
# traffic types).
_STANDARD_TIERS = frozenset(
    {"", "default", "standard", "standard_only", "auto", "on_demand", "normal"}
)
_TIER_ALIASES = {"on_demand_flex": "flex", "on_demand_priority": "priority"}


def tier_of(raw: str | None) -> str | None:
    """The tier in lower case; None for the standard one."""
    if raw is None:
        return None
    name = raw.strip().lower().replace("-", "_")
    return None if name in _STANDARD_TIERS else _TIER_ALIASES.get(name, name)


# What stands in the place of a region and names none.
_NO_REGIONS = frozenset({"", "not_available", "unspecified", "none"})


def region_of(raw: str | None) -> str | None:
    """The region in lower case; None if none is named."""
    name = (raw or "").strip().lower()
    return None if name in _NO_REGIONS else name


def factors(tiers: Mapping[str, Decimal | float] | None) -> dict[str | None, Fraction]:
    """`[tiers]` as exact factors of the standard price."""
    return {
        tier_of(name): Fraction(str(factor))
        for name, factor in read_tiers(dict(tiers or {})).items()
    }
