"""The table ``[behaviour]`` of mirante.toml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(gt=0, le=1)]


class BehaviourSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sensitivity and bounds of what watches prompt versions, shadows and repeated questions, and of the judge's sample."""

    enabled: bool = False
    """Whether any of this is done. It costs about 50 microseconds and 2 kB through Kafka per call."""
    settle: Annotated[float, Meta(ge=0, le=3_600)] = 30.0
    """Seconds of event time that calls wait for those of other partitions."""
    max_waiting: Annotated[int, Meta(ge=100)] = 20_000
    """Calls that wait, per partition."""
    unversioned_share: Share = 0.05
    """Share of a feature's calls of the last hour without a Git SHA that is told."""
    unversioned_requests: Annotated[int, Meta(ge=2)] = 20
    """And so many of them at least; as many of a version whose text was changed."""
    max_prompts: Annotated[int, Meta(ge=10)] = 2_000
    """Prompt versions watched per partition; the longest unused gives way."""
    max_live: Annotated[int, Meta(ge=10)] = 5_000
    """Live calls per partition that a shadow may still come for."""
    shadow_alpha: Annotated[float, Meta(gt=0, lt=0.5)] = 0.05
    """Chance of ever calling a shadow better or worse, in any metric, that is neither."""
    shadow_margin: Annotated[float, Meta(ge=0, lt=1)] = 0.02
    """Difference of outcomes and scores (0 to 1), and relative difference of cost and latency, that does not matter."""
    questions: bool = True
    """Whether repeated questions are looked for."""
    similarity: Share = 0.8
    """Similarity from which questions are the same (agents/behaviour/questions.py)."""
    questions_per_second: Annotated[int, Meta(ge=1)] = 50
    """Questions in words not seen before that are compared, per partition and second of event time; others in such words are left out."""
    max_groups: Annotated[int, Meta(ge=10)] = 5_000
    """Questions remembered per partition; the longest not asked gives way."""
    judge: list[str] = []
    """What judges score, such as ``helpfulness``. Empty: no tasks for judges."""
    judge_per_hour: Annotated[int, Meta(ge=1)] = 20
    """Calls of each feature and model that are sampled per hour of event time, and as many of the doubtful."""
    judge_candidates: Share = 0.2
    """Share of calls that are kept as candidates for the judge; doubtful ones always are."""
    max_candidates: Annotated[int, Meta(ge=1)] = 500
    """Candidates per partition that a negative signal may still come for."""


def behaviour_settings(table: Mapping[str, Any]) -> BehaviourSettings:
    """The table ``[behaviour]``. Raises ``ValueError`` that names the key."""
    try:
        return msgspec.convert(dict(table), BehaviourSettings)
    except msgspec.ValidationError as error:
        raise ValueError(f"[behaviour]: {error}") from error
