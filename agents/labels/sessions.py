"""What is remembered of sessions and of their answers. A session is the turns of one ``session_id`` without a pause longer than the gap."""

from __future__ import annotations

import msgspec

from agents.labels.reliability import VOTERS, Vote
from schemas.turns import Turn

THUMBS = "thumbs"
"""Up or down: the later one counts."""


class Said(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A vote of a feedback event. Of one kind the latest counts, so a repeat changes nothing."""

    time: float
    event_id: str
    voter: str
    level: str


class Reaction(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The first turn that the user asked with this answer before their eyes, and what it says about the answer."""

    time: float
    request_id: str
    event_id: str | None
    votes: list[Vote]


class Repeat(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The turn that asks the same again most clearly."""

    probability: float
    event_id: str | None
    level: str


class Published(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What the last version said."""

    version: int
    label: str
    score: float
    explicit: bool
    final: bool
    evidence: list[Vote]


class Answer(msgspec.Struct, array_like=True):
    """An answer and everything known about it."""

    session: int
    turn: Turn
    said: dict[str, Said] = {}
    reaction: Reaction | None = None
    repeat: Repeat | None = None
    published: Published | None = None
    final: bool = False
    learned: bool = False
    judged: bool = False

    def evidence(self, ends_session: bool) -> list[tuple[Vote, str | None]]:
        """Every vote with the event it was seen in, in a fixed order."""
        found: list[tuple[Vote, str | None]] = [(Vote(said.voter, said.level), said.event_id) for said in self.said.values()]
        if self.reaction is not None:
            found += [(vote, self.reaction.event_id) for vote in self.reaction.votes]
        if self.repeat is not None:
            found.append((Vote("reformulation", self.repeat.level), self.repeat.event_id))
        if ends_session:
            found.append((Vote("session_end", ""), None))
        return sorted(found, key=lambda item: _ORDER[item[0].voter])

    def hear(self, vote: Vote, time: float, event_id: str) -> bool:
        """Take a vote of a feedback event. False if it is known or an older one of its kind."""
        kind = THUMBS if vote.voter.startswith(THUMBS) else vote.voter
        known = self.said.get(kind)
        if known is not None and (known.time, known.event_id) >= (time, event_id):
            return False
        self.said[kind] = Said(time, event_id, vote.voter, vote.level)
        return True


class Session(msgspec.Struct, array_like=True):
    """``answers``: request ids in the order of (time of the request, id). ``start`` and ``last``: first and last activity, epoch seconds.

    ``forgotten``: time up to which answers of this session have been given up for want of room.
    """

    serial: int
    key: str
    start: float
    last: float
    answers: list[str] = []
    ended: bool = False
    forgotten: float = 0.0


_ORDER = {name: position for position, name in enumerate(VOTERS)}
