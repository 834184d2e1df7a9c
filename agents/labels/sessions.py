"""What is remembered of sessions and of their answers. A session is the turns of one ``session_id`` without a pause longer than the gap."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from sys import intern

import msgspec

from agents.labels.reliability import EXPLICIT, VOTES, Vote
from schemas.turns import Turn

THUMBS = "thumbs"
"""Up or down: the later one counts."""


class Said(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A vote of a feedback event. Of one kind the latest counts, so a repeat changes nothing."""

    time: float
    event_id: str
    vote: Vote


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
    """What the last version said. ``evidence``: names of the votes."""

    version: int
    label: str
    score: float
    final: bool
    evidence: str


Evidence = tuple[Vote, str | None]
"""A vote and the event it was seen in."""


class Known(msgspec.Struct, array_like=True, gc=False):
    """What is known of an answer. ``learned``: it has taught."""

    said: dict[str, Said] = {}
    reaction: Reaction | None = None
    repeat: Repeat | None = None
    published: Published | None = None
    final: bool = False
    learned: bool = False


class SessionHead(msgspec.Struct, array_like=True, gc=False):
    """``start`` and ``last``: first and last activity, epoch seconds.

    ``forgotten``: time up to which answers of this session have been given up for want of room.
    """

    serial: int
    key: str
    start: float
    last: float
    ended: bool = False
    forgotten: float = 0.0


@dataclass(slots=True, eq=False)
class Session:
    """``answers`` in the order of (time of the request, id)."""

    head: SessionHead
    answers: list[Answer] = field(default_factory=list)

    def add(self, answer: Answer) -> int:
        """Where it stands now."""
        answers = self.answers
        if not answers or answers[-1].position < answer.position:
            answers.append(answer)
            return len(answers) - 1
        at = bisect_left(answers, answer.position, key=lambda other: other.position)
        answers.insert(at, answer)
        return at


class Answer:
    """An answer and everything known about it. ``there``: when the user had it before their eyes, epoch seconds; ``series``: what answers
    are thought to be alike in, tenant and feature; ``judged``: its score has counted for satisfaction."""

    __slots__ = ("judged", "known", "position", "series", "session", "there", "turn")

    def __init__(self, session: Session, turn: Turn) -> None:
        self.session = session
        self.turn = turn
        turn.tenant, turn.feature, turn.model = intern(turn.tenant), intern(turn.feature), intern(turn.model)  # many turns, few names
        self.there = turn.ended if turn.ended > turn.time else turn.time
        self.position = turn.time, turn.request_id
        self.series = intern(f"{turn.tenant}\n{turn.feature}")
        self.known = Known()
        self.judged = False

    @property
    def reacted(self) -> bool:
        """Whether a later turn says something about it."""
        return self.known.reaction is not None or self.known.repeat is not None

    def evidence(self) -> list[Evidence]:
        """What users did in the order in which it was first heard of, then what they wrote, then that they left."""
        known = self.known
        found: list[Evidence] = [(said.vote, said.event_id) for said in known.said.values()]
        if known.reaction is not None:
            found += [(vote, known.reaction.event_id) for vote in known.reaction.votes]
        if known.repeat is not None:
            found.append((REPEATS[known.repeat.level], known.repeat.event_id))
        if self.session.head.ended and self.session.answers[-1] is self:
            found.append((LEFT, None))
        return found

    @property
    def explicit(self) -> bool:
        """Whether the user said what they think of it."""
        return not _EXPLICIT_KINDS.isdisjoint(self.known.said)

    def hear(self, vote: Vote, time: float, event_id: str) -> bool:
        """Take a vote of a feedback event. False if it is known or an older one of its kind."""
        kind = _kind(vote.voter)
        said = self.known.said.get(kind)
        if said is not None and (said.time, said.event_id) >= (time, event_id):
            return False
        self.known.said[kind] = Said(time, event_id, vote)
        return True


LEFT = Vote("session_end", "")
REPEATS = {vote.level: vote for vote in VOTES["reformulation"]}


def _kind(voter: str) -> str:
    """Of one kind the latest counts."""
    return THUMBS if voter.startswith(THUMBS) else voter


_EXPLICIT_KINDS = frozenset(map(_kind, EXPLICIT))
