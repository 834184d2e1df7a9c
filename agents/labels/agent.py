"""Stage 2: turns and users' signals to labels."""

from __future__ import annotations

from agents.common.label_settings import LabelSettings
from agents.labels.detectors import Detectors
from agents.labels.state import LabelsState
from streams.agent import Agent
from streams.topics import Topics


def labels(topics: Topics, settings: LabelSettings, source: str) -> Agent:
    """Reads the turns of all stage 1 partitions; one state per home partition of sessions. ``source``: the Kafka cluster."""
    detectors = Detectors()
    return Agent(
        "labels",
        (topics.turns,),
        lambda partition: LabelsState(
            partition, labels=topics.labels, satisfaction=topics.satisfaction, source=source, sources=topics.partitions,
            partitions=topics.partitions, settings=settings, detectors=detectors,
        ),
    )  # fmt: skip
