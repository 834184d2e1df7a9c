"""Stage 2: sampled answers to drift and its cause."""

from __future__ import annotations

from agents.detectors.named import names
from agents.drift.embedding import Embedding
from agents.drift.settings import DriftSettings
from agents.drift.state import DriftState
from streams.agent import Agent
from streams.topics import Topics


def drift(topics: Topics, settings: DriftSettings, source: str) -> Agent:
    """Reads the samples of all stage 1 partitions and what operators accept; one state per partition of features.

    Raises EmbeddingError if the embedding of ``settings`` does not work.
    """
    names()  # imports river now: with the first answers it would hold all else on the worker
    embedding = Embedding(settings.embedding) if settings.embedding else None

    def new_state(partition: int) -> DriftState:
        return DriftState(partition, source, topics.findings, topics.accepts, settings, topics.partitions, embedding)

    return Agent("drift", (topics.samples, topics.accepts), new_state)
