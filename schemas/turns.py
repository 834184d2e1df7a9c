"""What stage 1 tells the agent ``labels``: answered user-facing calls and users' signals. Internal, not part of the public contract.

A message may be repeated or regrouped after a crash; ``request_id`` identifies a turn and ``event_id`` a signal, repeats change nothing.
Moments are epoch seconds of event time.
"""

from __future__ import annotations

import msgspec

MAX_TEXT = 400
"""Longest text of a question or comment, in characters, which is what detectors read; more is cut off."""


class Turn(msgspec.Struct, array_like=True, gc=False):
    """One answered interaction of a user-facing chat call. ``question``: the last user message, personal data masked."""

    request_id: str
    response_id: str
    session_id: str | None
    """None: a session of its own."""
    tenant: str
    feature: str
    model: str
    time: float
    """Of the request."""
    ended: float
    """Of the response."""
    question: str
    answer_chars: int
    event_id: str | None = None
    """Of the request event: what signals inferred from its question were seen in."""
    outcome: str = "ok"
    """As of the row: ``refusal``, ``truncated``, ..."""


class FeedbackSignal(msgspec.Struct, array_like=True, gc=False):
    """A feedback event. Without ``session_id`` it is sent to every partition; the one that knows the response uses it."""

    event_id: str
    time: float
    kind: str
    value: float | None = None
    comment: str = ""
    """Personal data masked."""
    response_id: str | None = None
    request_id: str | None = None
    session_id: str | None = None


class Turns(msgspec.Struct, array_like=True, gc=False):
    """The message from one source partition to one partition of the topic.

    ``clock``: event time up to which the source has told of everything; ``rests``: nobody has more to read. It is also sent when there are
    neither turns nor signals, so that sessions end.
    """

    source: str
    partition: int
    clock: float
    rests: bool
    turns: list[Turn] = []
    signals: list[FeedbackSignal] = []
