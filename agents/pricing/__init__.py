"""The price book: what a call cost, at the prices of the day it happened."""

from agents.pricing.book import PriceBook
from agents.pricing.overrides import (
    ModelAlias,
    PriceOverride,
    read_models,
    read_overrides,
    read_tiers,
)
from agents.pricing.rates import PICODOLLARS_PER_USD
from agents.pricing.usage import Cost, CostSource, Tokens

__all__ = [
    "PICODOLLARS_PER_USD",
    "Cost",
    "CostSource",
    "ModelAlias",
    "PriceBook",
    "PriceOverride",
    "Tokens",
    "read_models",
    "read_overrides",
    "read_tiers",
]
