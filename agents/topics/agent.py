"""Stage 2: sampled questions to topics."""

from __future__ import annotations

from agents.topics.settings import TopicSettings
from streams.agent import Agent
from streams.topics import Topics


def question_topics(
    topics: Topics, settings: TopicSettings, per_period: int, source: str
) -> Agent:
    """Reads the samples of all stage 1 partitions; one state per partition of features.

    ``per_period``: how many answers of a feature and model stage 1 samples per 30 s.
    """
    # Here and not above: scikit-learn takes a second to import, and whoever is not asked about
    # topics need not wait for it.
    from agents.topics.state import TopicsState

    def new_state(partition: int) -> TopicsState:
        return TopicsState(
            partition,
            source,
            findings=topics.findings,
            settings=settings,
            per_period=per_period,
            sources=topics.partitions,
        )

    return Agent("topics", (topics.samples,), new_state)
