"""What passes between the publisher and whoever carries events away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol


class Event(NamedTuple):
    """An event as it travels. ``topic``: requests, responses, feedback or evaluations; ``key``:
    session_id, else request_id; ``value``: JSON on one line."""

    topic: str
    key: str
    value: bytes


class Outcome(NamedTuple):
    """``stored``: durable. ``later``: try again, not before ``wait`` seconds if that is given.
    ``refused``: the same again will be refused again."""

    kind: Literal["stored", "later", "refused"]
    why: str = ""
    wait: float | None = None

    @classmethod
    def stored(cls) -> Outcome:
        return cls("stored")

    @classmethod
    def later(cls, why: str, wait: float | None = None) -> Outcome:
        return cls("later", why, wait)

    @classmethod
    def refused(cls, why: str) -> Outcome:
        return cls("refused", why)


class Sender(Protocol):
    """Carries events away, from one thread. ``send`` returns when their fate is known, and never
    raises for what a network does. All events of a batch share the outcome."""

    name: str

    def send(self, events: Sequence[Event]) -> Outcome: ...

    def close(self) -> None: ...
