"""Usage to findings about budgets, rate limits and loops."""

from __future__ import annotations

from agents.budgets.rules import Rules
from agents.budgets.state import BudgetState
from streams.agent import Agent
from streams.topics import Topics


def budgets(topics: Topics, rules: Rules, source: str, settle: float) -> Agent:
    """Reads the usage of all stage 1 partitions; one state per partition of groups. ``source``: the Kafka cluster; ``settle``: seconds
    after its window in which a call is expected to end."""

    def new_state(partition: int) -> BudgetState:
        return BudgetState(partition, rules, findings=topics.findings, source=source, sources=topics.partitions, settle=settle)

    return Agent("budgets", (topics.usage,), new_state, prompt=True)
