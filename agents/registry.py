"""Which agents a worker runs."""

from __future__ import annotations

from agents.cost.agent import cost
from agents.interactions.agent import interactions
from agents.interactions.pricing import PriceBook, read_overrides
from agents.interactions.state import Context
from streams.agent import Agent
from streams.settings import Settings, SettingsError
from streams.topics import Topics


def price_book(settings: Settings) -> PriceBook:
    """The price book of the settings. Raises SettingsError naming the table and the field that is wrong."""
    try:
        return PriceBook(read_overrides(settings.prices), settings.tiers)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def agents(settings: Settings, source: str) -> list[Agent]:
    """All agents, for input whose offsets belong to the Kafka cluster ``source``."""
    topics = Topics.of(settings)
    return [interactions(Context(settings, topics, price_book(settings), source)), cost(topics, source)]
