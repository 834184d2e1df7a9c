"""Partial aggregates to findings about cost, traffic, failures and latency."""

from __future__ import annotations

from collections.abc import Sequence

from agents.anomaly.settings import AnomalySettings
from agents.anomaly.slo import Objective
from agents.anomaly.state import AnomalyState
from streams.agent import Agent
from streams.topics import Topics


def anomaly(topics: Topics, settings: AnomalySettings, objectives: Sequence[Objective], source: str) -> Agent:
    """Reads the partial aggregates of all stage 1 partitions; one state per partition of series. ``source``: the Kafka cluster."""

    def new_state(partition: int) -> AnomalyState:
        return AnomalyState(partition, source, topics.findings, settings, topics.partitions, objectives)

    return Agent("anomaly", (topics.partials,), new_state, prompt=True)
