"""What is remembered of sessions and of their answers. A session is the turns of one ``session_id`` without a pause longer than the gap."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from typing import NamedTuple

import msgspec

from agents.labels.reliability import EXPLICIT, VOTES, Clues, Situation, Vote
from schemas.turns import Turn

THUMBS = "thumbs"
"""Up or down: the later one counts."""


class Said(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A vote of a feedback event. Of one kind the latest counts, so a repeat changes nothing."""

    time: float
    event_id: str
    vote: Vote


class Reaction(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The first turn that the user asked with this answer before their eyes, and what it says about
    the answer. ``balance``: its tone beyond the votes (``detectors.Tone.balance``)."""

    time: float
    request_id: str
    event_id: str | None
    votes: list[Vote]
    balance: float = 0.0


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


class Known(msgspec.Struct, array_like=True, gc=False):
    """What is known of an answer. ``learned``: it has taught."""

    said: dict[str, Said] = {}
    reaction: Reaction | None = None
    repeat: Repeat | None = None
    published: Published | None = None
    final: bool = False
    learned: bool = False


class SessionHead(msgspec.Struct, array_like=True, gc=False):
    """``key``: s and the session's id, or r and the request's of a turn that is a session of its own. ``start`` and ``last``: first and
    last activity, epoch seconds.

    ``forgotten``: time up to which answers of this session have been given up for want of room.
    """

    serial: int
    key: str
    start: float
    last: float
    ended: bool = False
    forgotten: float = 0.0


class Session(msgspec.Struct, eq=False):
    """``id``: its ``session_id``, if it has one; ``answers`` in the order of (time of the request, id); ``awaited``: somebody will look
    whether it has ended. It and its answers refer to each other; ``Memory.part`` parts those that are forgotten."""

    head: SessionHead
    id: str | None
    answers: list[Answer] = []
    awaited: bool = False

    @classmethod
    def of(cls, head: SessionHead) -> Session:
        """The session of a head, without answers."""
        return cls(head, head.key[1:] if head.key[0] == "s" else None)

    def add(self, answer: Answer) -> int:
        """Where it stands now."""
        answers = self.answers
        if not answers or answers[-1].turn.time < answer.turn.time:
            answers.append(answer)
            return len(answers) - 1
        at = bisect_left(answers, _position(answer), key=_position)
        answers.insert(at, answer)
        return at


class Names(NamedTuple):
    """Many answers have these in common, and few there are of them. ``series``: what answers are thought to be alike in."""

    tenant: str
    feature: str
    model: str
    series: str


@lru_cache(maxsize=8_192)
def _names(tenant: str, feature: str, model: str) -> Names:
    return Names(tenant, feature, model, f"{tenant}\n{feature}")


class Answer(msgspec.Struct, eq=False):
    """An answer and everything known about it. ``there``: when the user had it before their eyes, epoch seconds; ``series``: as in
    ``Names``; ``judged``: its score has counted for satisfaction; ``about``: of its label as JSON what all versions begin with, until the
    final one."""

    session: Session
    turn: Turn
    there: float
    series: str
    known: Known
    judged: bool = False
    about: bytes = b""

    @classmethod
    def to(cls, turn: Turn, session: Session) -> Answer:
        """The answer to a turn, with the names of its series held once."""
        turn.tenant, turn.feature, turn.model, series = _names(turn.tenant, turn.feature, turn.model)
        turn.session_id = session.id  # the same, held once
        return cls(session, turn, turn.ended if turn.ended > turn.time else turn.time, series, Known())

    @property
    def balance(self) -> float:
        """Tone of the turn that reacted to it; 0 if none did. Who asks again sounds as an ordinary
        question does, which is no praise."""
        reaction = self.known.reaction
        if reaction is None:
            return 0.0
        return reaction.balance if self.known.repeat is None else max(reaction.balance, 0.0)

    @property
    def reacted(self) -> bool:
        """Whether a later turn says something about it."""
        return self.known.reaction is not None or self.known.repeat is not None

    def evidence(self) -> tuple[tuple[Vote, ...], list[str | None]]:
        """Votes and the events they were seen in: what users did in the order in which it was first heard of, then what they wrote, then
        that they left."""
        known, session = self.known, self.session
        left = session.head.ended and session.answers[-1] is self
        votes: list[Vote] = []
        events: list[str | None] = []
        for said in known.said.values():
            votes.append(said.vote)
            events.append(said.event_id)
        reaction, repeat = known.reaction, known.repeat
        if reaction is not None:
            for vote in reaction.votes:
                votes.append(vote)
                events.append(reaction.event_id)
        if repeat is not None:
            votes.append(REPEATS[repeat.level])
            events.append(repeat.event_id)
        if left:
            votes.append(LEFT)
            events.append(None)
        return tuple(votes), events

    def clues(self) -> tuple[Clues, list[str | None]]:
        """Everything that its label is judged by, and the events its votes were seen in."""
        known, session = self.known, self.session
        reacted = known.reaction is not None or known.repeat is not None
        if not reacted and not known.said:  # most answers
            left = session.head.ended and session.answers[-1] is self
            return _CLUES_LEFT if left else _NO_CLUES
        votes, events = self.evidence()
        before = bisect_left(session.answers, _position(self), key=_position)
        situation = Situation.of(before, self.turn.answer_chars, self.turn.outcome)
        return Clues(votes, reacted, self.balance, situation), events

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


def session_key(turn: Turn) -> str:
    """What turns of one session have in common: their ``session_id``, or each its request where
    there is none."""
    return f"r{turn.request_id}" if turn.session_id is None else f"s{turn.session_id}"


def _position(answer: Answer) -> tuple[float, str]:
    return answer.turn.time, answer.turn.request_id


LEFT = VOTES["session_end"][""]
DECLINED = VOTES["complaint"]["declined"]
REPEATS = VOTES["reformulation"]
_NO_CLUES: tuple[Clues, list[str | None]] = Clues(), []
_CLUES_LEFT: tuple[Clues, list[str | None]] = Clues((LEFT,)), [None]


def _kind(voter: str) -> str:
    """Of one kind the latest counts."""
    return THUMBS if voter.startswith(THUMBS) else voter


_EXPLICIT_KINDS = frozenset(map(_kind, EXPLICIT))
