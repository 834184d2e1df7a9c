"""What a group of calls (a budget's tenant, a limit's user, a session) has used: the partial sums that stage 1 publishes for them.

Like the partials of the cost windows they are absolute per (segment, 10 s window, group): a newer one replaces an older one, and
``version`` says which contains the other (docs/architecture.md).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from schemas.aggregates import OUTCOME_INDEX, UNANSWERED, Contribution

MOST_EXAMPLES = 3
MOST_SIGNATURES = 32
MOST_CALLERS = 8

_OK = OUTCOME_INDEX["ok"]
_CARRY = 10**18
"""Picodollars in a million dollars. Sums of money are counted in two numbers because MessagePack holds 64 bits."""


class Group(NamedTuple):
    """Who a rule counts together: the rule's id (``Rule.id``) and the values of the dimensions it counts by."""

    rule: str
    values: tuple[str, ...]


class Caller(NamedTuple):
    """Where a call comes from, for people; ``""`` for what it does not say. ``step``: its operation and, if it names one, its tool."""

    tenant: str
    feature: str
    model: str
    user: str
    step: str


class GroupUsage(msgspec.Struct, array_like=True, gc=False):
    """Sums over the interactions of one group. Calls of unknown price add no money.

    ``requests`` counts interactions once they have ended (answered or unanswered), ``answers`` those that were answered.
    """

    requests: int = 0
    answers: int = 0
    failed: int = 0
    """Ended otherwise than ok."""
    tokens: int = 0
    """Input and output."""
    carried: int = 0
    pico: int = 0
    """Money: ``carried`` million dollars and ``pico`` picodollars."""
    signatures: dict[int, int] = {}
    """CRC of what was asked (last message, tool) -> how often; at most ``MOST_SIGNATURES``. Only for rules that look for loops."""
    examples: list[tuple[float, str]] = []
    """The most expensive answers: (USD, response_id), at most ``MOST_EXAMPLES``."""
    moved: int = 0
    """Answered by another model than they asked for, and therefore counted in another group."""
    void: int = 0
    """Interactions of which a copy belongs here and another one counts, elsewhere (agents/interactions/copies.py)."""
    callers: dict[Caller, int] = {}
    """How many calls came from where; at most ``MOST_CALLERS``. Only for limits and for rules that look for loops."""

    @property
    def picodollars(self) -> int:
        """1e-12 USD, exact."""
        return self.carried * _CARRY + self.pico

    @property
    def version(self) -> int:
        """How much input this holds or has passed on, counted as in the cost windows."""
        return self.requests + self.answers + 2 * self.moved + 3 * self.void

    def add(self, item: Contribution, response_id: str = "", signature: int | None = None, caller: Caller | None = None) -> None:
        """Count an interaction that has ended."""
        outcome, tokens, money = item[:3]
        self.requests += 1
        if caller is not None and (caller in self.callers or len(self.callers) < MOST_CALLERS):
            self.callers[caller] = self.callers.get(caller, 0) + 1
        if outcome != _OK:
            self.failed += 1
        if signature is not None and (signature in self.signatures or len(self.signatures) < MOST_SIGNATURES):
            self.signatures[signature] = self.signatures.get(signature, 0) + 1
        if outcome == UNANSWERED:
            return
        self.answers += 1
        self.tokens += tokens[0] + tokens[1]
        money = money or 0
        self.pico += money
        if self.pico >= _CARRY:
            carried, self.pico = divmod(self.pico, _CARRY)
            self.carried += carried
        example = (money / 1e12, response_id)
        if not self.examples:  # as of most sessions: one call in a window
            self.examples = [example]
        elif len(self.examples) < MOST_EXAMPLES or example > self.examples[-1]:
            self.examples = sorted([*self.examples, example], reverse=True)[:MOST_EXAMPLES]

    def answer(self, item: Contribution, response_id: str = "") -> None:
        """An interaction counted as unanswered has got its answer after all; what it asked has been counted."""
        self.requests -= 1
        self.failed -= 1
        self.add(item, response_id)

    def take_back(self, item: Contribution, response_id: str = "", signature: int | None = None, caller: Caller | None = None) -> None:
        """Undo :meth:`add`."""
        if caller is not None and (known := self.callers.pop(caller, 0)) > 1:
            self.callers[caller] = known - 1
        self.requests -= 1
        if item.outcome != _OK:
            self.failed -= 1
        if signature is not None and (count := self.signatures.pop(signature, 0)) > 1:
            self.signatures[signature] = count - 1
        if item.outcome == UNANSWERED:
            return
        self.answers -= 1
        self.tokens -= item.tokens[0] + item.tokens[1]
        money = item.picodollars or 0
        carried, self.pico = divmod(self.pico - money, _CARRY)
        self.carried += carried
        example = (money / 1e12, response_id)
        self.examples = [known for known in self.examples if tuple(known) != example]

    def unanswer(self) -> None:
        """An interaction counts as unanswered again: undo that part of :meth:`answer` and :meth:`move`."""
        self.requests += 1
        self.failed += 1

    def move(self, *, late: bool) -> None:
        """An interaction asked for here is counted elsewhere; with ``late`` it was counted as unanswered here until now."""
        if late:
            self.requests -= 1
            self.failed -= 1
        self.moved += 1


class UsagePart(msgspec.Struct, array_like=True, gc=False):
    """``window``: start of 10 s of request time, epoch seconds. ``counted``: see agents/interactions/parts.py."""

    segment: int
    window: int
    group: Group
    usage: GroupUsage
    counted: int = 0

    @property
    def judged(self) -> int:
        """Start of the window in which it counts for what depends on time."""
        return self.counted or self.window


class UsageParts(msgspec.Struct, array_like=True, gc=False):
    """The message from one source partition to one partition of the usage topic.

    ``settled``, ``clock``, ``rests``: as of :class:`agents.interactions.partials.Parts`.
    """

    source: str
    partition: int
    settled: tuple[int, ...]
    clock: float
    rests: bool
    parts: list[UsagePart]
