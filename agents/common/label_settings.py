"""The table ``[labels]`` of mirante.toml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(ge=0, le=7 * 86_400)]
Count = Annotated[int, Meta(ge=1)]


class LabelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Time in seconds of event time, bounds per partition, and when satisfaction counts as fallen."""

    enabled: bool = False
    """Whether answers are labelled. It costs 16 to 75 microseconds per answer, by how much its user does, and about 1.5 kB of memory while
    it is remembered."""
    gap: Annotated[float, Meta(gt=0, le=7 * 86_400)] = 1_800.0
    """Without activity for so long a session has ended, and its labels are final."""
    retention: Seconds = 3_600.0
    """After a session's end, during which feedback still changes its labels."""
    wait: Seconds = 600.0
    """That feedback waits for an answer it names."""
    settle: Seconds = 5.0
    """By which events may trail each other within a topic and are still taken in the order of their times."""
    judged_after: Seconds = 300.0
    """From an answer until its score counts for the satisfaction of its feature."""
    sessions: Count = 10_000
    turns: Annotated[int, Meta(ge=8)] = 200
    """Answers of one session that are remembered; older ones become final."""
    waiting: Count = 10_000
    """Feedback that waits for its answer."""
    pending: Count = 200_000
    """Turns and feedback that wait for the clock; beyond it the earliest are taken before their time."""
    drop: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    """Fall of the mean score that is looked for; smaller ones take longer to be seen, or are not."""
    false_alarms: Annotated[float, Meta(gt=0, le=10)] = 0.01
    """Expected per week and series."""
    baseline: Annotated[int, Meta(ge=20)] = 200
    """Answers from which a series' own level is known."""
    series: Count = 2_000
    """Whose satisfaction is watched; the longest idle gives way."""


def label_settings(table: Mapping[str, Any]) -> LabelSettings:
    """The table ``[labels]``. Raises ``ValueError`` that names the key."""
    try:
        return msgspec.convert(dict(table), LabelSettings)
    except msgspec.ValidationError as error:
        raise ValueError(f"[labels]: {error}") from error
