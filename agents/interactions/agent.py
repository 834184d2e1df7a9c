"""Stage 1: events to interactions, feedback, evaluations and partial aggregates."""

from __future__ import annotations

from agents.inspection.text import load_models
from agents.interactions.context import Context
from agents.interactions.state import InteractionsState
from streams.agent import Agent


def interactions(context: Context) -> Agent:
    """Reads every event; one state per partition."""
    load_models()
    return Agent("interactions", context.topics.inputs, lambda partition: InteractionsState(partition, context))
