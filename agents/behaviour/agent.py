"""Calls, signals and scores to prompt findings, shadow pairs, cache candidates and tasks for judges."""

from __future__ import annotations

from agents.behaviour.settings import BehaviourSettings
from agents.behaviour.state import BehaviourState
from agents.behaviour.tap import BehaviourTap
from streams.agent import Agent
from streams.topics import Topics


def behaviour(topics: Topics, settings: BehaviourSettings, source: str) -> Agent:
    """Reads what :func:`behaviour_tap` sends; one state per partition of features. ``source``: the Kafka cluster."""

    def new_state(partition: int) -> BehaviourState:
        return BehaviourState(
            partition, source, findings=topics.findings, tasks=topics.judge_tasks, partitions=topics.partitions, settings=settings
        )

    return Agent("behaviour", (topics.calls,), new_state)


def behaviour_tap(topics: Topics, settings: BehaviourSettings) -> BehaviourTap:
    """What stage 1 needs to tell this agent."""
    return BehaviourTap(topics.calls, topics.partitions, settings)
