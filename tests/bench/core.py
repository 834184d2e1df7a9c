"""A worker with stage 1 and the cost windows alone, to compare with: `python -m tests.bench.core`.

The aims of the throughput benchmark were set when there was nothing else: no budgets, alerts, guards or drift. It stores personal data.
"""

from __future__ import annotations

import asyncio

from agents.budgets.rules import Rules
from agents.cost.agent import cost
from agents.interactions.agent import interactions
from agents.interactions.context import Context
from agents.pricing import PriceBook
from streams.agent import Agent
from streams.prepare import prepare
from streams.settings import Settings, load_settings
from streams.topics import Topics
from streams.worker import run
from tests.bench import smoke
from tests.bench.stage1 import Unmasked
from tests.bench.throughput import core
from tests.bench.unguarded import switch_off


def core_agents(settings: Settings, source: str) -> list[Agent]:
    switch_off()
    topics = Topics.of(settings)
    return [interactions(Context(settings, topics, PriceBook(), source, Rules([]), Unmasked(b""))), cost(topics, source)]


def main() -> None:
    settings = load_settings()
    source = asyncio.run(prepare(settings))
    run(settings, core_agents(settings, source), source)


if __name__ == "__main__":
    if smoke.asked_for():
        asyncio.run(core(smoke.EVENTS, [], {}))
    else:
        main()
