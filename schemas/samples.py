"""What stage 1 tells the agent ``drift``: sampled answers and scores of answers. Internal, not part of the public contract.

A message may be repeated or regrouped after a crash; ``response_id`` identifies a sample and ``event_id`` a score, repeats change
nothing. Moments are epoch seconds of event time, texts have personal data masked.
"""

from __future__ import annotations

import msgspec


class Sample(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """One answered live call. ``rank``: a hash of its session; of a series and period the smallest are kept, so sessions stay whole."""

    rank: int
    response_id: str
    session: str
    time: float
    """Of the response."""
    tenant: str
    feature: str
    model: str
    """As requested: the name a silent change hides behind."""
    served: str
    """As the response names it."""
    fingerprint: str
    environment: str
    prompt_sha: str
    index_version: str
    finish_reason: str
    tool: str
    outcome: str
    question: str
    """The last user message."""
    answer: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    retrieval_score: float | None = None
    """Mean score of the retrieved documents."""
    json_valid: bool | None = None
    rail_blocked: bool = False


class AnswerScore(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """How good an answer was, 0 to 1: an evaluation, or what another agent found out about it. ``name``: of the judge."""

    event_id: str
    response_id: str
    time: float
    name: str
    value: float


class Samples(msgspec.Struct, array_like=True, gc=False):
    """The message from one source partition to one partition of the topic.

    ``clock``: event time up to which the source has told of everything; ``rests``: nobody has more to read. Scores go to every partition:
    the one that holds the sample of the answer uses them.
    """

    source: str
    partition: int
    clock: float
    rests: bool
    samples: list[Sample] = []
    scores: list[AnswerScore] = []


class Acceptance(msgspec.Struct, frozen=True, omit_defaults=True):
    """An operator's word that a series' present behaviour is the right one (``mirante drift accept``), JSON.

    ``model`` empty: all models of the feature.
    """

    feature: str
    reason: str
    model: str = ""
    author: str = ""
    time: str = ""
    """When it was said, RFC 3339; for the record, it counts when it is read."""
