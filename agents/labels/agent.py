"""Stage 2: turns and users' signals to labels."""

from __future__ import annotations

from agents.labels.detectors import Detectors
from agents.labels.state import LabelsState
from streams.agent import Agent


def labels(turns: str, topic: str, *, partitions: int, source: str) -> Agent:
    """Reads ``turns`` of all stage 1 partitions, writes to ``topic``; one state per home partition of sessions."""
    detectors = Detectors()
    return Agent(
        "labels",
        (turns,),
        lambda partition: LabelsState(
            partition, labels=topic, source=source, sources=partitions, partitions=partitions, detectors=detectors
        ),
    )
