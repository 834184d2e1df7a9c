"""Numbers that somebody named to findings."""

from __future__ import annotations

from collections.abc import Sequence

from agents.watch.settings import Watch
from agents.watch.state import WatchState
from streams.agent import Agent
from streams.topics import Topics


def watch(topics: Topics, watches: Sequence[Watch], source: str) -> Agent:
    """Reads what all stage 1 partitions saw; one state per partition of series. ``source``: the
    Kafka cluster."""

    def new_state(partition: int) -> WatchState:
        return WatchState(partition, source, topics.findings, watches, topics.partitions)

    return Agent("watch", (topics.followed,), new_state)
