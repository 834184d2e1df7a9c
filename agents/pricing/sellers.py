"""Who lists a model: the seller itself, or its maker where the seller is known to charge the
maker's price."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from genai_prices.data import providers as _PROVIDERS
from genai_prices.types import ModelInfo, Provider

from agents.pricing.corrections import CORRECTIONS, at
from agents.pricing.names import BEDROCK_ID, Written


class Listed(NamedTuple):
    """A model, and who sells it."""

    seller: str
    name: str
    """The name it was found under, in lower case."""
    model: ModelInfo | None
    """None: only `corrections.toml` has its price."""
    maker: str | None = None
    """Whose prices the seller charges, if it does not list the model itself."""

    @property
    def own(self) -> bool:
        """Whether the seller lists the model itself."""
        return self.maker is None

    @property
    def id(self) -> str:
        """What corrections call the model: its id in the price data, or the name it was found
        under."""
        return self.model.id.lower() if self.model is not None else self.name


BY_ID: dict[str, Provider] = {provider.id: provider for provider in _PROVIDERS}

# Who sells a model whose name says nothing of its seller: makers, whose names are their own.
_MAKERS = ("openai", "anthropic", "google", "mistral", "cohere", "deepseek", "x-ai", "voyageai")


def find(written: Written, day: date) -> Listed | None:
    """Who sells a model under one of its names on a day, None if nobody is known to list it."""
    for seller in _sellers(written):
        for name in written.names:
            if (listed := _listed_at(seller, name, day)) is not None:
                return listed
    return None


def _sellers(written: Written) -> Iterator[str]:
    if written.seller is not None:
        yield written.seller
        return
    for name in written.names:
        if BEDROCK_ID.fullmatch(name):
            yield "aws"
            return
        for provider in _PROVIDERS:
            if provider.model_match is not None and provider.model_match.is_match(name):
                yield provider.id
        if name.startswith("ft:"):
            yield "openai"
    yield from _MAKERS


def _listed_at(seller: str, name: str, day: date) -> Listed | None:
    model = BY_ID[seller].find_model(name)
    listed = Listed(seller, name, model)
    if any(at(CORRECTIONS.not_listed, seller, name, day)):
        return None
    if model is not None:
        return None if any(at(CORRECTIONS.not_listed, seller, listed.id, day)) else listed
    for resold in CORRECTIONS.resold:
        if resold.seller == seller and resold.about(name, day):
            maker = _listed_at(resold.maker, name, day)
            if maker is not None:
                return maker._replace(seller=seller, maker=resold.maker)
    if any(price.input_mtok is not None for price in at(CORRECTIONS.prices, seller, name, day)):
        return listed
    return None
