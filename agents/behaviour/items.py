"""What stage 1 tells the agent ``behaviour``: answered calls, users' negative signals, and scores. Internal, not part of the contract.

A call goes to the partition of its tenant and feature, where a shadow meets the call it shadows; a signal and a score, which do not name
a feature, to every partition. An item may be repeated after a crash; ``id`` identifies it within its kind. Moments are epoch seconds of
event time. All texts are masked.
"""

from __future__ import annotations

import msgspec

MAX_QUESTION = 500
MAX_ANSWER = 600
"""Longest texts, in characters; more is cut off."""
MAX_TASK = 32_768
"""Longest task for a judge, in bytes; a longer one is not kept for it."""


class Ran(msgspec.Struct, array_like=True, gc=False, tag=0):
    """An answered chat or completion call. ``id``: its request_id; ``time``: when the answer came; ``cost``: picodollars.

    ``template``: fingerprint of the prompt text with its variables left out, None without text. ``task``: the JudgeTask as JSON, if this
    call may be shown to a judge, and ``doubts`` why it is doubtful. ``draw``: 0..1, uniform, the call's own.
    """

    id: str
    time: float
    asked: float
    response_id: str
    tenant: str
    feature: str
    model: str
    variant: str
    shadow_of: str
    prompt_name: str
    prompt_sha: str
    template: int | None
    user: str
    outcome: str
    output_chars: int
    latency_ms: float | None
    cost: int | None
    question: str
    answer: str
    draw: float
    doubts: list[str] = []
    task: bytes | None = None


class Disliked(msgspec.Struct, array_like=True, gc=False, tag=1):
    """A negative signal about a response or request. ``id``: of its event."""

    id: str
    time: float
    tenant: str
    response_id: str
    request_id: str
    kind: str


class Scored(msgspec.Struct, array_like=True, gc=False, tag=2):
    """An evaluation. ``id``: of its event."""

    id: str
    time: float
    tenant: str
    response_id: str
    name: str
    score: float


Item = Ran | Disliked | Scored


class Items(msgspec.Struct, array_like=True, gc=False):
    """A message from one source partition to one partition of the topic, with the sender's progress (agents/common/taps.py).

    ``clock`` is 0 in all but the last of the messages of one checkpoint.
    """

    source: str
    partition: int
    clock: float
    rests: bool
    items: list[Item] = []
