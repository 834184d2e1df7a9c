"""What stage 1 tells the agent ``guards``: attempts to take over the model, and the first personal data of each feature."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from agents.inspection.leaks import Direction

Scope = Literal["user", "session", "document"]


class AttemptsKey(NamedTuple):
    """Whose attempts are counted together. A user without an id is told by the session."""

    scope: Scope
    tenant: str
    value: str


class PiiPlace(NamedTuple):
    """Where a kind of personal data appears."""

    tenant: str
    feature: str
    direction: Direction
    kind: str


class Attempted(msgspec.Struct, array_like=True, gc=False):
    """A call with an attempt. ``time``: when it was answered, epoch seconds. ``by``: the user (or session) that made the call."""

    key: AttemptsKey
    time: float
    request_id: str
    response_id: str
    feature: str
    by: str


class Appeared(msgspec.Struct, array_like=True, gc=False):
    """Personal data in a place, perhaps not for the first time: the sender remembers only so much."""

    place: PiiPlace
    time: float
    response_id: str


class Seen(msgspec.Struct, array_like=True, gc=False):
    """The message from one source partition. ``clock``, ``rests``: as of :class:`agents.common.taps.Head`.

    A repeat after a crash may be grouped otherwise."""

    source: str
    partition: int
    clock: float
    rests: bool
    attempted: list[Attempted] = []
    appeared: list[Appeared] = []
