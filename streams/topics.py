"""The names of the topics, and what each needs of the broker (the public ones: section 1 of the contract)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.settings import Settings

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
"""A poisoned value of 20 MB must reach the dead letters, base64 and all."""

_KEEP = {"cleanup.policy": "delete", "retention.ms": "-1"}


@dataclass(frozen=True)
class Topic:
    """A topic as it is created: ``config`` in the broker's own terms."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Topics:
    """All topics of one installation. ``inputs`` are co-partitioned: number p of each goes to the same worker."""

    prefix: str
    partitions: int

    @classmethod
    def of(cls, settings: Settings) -> Topics:
        return cls(settings.topic_prefix, settings.partitions)

    @property
    def requests(self) -> str:
        return f"{self.prefix}requests"

    @property
    def responses(self) -> str:
        return f"{self.prefix}responses"

    @property
    def feedback(self) -> str:
        return f"{self.prefix}feedback"

    @property
    def evaluations(self) -> str:
        return f"{self.prefix}evaluations"

    @property
    def deadletter(self) -> str:
        return f"{self.prefix}deadletter"

    @property
    def rekeyed(self) -> str:
        """Events on their way to their home partition."""
        return f"{self.prefix}internal.rekeyed"

    @property
    def partials(self) -> str:
        """Absolute partial aggregates from ``interactions`` to ``cost``, by series."""
        return f"{self.prefix}internal.partials"

    def changelog(self, agent: str) -> str:
        """State of an agent, one partition for each of its input partitions."""
        return f"{self.prefix}internal.{agent}.state"

    @property
    def events(self) -> tuple[str, ...]:
        return self.requests, self.responses, self.feedback, self.evaluations

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the agent ``interactions`` reads."""
        return *self.events, self.rekeyed

    def kind_of(self, topic: str) -> str:
        """The event kind a topic carries: ``llm.requests`` -> ``requests``."""
        return topic[len(self.prefix) :]

    def all(self) -> list[Topic]:
        """Every topic Mirante creates."""
        large = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
        return [
            *(Topic(name, self.partitions, large) for name in self.events),
            Topic(self.rekeyed, self.partitions, large),
            Topic(self.partials, self.partitions, large),
            Topic(self.deadletter, self.partitions, large),
            # Trimmed by their writer (streams/changelog.py), never by age: an idle partition's state must not expire.
            Topic(self.changelog("interactions"), self.partitions, _KEEP),
            Topic(self.changelog("cost"), self.partitions, _KEEP),
        ]
