"""Rows of the agent ``topics`` (see ``schemas/rows.py`` for what rows have in common)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from schemas.rows import TableRow

OTHER = "__other__"
"""The topic of questions that belong to none."""


class TopicRow(TableRow):
    """What users of a feature ask about. ``version``: its sampled questions so far.

    Identity: feature and topic_id. ``merged_into``: the topic that goes on for it.
    """

    TABLE: ClassVar[str] = "topics_data"

    topic_id: str
    version: int
    name: str
    terms: list[str]
    first_seen: datetime
    last_seen: datetime
    feature: str = ""
    questions: int = 0
    merged_into: str = ""
    example_response_ids: list[str] = msgspec.field(default_factory=list)


class TopicWindowRow(TableRow):
    """The calls of a topic in a window: ``calls`` were sampled, the other columns count all that
    they stand for, latency aside. Sort key: feature, topic_id, window_start, window_seconds, tenant.
    A repeat is identical."""

    TABLE: ClassVar[str] = "topic_windows_data"

    window_start: datetime
    window_seconds: int
    topic_id: str
    calls: int
    requests: int
    tenant: str = "default"
    feature: str = ""
    cost_usd: str = "0"
    refusals: int = 0
    errors: int = 0
    latency_p99_ms: float | None = None


class TopicCallRow(TableRow):
    """Of which topic a sampled call is. Sort key: feature, topic_id, time, response_id. A repeat is
    identical. ``weight``: calls that it stands for."""

    TABLE: ClassVar[str] = "topic_calls_data"

    time: datetime
    response_id: str
    topic_id: str
    weight: float
    tenant: str = "default"
    feature: str = ""
