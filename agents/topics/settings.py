"""The table ``[topics]`` of mirante.toml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Cosine = Annotated[float, Meta(gt=0, lt=1)]


class TopicSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How alike questions of a topic are, and how many topics are remembered."""

    enabled: bool = False
    """Whether questions are clustered. It costs some 0.2 ms for each of the answers that are
    sampled for drift, nothing for the others, and 130 MB of memory for scikit-learn."""
    likeness: Cosine = 0.45
    """Cosine to the centre of a topic from which a question belongs to it."""
    merge: Cosine = 0.93
    """Cosine of two centres from which two topics are one."""
    least: Annotated[int, Meta(ge=2)] = 3
    """Questions that make a topic; before, they are counted as ``__other__``."""
    max_topics: Annotated[int, Meta(ge=10)] = 3_000
    """Remembered per partition, those that may become one included; the longest idle of these
    gives way. One takes 3 kB."""
    per_feature: Annotated[int, Meta(ge=10)] = 1_000
    """And of one feature."""
    fade: Annotated[float, Meta(gt=0)] = 7 * 86_400.0
    """Seconds of event time without a question after which a topic is forgotten."""


def topic_settings(table: Mapping[str, Any]) -> TopicSettings:
    """The table ``[topics]``. Raises ``ValueError`` that names the key."""
    try:
        return msgspec.convert(dict(table), TopicSettings)
    except msgspec.ValidationError as error:
        raise ValueError(f"[topics]: {error}") from error
