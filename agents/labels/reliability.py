"""How much each signal says: a logistic regression that learns online, from explicit feedback only.

An answer's log-odds that it satisfied its user are the share of satisfied users (Beta counts of what
users said), plus a weight for each thing that is known of the answer. Weights begin with those of
``prior.json`` (``training/labels/combination.py``); what was learned is added in three scopes: the
partition, the tenant, the series (tenant and feature), see ``learner.py``. Behaviour is counted as
its deviation from how often the series shows it, so that its absence says something, as much as is
known to be reported there. Pure arithmetic in the order of the calls; state is plain numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import product
from math import exp, log
from pathlib import Path
from typing import NamedTuple

import msgspec

from agents.labels.learner import Key, step

GLOBAL = ""
"""Name of the scope of the whole partition."""

BASE = 0.65
"""Share of satisfied users before anything is known."""
SCOPE_WEIGHT = (50.0, 40.0, 40.0)
"""Answers a scope needs of its own to count as much as the wider one, for the share of satisfied
users."""
BASES = (0.1, 0.9)
"""What a series is thought to be at the least and the most: where all was well so far, one who says
otherwise is still believed."""
FREQUENT_WEIGHT = 20.0
"""Answers that "this behaviour is not reported here" is worth."""
MOST_SCOPES = 4_000
FORGET_AT = 1_000.0
"""When a scope has this many answers its counts are halved: users may change."""
STIFF, MOST_STIFF = 1.0, 60.0
"""Sums of squared gradients, at first and at the most: weights can always move."""
MOST_LOG_ODDS = 6.0
CLEAR = 0.5
"""Log-odds from which it is taken for said that the answer satisfied or not."""


class Voter(NamedTuple):
    """``explicit``: what users say about an answer; not everyone does, so its absence says nothing.
    ``reaction``: seen in the next turn, or that there is none. Others are behaviour, whose absence
    says something when the session has ended."""

    levels: tuple[str, ...] = ("",)
    explicit: bool = False
    reaction: bool = False


VOTERS: Mapping[str, Voter] = {
    # What users say they think of an answer.
    "thumbs_up": Voter(explicit=True),
    "thumbs_down": Voter(explicit=True),
    "rating": Voter(("low", "middle", "high"), explicit=True),
    "comment": Voter(("bad", "plain", "good"), explicit=True),
    # What they do with it.
    "copy": Voter(),
    "copy_code": Voter(),
    "insert": Voter(),
    "share": Voter(),
    "edit": Voter(("small", "middle", "large")),
    "regenerate": Voter(),
    "escalate": Voter(),
    "abandon": Voter(),
    "tab_close": Voter(),
    "dwell": Voter(("short", "read", "long")),
    # What they write next, if they write. Strong: the detector is sure.
    "reformulation": Voter(("weak", "strong"), reaction=True),
    "complaint": Voter(("declined", "weak", "strong"), reaction=True),
    "acceptance": Voter(("weak", "strong"), reaction=True),
    "topic_change": Voter(reaction=True),
    "session_end": Voter(reaction=True),
}
EXPLICIT = frozenset(name for name, voter in VOTERS.items() if voter.explicit)


class Vote(NamedTuple):
    voter: str
    level: str


VOTES = {
    name: {level: Vote(name, level) for level in voter.levels} for name, voter in VOTERS.items()
}
"""All there are, by voter and level."""
NAMES = {vote: f"{vote.voter}:{vote.level}" for votes in VOTES.values() for vote in votes.values()}
"""Names of the votes and of their weights."""
_BEHAVIOUR = frozenset(
    NAMES[vote]
    for name, votes in VOTES.items()
    if not (VOTERS[name].explicit or VOTERS[name].reaction)
    for vote in votes.values()
)

REACTED, BALANCE, PLACE, LENGTH = "reacted", "balance", "place", "length"
_OUTCOMES = {"refusal": "outcome:refusal"}
_FAILED = "outcome:failed"
FEATURES = (
    *(NAMES[vote] for vote in NAMES if vote.voter not in EXPLICIT),
    REACTED, BALANCE, PLACE, LENGTH, *_OUTCOMES.values(), _FAILED,
)  # fmt: skip
"""Everything that has a weight."""


class Situation(NamedTuple):
    """What the answer was. ``place``: in its session, 0 for the first to 3 for the fifth and later
    ones; ``length``: -1 short, 0, 1 long; ``outcome``: as stage 1 told."""

    place: int
    length: int
    outcome: str

    @classmethod
    def of(cls, before: int, chars: int, outcome: str) -> Situation:
        """Of an answer of ``chars`` characters with ``before`` answers before it."""
        place = min(before, 2) if before < 4 else 3
        return cls(place, -1 if chars < 150 else 0 if chars < 1_000 else 1, outcome)

    def features(self) -> dict[str, float]:
        """As what has a weight; nothing for an ordinary first answer."""
        found = {PLACE: self.place / 2, LENGTH: float(self.length)}
        if self.outcome != "ok":
            found[_OUTCOMES.get(self.outcome, _FAILED)] = 1.0
        return found


class Clues(NamedTuple):
    """What is known of an answer. ``reacted``: a later turn says something of it; ``balance``: the
    tone of that turn (``detectors.Tone.balance``); ``situation``: None while nothing is known that
    a user did."""

    votes: tuple[Vote, ...] = ()
    reacted: bool = False
    balance: float = 0.0
    situation: Situation | None = None

    def features(self) -> dict[str, float]:
        """All but what was said explicitly, as what has a weight."""
        found = {NAMES[vote]: 1.0 for vote in self.votes if vote.voter not in EXPLICIT}
        if self.reacted:
            found[REACTED] = 1.0
            found[BALANCE] = self.balance / 2
        if self.situation is not None:
            found |= self.situation.features()
        return found


class Prior(msgspec.Struct):
    """``said``: log-odds of what users say explicitly, fixed; ``weights``: of everything else, at
    first."""

    said: dict[str, float]
    weights: dict[str, float]


@cache
def prior() -> Prior:
    """What a new series begins with."""
    return msgspec.json.decode(Path(__file__).with_name("prior.json").read_bytes(), type=Prior)


class Learned(msgspec.Struct, array_like=True, gc=False):
    """What was learned in one scope. ``said``: answers of which users said that they satisfied, and
    that they did not; ``weights``: beyond those of the wider scopes; ``squares``: sums of squared
    gradients; ``shown``: how many of the answers showed each behaviour."""

    name: str
    said: list[float] = msgspec.field(default_factory=lambda: [0.0, 0.0])
    weights: dict[str, float] = msgspec.field(default_factory=dict)
    squares: dict[str, float] = msgspec.field(default_factory=dict)
    shown: dict[str, float] = msgspec.field(default_factory=dict)


class Opinion(NamedTuple):
    """``weights``: log-odds that each vote adds, in the order of the votes; ``tone``: what the tone
    of the next turn adds; ``implied``: the rest, such as what is absent, and ``tone``."""

    score: float
    weights: list[float]
    implied: float
    tone: float


class Foretold(NamedTuple):
    """What was thought of an answer from everything but what was said, before that taught, and
    what was said."""

    probability: float
    satisfied: bool


class _Standing:
    """What is known of a series, worked out when it is asked for. ``usual``: how often it shows
    each behaviour; ``silence``: log-odds of an ended session in which nothing of it was seen."""

    __slots__ = ("base", "silence", "usual", "weights")

    def __init__(self, base: float, weights: dict[str, float], usual: dict[str, float]) -> None:
        self.base = base
        self.weights = weights
        self.usual = usual
        self.silence = -sum(share * weights[name] for name, share in usual.items())


class LabelModel:
    """The weights of one partition."""

    def __init__(self) -> None:
        self._prior = prior()
        self._scopes: dict[str, Learned] = {GLOBAL: Learned(GLOBAL)}
        self._dirty: set[str] = set()
        self._standings: dict[str, _Standing] = {}
        """What the scopes amount to, until they change."""

    def judge(self, series: str, evidence: Clues, *, settled: bool = False) -> Opinion:
        """The probability that the user was satisfied. ``settled``: the session has ended, so that
        what has not been seen is absent."""
        standing, said, total = self._standing(series), self._prior.said, 0.0
        own, weights = standing.weights, []
        for vote in evidence.votes:
            name = NAMES[vote]
            weight = said[name] if vote.voter in EXPLICIT else own[name]
            weights.append(weight)
            total += weight
        implied, tone = standing.silence if settled else 0.0, 0.0
        if evidence.reacted:
            tone = own[BALANCE] * evidence.balance / 2
            implied += own[REACTED] + tone
        if evidence.situation is not None:
            for name, value in evidence.situation.features().items():
                implied += own[name] * value
        return Opinion(_logistic(standing.base + total + implied), weights, implied, tone)

    def base(self, series: str) -> float:
        """Share of satisfied users, whatever they did, from those who said what they think: scores
        of other answers would confirm themselves."""
        found = BASE
        for name, weight in zip(_scopes_of(series), SCOPE_WEIGHT, strict=True):
            scope = self._scopes.get(name)
            if scope is not None:
                yes, no = scope.said
                found = (yes + weight * found) / (yes + no + weight)
        return min(max(found, BASES[0]), BASES[1])

    def weight(self, series: str, feature: str) -> float:
        """Log-odds that one of ``FEATURES`` adds in a series."""
        return self._standing(series).weights[feature]

    def learn(self, series: str, evidence: Clues) -> Foretold | None:
        """Take in a settled answer with explicit feedback, once. None, and nothing is learned, if
        users said nothing clear."""
        said = sum(self._prior.said[NAMES[v]] for v in evidence.votes if v.voter in EXPLICIT)
        if abs(said) < CLEAR:
            return None
        standing = self._standing(series)
        seen = evidence.features()
        features = dict(seen)
        for name, share in standing.usual.items():
            features[name] = features.get(name, 0.0) - share
        log_odds = standing.base + sum(standing.weights[f] * x for f, x in features.items())
        satisfied, sure = said > 0, abs(2 * _logistic(said) - 1)
        scopes = self._open(series)
        self._step(scopes, features, log_odds, satisfied, sure)
        for scope in scopes:
            scope.said[0 if satisfied else 1] += sure
            if scope.name == _scopes_of(series)[-1]:
                for name in [name for name in seen if name in _BEHAVIOUR]:
                    scope.shown[name] = scope.shown.get(name, 0.0) + sure
            if sum(scope.said) > FORGET_AT:
                _halve(scope)
        self._standings.clear()
        return Foretold(_logistic(log_odds), satisfied)

    def _step(
        self,
        scopes: Sequence[Learned],
        features: Mapping[str, float],
        log_odds: float,
        satisfied: bool,
        sure: float,
    ) -> None:
        values: dict[Key, float] = {}
        squares: dict[Key, float] = {}
        for (n, scope), (name, value) in product(enumerate(scopes), features.items()):
            values[n, name] = value
            squares[n, name] = scope.squares.get(name, STIFF)
        taken = step(log_odds, values, squares, satisfied=satisfied, sure=sure)
        for n, name in values:
            scope = scopes[n]
            scope.weights[name] = scope.weights.get(name, 0.0) + taken.growth[n, name]
            scope.squares[name] = min(taken.squares[n, name], MOST_STIFF)

    # Persistence

    def take_changes(self) -> list[Learned]:
        """Scopes that have changed since the last call."""
        changed, self._dirty = [self._scopes[name] for name in sorted(self._dirty)], set()
        return changed

    def all(self) -> list[Learned]:
        """Everything that was learned."""
        return list(self._scopes.values())

    def load(self, scopes: Iterable[Learned]) -> None:
        """Restore what the above returned."""
        for scope in scopes:
            self._scopes[scope.name] = scope
        self._standings.clear()

    def __len__(self) -> int:
        return len(self._scopes)

    def _open(self, series: str) -> list[Learned]:
        """The scopes of a series; when there are too many, none is made for a new one."""
        names = [
            name
            for name in _scopes_of(series)
            if name in self._scopes or len(self._scopes) < MOST_SCOPES
        ]
        self._dirty.update(names)
        return [self._scopes.setdefault(name, Learned(name)) for name in names]

    def _standing(self, series: str) -> _Standing:
        scopes = [self._scopes[name] for name in _scopes_of(series) if name in self._scopes]
        key = scopes[-1].name
        found = self._standings.get(key)
        if found is None:
            first = self._prior.weights
            weights = {
                name: _bounded(first[name] + sum(s.weights.get(name, 0.0) for s in scopes))
                for name in FEATURES
            }
            base, usual = self.base(series), {}
            own = self._scopes.get(_scopes_of(series)[-1])
            if own is not None:
                answers = sum(own.said) + FREQUENT_WEIGHT
                usual = {name: count / answers for name, count in sorted(own.shown.items())}
            found = _Standing(log(base / (1 - base)), weights, usual)
            self._standings[key] = found
        return found


def _scopes_of(series: str) -> tuple[str, str, str]:
    """Names of the scopes of a series, the widest first."""
    return GLOBAL, f"t{series.partition(chr(10))[0]}", f"s{series}"


def _bounded(odds: float) -> float:
    return min(max(odds, -MOST_LOG_ODDS), MOST_LOG_ODDS)


def _halve(scope: Learned) -> None:
    scope.said = [value / 2 for value in scope.said]
    scope.shown = {name: value / 2 for name, value in scope.shown.items()}


def _logistic(x: float) -> float:
    return 1 / (1 + exp(-x))
