"""Questions that are asked again and again: what a cache in front of the model would have answered.

Two questions are the same if, without filler words ("please", "por favor", articles), case, accents and punctuation, they hold the same
numbers, negations and question words, and their remaining words are alike: Jaccard index of words and of the words' 4-grams, so that
"horário" and "horários" are nearly one. Whether the answers agree is looked at too: where they do not, a cache would have been wrong.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from agents.behaviour.items import Ran
from agents.behaviour.minhash import Band, bands
from agents.behaviour.settings import BehaviourSettings
from agents.behaviour.table import Table
from agents.behaviour.text import likeness, words
from schemas.behaviour_rows import CacheCandidateRow
from schemas.rows import picodollars

MAX_USERS = 256
MAX_ANSWERS = 4
"""Different answers remembered of a group."""
SAME_ANSWER = 0.4
"""Likeness from which two answers say the same, if their numbers are equal."""
MAX_CANDIDATES = 10
"""Groups that are compared with a question: those that share most bands with it."""
_SHOWN = 5
_GRAM = 4
_PACE = "pace"


_SHORT_NOT = re.compile(r"n['’]t\b", re.IGNORECASE)
_SHORTENED = re.compile(r"['’](?:s|re|m|ll|ve|d)\b", re.IGNORECASE)


def _set(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_FILLERS = _set(
    "a an the is are was were be am do does did can could would will shall should may might i we you he she it they me my mine our your us",
    "please pls hi hello hey thanks thank of to in on at for with and or there this that",
    "o a os as um uma uns umas e de do da dos das no na nos nas em para pra por favor eu voce voces meu minha meus minhas seu sua me se",
    "ola oi bom boa dia tarde noite obrigado obrigada gostaria poderia posso pode queria quero saber",
    "esta estao sao ser ter tem que com ao aos",
)
_TURNS = _set("not no dont cant never without nao nunca sem nem jamais cancel enable disable open close start stop")
"""Words that turn a question into another, however alike the rest is."""
_ASKING = _set("who what when where which why how much many quem qual quais quando onde quanto quanta quantos quantas como porque")


class QuestionGroup(msgspec.Struct, array_like=True, gc=False):
    """Questions that are the same. ``users``: hashes; ``answers``: one text of each kind of answer."""

    id: str
    tenant: str
    feature: str
    question: str
    first: float
    last: float
    requests: int = 0
    cost: int = 0
    unpriced: int = 0
    users: list[int] = []
    answers: list[str] = []
    shown: list[str] = []


class Meaning(msgspec.Struct, gc=False):
    """What is compared of a question. ``fixed``: what must be equal."""

    fixed: frozenset[str]
    features: frozenset[str]

    @classmethod
    def of(cls, kept: frozenset[str]) -> Meaning:
        """``kept``: what :func:`said` found."""
        fixed = frozenset(word for word in kept if word in _TURNS or word in _ASKING or not word.isalpha())
        rest = kept - fixed or kept
        features = set(rest)
        for word in rest:
            padded = f"_{word}_"
            features.update(padded[at : at + _GRAM] for at in range(max(1, len(padded) - _GRAM + 1)))
        return cls(fixed, frozenset(features))

    def likeness(self, other: Meaning) -> float:
        """Jaccard index of the features of both questions, 0 to 1; 0 if names or numbers in them
        differ."""
        if self.fixed != other.fixed:
            return 0.0
        return len(self.features & other.features) / len(self.features | other.features)


def said(question: str) -> frozenset[str]:
    """The words of a question that count; empty if there is too little to compare."""
    if "'" in question or "’" in question:
        question = _SHORTENED.sub("", _SHORT_NOT.sub(" not", question))
    kept = frozenset(words(question)) - _FILLERS
    return kept if len(kept) > 1 else frozenset()


class _Index(NamedTuple):
    """Groups of one feature by the words of their question, and by band."""

    exact: dict[frozenset[str], str]
    bands: dict[Band, list[str]]


class Questions:
    """Of one partition."""

    def __init__(self, settings: BehaviourSettings) -> None:
        self._settings = settings
        self.groups: Table[str, QuestionGroup] = Table(settings.max_groups)
        self.pace: Table[str, tuple[int, int]] = Table(1)
        self._meanings: dict[str, Meaning] | None = None
        self._index: dict[tuple[str, str], _Index] = {}
        self._changed: dict[str, CacheCandidateRow] = {}

    def take(self, call: Ran, now: float) -> None:
        """A call that was answered: its question joins its group, or begins one."""
        if not call.question or call.outcome != "ok":
            return
        kept = said(call.question)
        if not kept:
            return
        self._build()
        known = self._index.setdefault((call.tenant, call.feature), _Index({}, {}))
        name = known.exact.get(kept)
        group = self.groups.get(name) if name is not None else self._compared(call, known, kept, now)
        if group is None:
            return
        _count(group, call)
        gone = self.groups.put(group.id, group)
        if group.requests > 1:
            self._changed[group.id] = _row(group)
        for _, old in gone:
            self._remove(old)

    def take_rows(self) -> Iterator[CacheCandidateRow]:
        """The rows of the groups that have changed since the last call."""
        changed, self._changed = self._changed, {}
        yield from changed.values()

    def _compared(self, call: Ran, known: _Index, kept: frozenset[str], now: float) -> QuestionGroup | None:
        """The group that a question in new words joins or begins. None: there are too many of them at this moment.

        Beyond ``questions_per_second`` a group would be forgotten before its question comes again; comparing costs 100 us.
        """
        second, seen = self.pace.get(_PACE) or (0, 0)
        second, seen = (second, seen + 1) if second == int(now) else (int(now), 1)
        self.pace.put(_PACE, (second, seen))
        if seen > self._settings.questions_per_second:
            return None
        meaning = Meaning.of(kept)
        of = bands(meaning.features)
        group = self._nearest(known, meaning, of)
        if group is None:
            key = "\0".join((call.tenant, call.feature, call.id)).encode("utf-8", "replace")
            name = hashlib.blake2b(key, digest_size=8).hexdigest()
            group = QuestionGroup(name, call.tenant, call.feature, call.question, call.asked, call.asked)
            self._enter(group, kept, meaning, of)
        return group

    def _nearest(self, known: _Index, meaning: Meaning, of: list[Band]) -> QuestionGroup | None:
        """The likest group; of equally like ones the first by id."""
        hits: dict[str, int] = {}
        for band in of:
            for name in known.bands.get(band, ()):
                hits[name] = hits.get(name, 0) + 1
        meanings = self._meanings or {}
        best: tuple[float, str] | None = None
        for name in sorted(hits, key=lambda n: (-hits[n], n))[:MAX_CANDIDATES]:
            rank = (-meaning.likeness(meanings[name]), name)
            if -rank[0] >= self._settings.similarity and (best is None or rank < best):
                best = rank
        return None if best is None else self.groups.get(best[1])

    # The index is not part of the state: it follows from the groups.

    def _build(self) -> None:
        if self._meanings is None:
            self._meanings = {}
            for _, group in self.groups:
                kept = said(group.question)
                meaning = Meaning.of(kept)
                self._enter(group, kept, meaning, bands(meaning.features))

    def _enter(self, group: QuestionGroup, kept: frozenset[str], meaning: Meaning, of: list[Band]) -> None:
        assert self._meanings is not None
        self._meanings[group.id] = meaning
        known = self._index.setdefault((group.tenant, group.feature), _Index({}, {}))
        known.exact[kept] = group.id
        for band in of:
            known.bands.setdefault(band, []).append(group.id)

    def _remove(self, group: QuestionGroup) -> None:
        meaning, known = (self._meanings or {}).pop(group.id, None), self._index.get((group.tenant, group.feature))
        if meaning is None or known is None:
            return
        known.exact.pop(said(group.question), None)
        for band in bands(meaning.features):
            left = [name for name in known.bands.pop(band, ()) if name != group.id]
            if left:
                known.bands[band] = left
        if not known.bands:
            self._index.pop((group.tenant, group.feature), None)


def _count(group: QuestionGroup, call: Ran) -> None:
    group.requests += 1
    group.first, group.last = min(group.first, call.asked), max(group.last, call.asked)
    if group.requests > 1:
        if call.cost is None:
            group.unpriced += 1
        else:
            group.cost += call.cost
    user = int.from_bytes(hashlib.blake2b(call.user.encode("utf-8", "replace"), digest_size=8).digest(), "big") >> 1
    if call.user and user not in group.users and len(group.users) < MAX_USERS:
        group.users = [*group.users, user]
    group.shown = [*group.shown[1 - _SHOWN :], call.response_id]
    if call.answer and len(group.answers) < MAX_ANSWERS and not any(same_answer(call.answer, known) for known in group.answers):
        group.answers = [*group.answers, call.answer]


def same_answer(first: str, second: str) -> bool:
    """Whether two answers say the same: alike in words, and equal in numbers."""
    if first == second:
        return True
    alike = likeness(first, second)
    return alike is not None and alike >= SAME_ANSWER and _numbers(first) == _numbers(second)


def _numbers(text: str) -> set[str]:
    return {word for word in words(text) if word[0].isdigit()}


def _row(group: QuestionGroup) -> CacheCandidateRow:
    return CacheCandidateRow(
        group_id=group.id, version=group.requests, question=group.question, requests=group.requests, first_seen=_moment(group.first),
        last_seen=_moment(group.last), tenant=group.tenant, feature=group.feature, users=len(group.users),
        cost_usd=picodollars(group.cost), unpriced_requests=group.unpriced, answers=len(group.answers),
        answers_differ=len(group.answers) > 1, response_ids=list(group.shown),
    )  # fmt: skip


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(max(seconds, 0.0), UTC)
