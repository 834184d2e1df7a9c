"""Alerts and operators' words to switches, and their audit."""

from __future__ import annotations

from collections.abc import Sequence

from agents.controls.rules import SwitchRule
from agents.controls.state import ControlsState
from streams.agent import Agent
from streams.topics import Topics


def controls(topics: Topics, rules: Sequence[SwitchRule], source: str) -> Agent:
    """Reads alerts, the proposals that rules make of them, and the controls themselves. ``source``: the Kafka cluster."""

    def new_state(partition: int) -> ControlsState:
        return ControlsState(
            partition, alerts=topics.alerts, proposals=topics.switches, controls=topics.controls,
            partitions=topics.partitions, source=source, rules=rules,
        )  # fmt: skip

    return Agent("controls", (topics.alerts, topics.switches, topics.controls), new_state, prompt=True)
