"""Sums of scores to findings about satisfaction."""

from __future__ import annotations

from agents.common.label_settings import LabelSettings
from agents.satisfaction.state import SatisfactionState
from streams.agent import Agent
from streams.topics import Topics


def satisfaction(topics: Topics, settings: LabelSettings, source: str) -> Agent:
    """Reads the sums of all partitions of ``labels``; one state per partition of series. ``source``: the Kafka cluster."""
    return Agent(
        "satisfaction",
        (topics.satisfaction,),
        lambda partition: SatisfactionState(partition, source, topics.findings, settings, topics.partitions),
        prompt=True,
    )
