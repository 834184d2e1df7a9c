"""What a window knows about its calls: counts by outcome, tokens, money and latency sketches.

An :class:`Aggregate` only ever grows with the input it has seen, and ``version`` says how much that is, so of two aggregates of the
same window part the one with the larger version contains the other (docs/architecture.md).
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import msgspec

from schemas.rows import EXACT, OUTCOMES, TOKEN_COLUMNS
from schemas.sketch import Bins, bin_of

OUTCOME_INDEX = {name: index for index, name in enumerate(OUTCOMES)}
UNANSWERED = OUTCOME_INDEX["unanswered"]

_CARRY = 10**18
"""Picodollars in a million dollars. Sums of money are counted in two numbers because MessagePack holds 64 bits."""


class Series(NamedTuple):
    """The dimensions that money is counted by."""

    tenant: str
    feature: str
    environment: str
    provider: str
    model: str
    prompt_sha: str
    variant: str

    @property
    def feature_and_model(self) -> tuple[str, ...]:
        """What is watched as one: a new prompt or another provider is a part of its story."""
        return self.tenant, self.feature, self.model


OTHER = Series(*["__other__"] * len(Series._fields))
"""Takes what exceeds the cap of series."""


class Contribution(NamedTuple):
    """One interaction as the windows see it. Tokens in the order of ``TOKEN_COLUMNS``; money in picodollars; times in ms."""

    outcome: int
    tokens: tuple[int, int, int, int, int]
    picodollars: int | None
    latency_ms: float | None
    ttft_ms: float | None
    unpriced: bool = False
    response_id: str = ""
    flags: tuple[str, ...] = ()
    """What the guards say of it, see :attr:`Aggregate.flags`."""
    tpot_ms: float | None = None
    """Time per output token after the first one."""
    partial: bool = False
    """``picodollars`` is a lower bound: something of the usage was not understood, or has no known price."""


class Aggregate(msgspec.Struct, array_like=True, gc=False):
    """Sums over the interactions of one window part."""

    outcomes: list[int] = msgspec.field(default_factory=lambda: [0] * len(OUTCOMES))
    tokens: list[int] = msgspec.field(default_factory=lambda: [0] * len(TOKEN_COLUMNS))
    carried: int = 0
    pico: int = 0
    """Money: ``carried`` million dollars and ``pico`` picodollars."""
    unpriced: int = 0
    latency: Bins = {}
    ttft: Bins = {}
    moved: int = 0
    """Answered by another model than they asked for, and therefore counted in another series."""
    examples: dict[int, str] = {}
    """Outcome -> a response that ended so, the last by its id: which one does not depend on the order of additions."""
    slowest: tuple[float, str] = (0.0, "")
    """Latency in ms and response of the slowest answer."""
    flags: dict[str, tuple[int, str]] = {}
    """What the guards found in answered interactions (agents/inspection/flags.py) -> how many, and the last of them by response id. For the
    agent ``anomaly``: coarser windows do not sum it."""
    tpot: Bins = {}
    """Time per output token; also for the agent ``anomaly`` alone."""
    paid: int = 0
    paid_bins: int = 0
    paid_squares: int = 0
    """Answers that cost something; of the bins (cost/sketch.py) of their picodollars the sum, and the sum of squares: mean and variance of
    their logarithms, exact in any order."""
    partial: int = 0
    """Calls whose cost is a lower bound."""
    unpriced_tokens: int = 0
    """Input and output tokens of the calls in ``unpriced`` and ``partial``."""
    void: int = 0
    """Interactions of which a copy belongs here and another one counts, elsewhere (agents/interactions/copies.py)."""
    overdue: int = 0
    """Of the unanswered, those whose services waited longer than detectors do (agents/interactions/parts.py)."""

    @property
    def cost(self) -> Decimal:
        """USD with 12 decimals, exact."""
        return Decimal(self.carried * _CARRY + self.pico).scaleb(-12, EXACT)

    @property
    def requests(self) -> int:
        """Calls in it, however they ended."""
        return sum(self.outcomes)

    @property
    def version(self) -> int:
        """How much input this holds or has passed on: one for each request and one for each answer, and more than both for what is known
        to count elsewhere: whoever thought that it counts here knew less."""
        return 2 * sum(self.outcomes) - self.outcomes[UNANSWERED] + 2 * self.moved + 3 * self.void

    def add(self, item: Contribution) -> None:
        """Count one interaction."""
        outcome, added, picodollars, latency_ms, ttft_ms, unpriced, response_id, flags, tpot_ms, partial = item
        self.outcomes[outcome] += 1
        tokens, (tokens_in, tokens_out, read, write, reasoning) = self.tokens, added
        tokens[0] += tokens_in
        tokens[1] += tokens_out
        if read or write or reasoning:
            tokens[2] += read
            tokens[3] += write
            tokens[4] += reasoning
        if picodollars is not None:
            self.pico += picodollars
            if self.pico >= _CARRY:
                self._carry()
            if picodollars > 0:
                self.paid += 1
                index = bin_of(picodollars)
                self.paid_bins += index
                self.paid_squares += index * index
            if partial:
                self.partial += 1
                self.unpriced_tokens += tokens_in + tokens_out
        elif unpriced:
            self.unpriced += 1
            self.unpriced_tokens += tokens_in + tokens_out
        if response_id > self.examples.get(outcome, ""):
            self.examples[outcome] = response_id
        for flag in flags:
            count, last = self.flags.get(flag, (0, ""))
            self.flags[flag] = count + 1, max(last, response_id)
        if latency_ms is not None:
            if latency_ms >= self.slowest[0] and response_id:
                self.slowest = max(self.slowest, (latency_ms, response_id))
            bins, index = self.latency, bin_of(latency_ms)
            bins[index] = bins.get(index, 0) + 1
        if ttft_ms is not None:
            bins, index = self.ttft, bin_of(ttft_ms)
            bins[index] = bins.get(index, 0) + 1
        if tpot_ms is not None:
            bins, index = self.tpot, bin_of(tpot_ms)
            bins[index] = bins.get(index, 0) + 1

    def answer(self, item: Contribution) -> None:
        """An interaction counted as unanswered has got its answer after all."""
        self.outcomes[UNANSWERED] -= 1
        self.add(item)

    def take_back(self, item: Contribution) -> None:
        """Undo :meth:`add`. Examples stay: they are of the same window and series, wherever they count."""
        self.outcomes[item.outcome] -= 1
        for index, count in enumerate(item.tokens):
            self.tokens[index] -= count
        if item.picodollars is not None:
            self.pico -= item.picodollars
            self._carry()
            if item.picodollars > 0:
                self.paid -= 1
                index = bin_of(item.picodollars)
                self.paid_bins -= index
                self.paid_squares -= index * index
            if item.partial:
                self.partial -= 1
                self.unpriced_tokens -= item.tokens[0] + item.tokens[1]
        elif item.unpriced:
            self.unpriced -= 1
            self.unpriced_tokens -= item.tokens[0] + item.tokens[1]
        for flag in item.flags:
            count, last = self.flags.pop(flag)
            if count > 1:
                self.flags[flag] = count - 1, last
        for bins, value in (self.latency, item.latency_ms), (self.ttft, item.ttft_ms), (self.tpot, item.tpot_ms):
            if value is not None:
                _add_bins(bins, {bin_of(value): 1}, -1)

    def move(self, *, late: bool) -> None:
        """An interaction asked for here is counted elsewhere; with ``late`` it was counted as unanswered here until now."""
        if late:
            self.outcomes[UNANSWERED] -= 1
        self.moved += 1

    def replace(self, old: Aggregate | None, new: Aggregate) -> None:
        """Exchange one constituent: subtract ``old`` (None if it is new here) and add ``new``."""
        if old is not None:
            self._accumulate(old, -1)
        self._accumulate(new, 1)

    def _accumulate(self, other: Aggregate, sign: int) -> None:
        for index, count in enumerate(other.outcomes):
            self.outcomes[index] += sign * count
        for index, count in enumerate(other.tokens):
            self.tokens[index] += sign * count
        self.carried += sign * other.carried
        self.pico += sign * other.pico
        self._carry()
        self.moved += sign * other.moved
        self.void += sign * other.void
        self.unpriced += sign * other.unpriced
        self.partial += sign * other.partial
        self.unpriced_tokens += sign * other.unpriced_tokens
        self.paid += sign * other.paid
        self.paid_bins += sign * other.paid_bins
        self.paid_squares += sign * other.paid_squares
        _add_bins(self.latency, other.latency, sign)
        _add_bins(self.ttft, other.ttft, sign)

    def _carry(self) -> None:
        millions, self.pico = divmod(self.pico, _CARRY)
        self.carried += millions


def _add_bins(into: Bins, bins: Bins, sign: int) -> None:
    for index, count in bins.items():
        total = into.get(index, 0) + sign * count
        if total:
            into[index] = total
        else:
            into.pop(index, None)
