"""Stage 2: partial aggregates to cost windows."""

from __future__ import annotations

from agents.cost.state import CostState
from streams.agent import Agent
from streams.topics import Topics


def cost(topics: Topics, source: str) -> Agent:
    """Reads the partial aggregates of all stage 1 partitions; one state per partition of series."""
    return Agent("cost", (topics.partials,), lambda partition: CostState(source))
