"""What stage 1 tells the agent ``watch``: numbers of calls, scores, and where the answers belong
that scores are given to."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class WatchPlace(NamedTuple):
    """A series of a watch: the values of its dimensions, in the order of ``by``."""

    watch: str
    series: tuple[str, ...]


class Measured(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A number of a call that was answered at ``time`` (epoch seconds). ``id``: a hash of its
    response, by which repeats are known."""

    place: WatchPlace
    id: int
    time: float
    value: float


class AnsweredCall(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Where a score of this answer counts. ``id``: a hash of ``response_id``."""

    id: int
    time: float
    places: list[WatchPlace]


class ScoreGiven(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A score given at ``time``. ``id``, ``response``: hashes of ``event_id``, ``response_id``."""

    watch: str
    id: int
    response: int
    time: float
    value: float


class Followed(msgspec.Struct, array_like=True, gc=False):
    """The message from one source partition. ``clock``: event time up to which it has told of
    everything. Scores go to every partition: the one that knows the answer uses them."""

    source: str
    partition: int
    clock: float
    rests: bool
    measured: list[Measured] = []
    answered: list[AnsweredCall] = []
    scores: list[ScoreGiven] = []
