"""How much each signal says: a naive Bayes label model whose voters' reliabilities are learned while they vote.

Every kind of signal is a voter (Dawid & Skene 1979; Ratner et al. 2017). For each of its levels the model knows how often it occurs with
satisfied and with dissatisfied users, as Beta counts: at first those of an honest prior, then those of answers that also have explicit
feedback. That is itself uncertain, so an answer counts with its probability under the present reliabilities (online EM, Cappé & Moulines
2009), and those of explicit votes move slowly. Series (tenant and feature) are shrunk to the partition's counts and those to the prior.
Signals that occur together would be counted twice: a slope below 1, learned by a recursive logistic regression (Platt 1999), takes that
back. Pure arithmetic in the order of the calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import exp, log
from typing import NamedTuple

import msgspec

GLOBAL = ""
"""The counts of the whole partition; every other series has a name of its own."""

PRIOR_WEIGHT = 12.0
"""How many answers the prior is worth."""
EXPLICIT_WEIGHT = 3_000.0
"""The same for explicit votes: they anchor the others, and must not be led away by them."""
DAMPING = 0.85
"""How much of the other votes' weight counts when it is judged who was satisfied: with all of it they would confirm themselves."""
SERIES_WEIGHT = 40.0
"""How many answers of its own a series needs to count as much as the whole."""
BASE = 0.65
"""Share of satisfied users before anything is known."""
BASE_WEIGHT = 50.0
BASES = (0.1, 0.9)
"""What a series is thought to be at the least and the most: where all was well so far, one who says otherwise is still believed."""
SLOPE = 0.9
SLOPE_WEIGHT = 30.0
BALANCE = 0.1
"""Log-odds that a user was dissatisfied, for each of a balance of tones."""
MOST_SERIES = 2_000
FORGET_AT = 20_000.0
"""When a series has this many answers all its counts are halved: reliabilities may change, and counts stay bounded."""
MOST_LOG_ODDS = 6.0

Level = tuple[float, float]
"""How often a level occurs with satisfied and with dissatisfied users."""


class Voter(NamedTuple):
    """``levels``: name -> prior. ``explicit``: what users say about an answer; not everyone does, so its absence says nothing.
    ``reaction``: seen in the next turn, so its absence says something once there is one. Others are behaviour: its absence says something
    when the session has ended, in a series that has been seen to report it (not every service does)."""

    levels: Mapping[str, Level]
    explicit: bool = False
    reaction: bool = False


VOTERS: Mapping[str, Voter] = {
    # What users say they think of an answer: about nine in ten mean it, and the dissatisfied speak more often.
    "thumbs_up": Voter({"": (0.60, 0.10)}, explicit=True),
    "thumbs_down": Voter({"": (0.04, 0.75)}, explicit=True),
    "rating": Voter({"low": (0.02, 0.25), "middle": (0.12, 0.12), "high": (0.25, 0.04)}, explicit=True),
    "comment": Voter({"bad": (0.02, 0.15), "plain": (0.05, 0.05), "good": (0.15, 0.015)}, explicit=True),
    # What they do with it.
    "copy": Voter({"": (0.25, 0.12)}),
    "copy_code": Voter({"": (0.30, 0.13)}),
    "insert": Voter({"": (0.20, 0.07)}),
    "share": Voter({"": (0.06, 0.02)}),
    "edit": Voter({"small": (0.12, 0.05), "middle": (0.08, 0.08), "large": (0.04, 0.08)}),
    "regenerate": Voter({"": (0.04, 0.22)}),
    "escalate": Voter({"": (0.02, 0.10)}),
    "abandon": Voter({"": (0.06, 0.15)}),
    "tab_close": Voter({"": (0.15, 0.18)}),
    "dwell": Voter({"short": (0.12, 0.22), "read": (0.50, 0.38), "long": (0.15, 0.15)}),
    # What they write next, if they write. Strong: the detector is sure.
    "reformulation": Voter({"weak": (0.05, 0.08), "strong": (0.04, 0.22)}, reaction=True),
    "complaint": Voter(
        {
            "declined": (0.035, 0.14),
            "weak": (0.02, 0.06),
            "strong": (0.015, 0.15),
        },
        reaction=True,
    ),
    "acceptance": Voter({"weak": (0.10, 0.03), "strong": (0.20, 0.02)}, reaction=True),
    "topic_change": Voter({"": (0.35, 0.27)}, reaction=True),
    "session_end": Voter({"": (0.30, 0.26)}),
}
EXPLICIT = frozenset(name for name, voter in VOTERS.items() if voter.explicit)
REPORTED = 3.0
"""How often a series must have shown a behaviour before its absence counts."""


class Vote(NamedTuple):
    voter: str
    level: str


VOTES = {name: {level: Vote(name, level) for level in voter.levels} for name, voter in VOTERS.items()}
"""All there are, by voter and level."""
NAMES = {vote: f"{vote.voter}:{vote.level}" for votes in VOTES.values() for vote in votes.values()}
"""Names of the votes' counts."""


class _Level(NamedTuple):
    """``name``: of its counts. How often it is thought to occur at first, and how many answers that is worth."""

    name: str
    satisfied: float
    dissatisfied: float
    weight: float
    reaction: bool


_LEVELS = {
    name: {
        level: _Level(NAMES[VOTES[name][level]], *prior, EXPLICIT_WEIGHT if voter.explicit else PRIOR_WEIGHT, voter.reaction)
        for level, prior in voter.levels.items()
    }
    for name, voter in VOTERS.items()
}
_NEVER = (0.0, 0.0)
_BEHAVIOUR = [
    (name, [NAMES[vote] for vote in VOTES[name].values()]) for name, voter in VOTERS.items() if not (voter.explicit or voter.reaction)
]
"""The voters whose absence counts where they are reported, and the names of their counts."""


class Counts(msgspec.Struct, array_like=True, gc=False):
    """What a series has shown, in answers with explicit feedback. ``seen``: those answers, satisfied and not; ``reacted``: of
    them, those with a next turn."""

    series: str
    seen: list[float] = msgspec.field(default_factory=lambda: [0.0, 0.0])
    reacted: list[float] = msgspec.field(default_factory=lambda: [0.0, 0.0])
    levels: dict[str, list[float]] = msgspec.field(default_factory=dict)


class Slope(msgspec.Struct, array_like=True, gc=False):
    """The logistic regression of explicit feedback on the sum of the other votes: two weights and their precision."""

    slope: float = SLOPE
    offset: float = 0.0
    precision: tuple[float, float, float] = (SLOPE_WEIGHT, 0.0, 1.0)


class Opinion(NamedTuple):
    """``weights``: log-odds that each vote adds, in the order of the votes; ``implied``: of what is absent."""

    score: float
    weights: list[float]
    implied: float


class _Standing:
    """What is known of a series, worked out when it is asked for. ``reported``: voters whose absence counts in it."""

    __slots__ = ("absent", "odds", "reported", "series", "silence")

    def __init__(self, series: str, reported: frozenset[str]) -> None:
        self.series = series
        self.reported = reported
        self.odds: dict[Vote, float] = {}
        self.absent: dict[str, float] = {}
        self.silence: dict[tuple[frozenset[str], bool, bool], float] = {}


class LabelModel:
    """The reliabilities of one partition."""

    def __init__(self) -> None:
        self._counts: dict[str, Counts] = {GLOBAL: Counts(GLOBAL)}
        self._slope = Slope()
        self._dirty: set[str] = set()
        self._standings: dict[str, _Standing] = {}
        """What the counts amount to, until they change."""

    def judge(
        self,
        series: str,
        votes: Sequence[Vote],
        *,
        reacted: bool = False,
        settled: bool = False,
        balance: float = 0.0,
    ) -> Opinion:
        """The probability that the user was satisfied. ``reacted``: a later turn is known;
        ``settled``: the session has ended; ``balance``: the tone of that turn, as
        ``detectors.Tone.balance``."""
        standing, slope = self._standing(series), self._slope.slope
        weights = [self._odds(standing, vote) * (1.0 if vote.voter in EXPLICIT else slope) for vote in votes]
        implied = slope * self._implied(standing, votes, reacted, settled) if reacted or settled else 0.0
        implied -= slope * BALANCE * balance
        return Opinion(_logistic(_logit(self.base(series)) + sum(weights) + implied), weights, implied)

    def base(self, series: str) -> float:
        """Share of satisfied users, whatever they did, from those who said what they think: scores
        of other answers would confirm themselves."""
        whole = self._counts[GLOBAL].seen
        found = (whole[0] + BASE_WEIGHT * BASE) / (whole[0] + whole[1] + BASE_WEIGHT)
        own = None if series == GLOBAL else self._counts.get(series)
        if own is not None:
            answers = own.seen[0] + own.seen[1]
            found = (own.seen[0] + SERIES_WEIGHT * found) / (answers + SERIES_WEIGHT)
        return min(max(found, BASES[0]), BASES[1])

    def rate(self, series: str, vote: Vote) -> Level:
        """How often a level is thought to occur with satisfied and with dissatisfied users."""
        return _rate(*self._counts_of(series), _LEVELS[vote.voter][vote.level])

    def learn(self, series: str, votes: Sequence[Vote], *, reacted: bool = False) -> None:
        """Take in a settled answer with explicit feedback, once. Does nothing if there is none."""
        explicit = [vote for vote in votes if vote.voter in EXPLICIT]
        if not explicit:
            return
        standing = self._standing(series)
        said = sum(self._odds(standing, vote) for vote in explicit)
        others = [vote for vote in votes if vote.voter not in EXPLICIT]
        shown = sum(self._odds(standing, vote) for vote in others) + self._implied(standing, votes, reacted, settled=True)
        self._regress(shown, said)
        truth = _logistic(_logit(self.base(series)) + said + DAMPING * self._slope.slope * shown)
        names, doubt = [NAMES[vote] for vote in votes], 1 - truth
        for counts in self._both(series):
            _add(counts.seen, truth, doubt)
            if reacted:
                _add(counts.reacted, truth, doubt)
            for name in names:
                level = counts.levels.get(name)
                if level is None:
                    level = counts.levels[name] = [0.0, 0.0]
                _add(level, truth, doubt)
            if sum(counts.seen) > FORGET_AT:
                _halve(counts)
        self._standings.clear()

    # Persistence

    def take_changes(self) -> tuple[list[Counts], Slope]:
        """Counts that have changed since the last call, and the slope."""
        changed, self._dirty = [self._counts[name] for name in sorted(self._dirty)], set()
        return changed, self._slope

    def all(self) -> tuple[list[Counts], Slope]:
        """The counts of all series, and the common slope."""
        return list(self._counts.values()), self._slope

    def load(self, counts: Iterable[Counts], slope: Slope) -> None:
        """Restore what the above returned."""
        for item in counts:
            self._counts[item.series] = item
        self._slope = slope
        self._standings.clear()

    def __len__(self) -> int:
        return len(self._counts)

    def _counts_of(self, series: str) -> tuple[Counts, Counts | None]:
        """Of the whole, and of the series if it has some."""
        return self._counts[GLOBAL], None if series == GLOBAL else self._counts.get(series)

    def _both(self, series: str) -> list[Counts]:
        if series not in self._counts and len(self._counts) <= MOST_SERIES:
            self._counts[series] = Counts(series)
        names = [name for name in dict.fromkeys((GLOBAL, series)) if name in self._counts]
        self._dirty.update(names)
        return [self._counts[name] for name in names]

    def _standing(self, series: str) -> _Standing:
        own = self._counts.get(series)
        name = GLOBAL if own is None else series
        found = self._standings.get(name)
        if found is None:
            found = self._standings[name] = _Standing(name, frozenset() if own is None else _reported(own.levels))
        return found

    def _odds(self, standing: _Standing, vote: Vote) -> float:
        """Log-odds of a vote."""
        known = standing.odds.get(vote)
        if known is None:
            known = standing.odds[vote] = _log_odds(self.rate(standing.series, vote))
        return known

    def _absent(self, standing: _Standing, name: str) -> float:
        """Log-odds of none of a voter's levels."""
        known = standing.absent.get(name)
        if known is None:
            satisfied = dissatisfied = 0.0
            whole, own = self._counts_of(standing.series)
            for level in _LEVELS[name].values():
                rate = _rate(whole, own, level)
                satisfied, dissatisfied = satisfied + rate[0], dissatisfied + rate[1]
            known = standing.absent[name] = _log_odds((max(1 - satisfied, 0.01), max(1 - dissatisfied, 0.01)))
        return known

    def _implied(self, standing: _Standing, votes: Sequence[Vote], reacted: bool, settled: bool) -> float:
        """Log-odds of what did not occur although it would have been seen."""
        key = frozenset([vote.voter for vote in votes]), reacted, settled
        known = standing.silence.get(key)
        if known is None:
            known = 0.0
            for name, voter in VOTERS.items():
                if name not in key[0] and ((reacted and voter.reaction) or (settled and name in standing.reported)):
                    known += self._absent(standing, name)
            standing.silence[key] = known
        return known

    def _regress(self, shown: float, said: float) -> None:
        """One step of Newton's method on the posterior of a logistic regression, with its curvature carried on.

        ``shown``: the sum of the other votes; ``said``: log-odds of the explicit ones, which make the target uncertain.
        """
        now = self._slope
        expected = _logistic(now.slope * shown + now.offset)
        curve, error = expected * (1 - expected), _logistic(now.slope * shown + now.offset + said) - expected
        a, b, c = now.precision
        a, b, c = a + curve * shown * shown, b + curve * shown, c + curve
        determinant = a * c - b * b
        slope = now.slope + (c * shown - b) * error / determinant
        offset = now.offset + (a - b * shown) * error / determinant
        if a > FORGET_AT:
            a, b, c = a / 2, b / 2, c / 2
        self._slope = Slope(min(max(slope, 0.2), 1.0), offset, (a, b, c))


def _rate(whole: Counts, own: Counts | None, level: _Level) -> Level:
    """A series' own counts are shrunk to those of the whole, and those to the prior."""
    name, satisfied, dissatisfied, weight, reaction = level
    had, of = whole.levels.get(name, _NEVER), whole.reacted if reaction else whole.seen
    satisfied, dissatisfied = (had[0] + weight * satisfied) / (of[0] + weight), (had[1] + weight * dissatisfied) / (of[1] + weight)
    if own is None:
        return satisfied, dissatisfied
    had, of, weight = own.levels.get(name, _NEVER), own.reacted if reaction else own.seen, SERIES_WEIGHT
    return (had[0] + weight * satisfied) / (of[0] + weight), (had[1] + weight * dissatisfied) / (of[1] + weight)


def _log_odds(rates: Level) -> float:
    odds = log(rates[0] / rates[1])
    return odds if -MOST_LOG_ODDS <= odds <= MOST_LOG_ODDS else MOST_LOG_ODDS if odds > 0 else -MOST_LOG_ODDS


def _reported(levels: Mapping[str, Sequence[float]]) -> frozenset[str]:
    """Voters that a series has been seen to report."""
    found = []
    for voter, names in _BEHAVIOUR:
        seen = 0.0
        for name in names:
            had = levels.get(name)
            if had is not None:
                seen += had[0] + had[1]
        if seen >= REPORTED:
            found.append(voter)
    return frozenset(found)


def _add(counts: list[float], satisfied: float, dissatisfied: float) -> None:
    counts[0] += satisfied
    counts[1] += dissatisfied


def _halve(counts: Counts) -> None:
    counts.seen = [value / 2 for value in counts.seen]
    counts.reacted = [value / 2 for value in counts.reacted]
    counts.levels = {name: [value / 2 for value in level] for name, level in counts.levels.items()}


def _logit(p: float) -> float:
    return log(p / (1 - p))


def _logistic(x: float) -> float:
    return 1 / (1 + exp(-x))
