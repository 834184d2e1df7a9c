"""What groups of calls have used: the partial sums that budgets and limits are checked with (agents/budgets)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from agents.interactions.parts import PartStore, window_of
from agents.interactions.signature import caller_of, signature_of
from schemas.aggregates import Contribution
from schemas.events import Request
from schemas.group_usage import Caller, Group, GroupUsage, UsagePart

FEW, LITTLE = 5, 40_000_000_000
"""Of a session or trace, what is used in one window without being told: fewer requests, and less money (picodollars; 4 cents).

A loop that costs 5 USD in ten minutes is thus seen before it has cost 7.40.
"""

OVER = 60.0
"""Seconds after which a window is not expected to change."""


class Grouping(Protocol):
    """Where calls count; false if nowhere. ``loops``: the rules that look for loops, by id."""

    @property
    def loops(self) -> frozenset[str]:
        """Names of the budgets and limits that look for runaway loops."""

    @property
    def limits(self) -> frozenset[str]:
        """The rate limits, by id."""

    def __bool__(self) -> bool: ...

    def groups(self, request: Request, model: str | None = None) -> list[Group]:
        """Of a call that ``model`` answered. Not to be changed by the caller."""


class Usages:
    """The usage of one source partition, by group."""

    def __init__(self, rules: Grouping) -> None:
        self._rules = rules
        self._parts: PartStore[Group, GroupUsage] = PartStore(GroupUsage)

    def __len__(self) -> int:
        return len(self._parts)

    def add(self, segment: int, time: float, request: Request, item: Contribution) -> None:
        """Count an unanswered interaction."""
        for group in self._rules.groups(request, request.model):
            usage = self._parts.part(segment, window_of(time), group)
            usage.add(item, "", self._signature(group, usage, request), self._caller(group, usage, request, request.model))

    def answer(
        self, segment: int, time: float, request: Request, model: str, response_id: str, item: Contribution, *, late: bool, counted: int = 0
    ) -> None:
        """Count an interaction that ``model`` answered; with ``late`` it was counted as unanswered before."""
        window = window_of(time)
        answered = self._rules.groups(request, model)
        asked = answered if model == request.model else self._rules.groups(request, request.model)
        for group in answered:
            usage = self._parts.part(segment, window, group, counted)
            if late and group in asked:
                usage.answer(item, response_id)
            else:
                usage.add(item, response_id, self._signature(group, usage, request), self._caller(group, usage, request, model))
        if asked is not answered:
            for group in asked:
                if group not in answered:
                    self._parts.part(segment, window, group, counted).move(late=late)

    def take_back(
        self, segment: int, time: float, request: Request, model: str, response_id: str, item: Contribution, *,
        late: bool = False, counted: int = 0,
    ) -> None:  # fmt: skip
        """Undo :meth:`add` or :meth:`answer` with the same arguments, as far as it is remembered."""
        window = window_of(time)
        answered = self._rules.groups(request, model)
        asked = answered if model == request.model else self._rules.groups(request, request.model)
        for group in answered:
            usage = self._parts.known(segment, window, group, counted)
            if usage is None or not (usage.requests or late):
                continue
            again = late and group in asked
            signed = not again and group.rule in self._rules.loops
            told = not again and (signed or group.rule in self._rules.limits)
            usage.take_back(
                item, response_id, signature_of(request) if signed else None, caller_of(request, model) if told else None
            )
            if again:
                usage.unanswer()
        if asked is not answered:
            for group in asked:
                if group not in answered and (usage := self._parts.known(segment, window, group, counted)) is not None:
                    usage.moved -= 1
                    if late:
                        usage.unanswer()

    def void(self, segment: int, time: float, groups: Iterable[Group], counted: int = 0) -> None:
        """A copy of an interaction of ``groups`` belongs here, and another one counts."""
        for group in groups:
            self._parts.part(segment, window_of(time), group, counted).void += 1

    def _signature(self, group: Group, usage: GroupUsage, request: Request) -> int | None:
        """What a call asks, for rules that look for loops. Not of the first call of a window: most sessions make no other in it."""
        return signature_of(request) if usage.requests and group.rule in self._rules.loops else None

    def _caller(self, group: Group, usage: GroupUsage, request: Request, model: str) -> Caller | None:
        """Where a call comes from, for limits and, as with signatures, from the second call on for loops."""
        if group.rule in self._rules.limits or (usage.requests and group.rule in self._rules.loops):
            return caller_of(request, model)
        return None

    def take_dirty(self) -> list[UsagePart]:
        """What changed since the last call and is of interest; first what may have become less."""
        parts = [UsagePart(*item) for item in self._parts.take_dirty(self._matters)]
        return sorted(parts, key=lambda part: not part.usage.void)

    def _matters(self, group: Group, usage: GroupUsage) -> bool:
        """Nearly all sessions and traces use little, and could not become a loop at this pace: they are not worth a message."""
        return group.rule not in self._rules.loops or usage.requests >= FEW or usage.picodollars >= LITTLE or usage.void > 0

    def forget(self, is_settled: Callable[[int], bool], clock: float = 0.0) -> None:
        """Forget the segments that cannot change any more, and what did not matter and is over at event time ``clock``."""
        self._parts.forget(is_settled)
        self._parts.drop(clock - OVER, lambda group, usage: not self._matters(group, usage))

    # Persistence

    def all(self) -> Iterator[UsagePart]:
        """All parts, for a snapshot."""
        return (UsagePart(*part) for part in self._parts.all())

    def load(self, parts: Iterable[UsagePart]) -> None:
        for part in parts:
            self._parts.load(part.segment, part.window, part.group, part.usage, part.counted)
