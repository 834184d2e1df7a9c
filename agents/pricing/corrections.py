"""`corrections.toml`: what the price data of genai-prices lacks or has wrong, with the source of
every entry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, time
from decimal import Decimal
from functools import cached_property
from importlib.resources import files
from typing import Protocol, TypeVar

import msgspec

from agents.pricing.patterns import compiled


class Correction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """What every entry has: whom it is about, when it holds (UTC days, inclusive), and where that
    is written."""

    source: str
    models: tuple[str, ...] = ("*",)
    effective_from: date | None = None
    effective_to: date | None = None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return compiled(self.models)

    def about(self, model: str, day: date) -> bool:
        """Whether the entry speaks of a model (in lower case) on a day."""
        if self.effective_from is not None and day < self.effective_from:
            return False
        if self.effective_to is not None and day > self.effective_to:
            return False
        return self._pattern.fullmatch(model) is not None


class Price(Correction, frozen=True, kw_only=True):
    """Prices in USD per million tokens, added to those that are listed or instead of them.

    With `over_input_tokens` they hold for all tokens of a call whose input is larger.
    """

    provider: str
    over_input_tokens: int | None = None
    input_mtok: Decimal | None = None
    output_mtok: Decimal | None = None
    cache_read_mtok: Decimal | None = None
    cache_write_mtok: Decimal | None = None
    cache_write_1h_mtok: Decimal | None = None
    input_audio_mtok: Decimal | None = None
    output_audio_mtok: Decimal | None = None
    requests_kcount: Decimal | None = None

    def items(self) -> Iterator[tuple[str, Decimal]]:
        """(key of genai-prices, price) of what is given."""
        for key in PRICE_KEYS:
            value = getattr(self, key)
            if value is not None:
                yield key, value


PRICE_KEYS = tuple(
    field for field in Price.__struct_fields__ if field.endswith(("_mtok", "_kcount"))
)


class CacheWrites(Correction, frozen=True, kw_only=True):
    """What an hour's cache write costs where it is not listed, as a multiple of the input price."""

    one_hour: Decimal


class NotListed(Correction, frozen=True, kw_only=True):
    """A listing that is no evidence of what this provider charges."""

    provider: str


class Resold(Correction, frozen=True, kw_only=True):
    """A seller who charges what the maker lists. Nobody else's price follows from the maker's."""

    seller: str
    maker: str


class TierFactor(Correction, frozen=True, kw_only=True):
    """A service tier that is not listed, as a multiple of the standard price."""

    provider: str
    tier: str
    factor: Decimal


class TierHistory(Correction, frozen=True, kw_only=True):
    """Since when a tier had its listed price, if that is earlier than the day it was looked up."""

    provider: str
    tier: str


class Region(Correction, frozen=True, kw_only=True, rename={"excluded": "except"}):
    """A premium for where a call is served: a factor of every token price."""

    provider: str
    regions: tuple[str, ...]
    factor: Decimal
    excluded: tuple[str, ...] = ()

    @cached_property
    def _regions(self) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
        return compiled(self.regions), compiled(self.excluded) if self.excluded else None

    def holds_in(self, region: str) -> bool:
        """Whether the premium is charged in a region (in lower case)."""
        wanted, excluded = self._regions
        return wanted.fullmatch(region) is not None and (
            excluded is None or excluded.fullmatch(region) is None
        )


class Fee(Correction, frozen=True, kw_only=True):
    """What one request of a kind costs, USD."""

    provider: str
    name: str
    usd: Decimal


class LowerBound(Correction, frozen=True, kw_only=True):
    """A model whose calls cost more than their tokens say."""

    provider: str
    why: str


class OffPeak(Correction, frozen=True, kw_only=True):
    """Days without peak hours: the price of the time of day `at` (UTC) holds all day. `days`:
    ISO, Monday is 1."""

    provider: str
    days: frozenset[int]
    at: time


class Corrections(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of `corrections.toml`. `checked`: the day it was last compared with its sources."""

    checked: date
    prices: list[Price]
    cache_writes: list[CacheWrites]
    not_listed: list[NotListed]
    resold: list[Resold]
    tiers: list[TierFactor]
    tier_history: list[TierHistory]
    regions: list[Region]
    fees: list[Fee]
    lower_bounds: list[LowerBound]
    off_peak: list[OffPeak]


class _Sold(Protocol):
    @property
    def provider(self) -> str: ...

    def about(self, model: str, day: date) -> bool: ...


_S = TypeVar("_S", bound=_Sold)


def at(entries: list[_S], provider: str, model: str, day: date) -> Iterator[_S]:
    """The entries about a provider's model on a day, in the order of the file."""
    return (entry for entry in entries if entry.provider == provider and entry.about(model, day))


CORRECTIONS = msgspec.toml.decode(
    files("agents.pricing").joinpath("corrections.toml").read_bytes(),
    type=Corrections,
    strict=False,
)
