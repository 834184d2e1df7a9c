"""What the guards found to findings about bursts and first occurrences."""

from __future__ import annotations

from agents.guards.settings import GuardSettings
from agents.guards.state import GuardsState
from streams.agent import Agent
from streams.topics import Topics


def guards(topics: Topics, settings: GuardSettings, source: str) -> Agent:
    """Reads what all stage 1 partitions saw; one state per partition of users, documents and features. ``source``: the Kafka cluster."""

    def new_state(partition: int) -> GuardsState:
        return GuardsState(partition, source, topics.findings, settings, topics.partitions)

    return Agent("guards", (topics.guarded,), new_state, prompt=True)
