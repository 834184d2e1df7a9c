"""OpenTelemetry in: the topics of the Collector's Kafka exporter to model calls and steps."""

from __future__ import annotations

import msgspec

from agents.inspection.masking import Masking
from agents.otlp.names import AttributeNames
from agents.otlp.state import OtlpContext, OtlpState
from streams.agent import Agent
from streams.settings import Settings
from streams.topics import Topics


def otlp(settings: Settings, masking: Masking, source: str) -> Agent:
    """Reads spans, log records and what its partitions send each other; one state per partition. ``source``: the Kafka cluster."""
    topics = Topics.of(settings)
    context = OtlpContext(topics, settings.otlp, names_of(settings), masking, source, settings.dedup_window)
    return Agent("otlp", (*topics.telemetry, topics.traces), lambda partition: OtlpState(partition, context))


def names_of(settings: Settings) -> AttributeNames:
    """The attributes to look for: the settings' own first."""
    own = {field.name: tuple(getattr(settings.otlp, field.name)) for field in msgspec.structs.fields(AttributeNames)}
    return AttributeNames(**{name: names + getattr(AttributeNames(), name) for name, names in own.items()})
