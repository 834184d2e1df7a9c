"""How fast the error budget of an objective burns."""

from __future__ import annotations

from math import isfinite
from typing import Literal, NamedTuple

import msgspec

from agents.detectors.detector import Score, gap
from agents.detectors.pace import PER_MINUTE
from agents.detectors.rates import Share

_MINUTES = (5.0, 30.0, 60.0, 360.0, 4320.0)
"""Lengths of the windows."""


class BurnRule(NamedTuple):
    """Alert when both windows (indices into ``_MINUTES``) burn at ``rate`` times the pace that uses
    the budget up in 30 days."""

    long: int
    short: int
    rate: float
    severity: Literal["page", "ticket"]


_RULES = (BurnRule(2, 0, 14.4, "page"), BurnRule(3, 1, 6.0, "page"), BurnRule(4, 3, 1.0, "ticket"))
"""Table 5-8 of the Google SRE workbook, chapter 5, "Alerting on SLOs"."""

_LEAST_BAD = 10.0
"""Bad events in the long window without which no rule holds."""
_NEARLY = 0.999
"""Score of a rule whose rates suffice while its window has not passed, or holds too few events."""


class Burning(NamedTuple):
    """A rule that holds. ``rate``: over its long window; ``bad``: events in it."""

    rule: BurnRule
    rate: float
    bad: float
    minutes: float


class BurnRate(msgspec.Struct, array_like=True, gc=False):
    """Multi-window burn rates: is the share of bad events a multiple of what the objective allows,
    over a long and a short window?

    The windows are exponentially weighted sums with the windows' lengths as time constants: two
    numbers each instead of 4,320 minutes.

    Source: Google, *The Site Reliability Workbook* (2018), chapter 5.
    """

    bad: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(_MINUTES))
    all: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(_MINUTES))
    buckets: int = 0
    """Seen: a rule waits until its short window has passed once."""

    def update(self, time: float, value: Share, *, budget: float = 0.01) -> Score:
        """``value``: the bad events of a bucket among all. ``budget``: the share that may be bad.
        The score's value and expectation are shares; :meth:`burning` says which rule holds."""
        bad, total = value
        if not isfinite(bad + total):
            return gap(self.burning(budget) is not None)
        for at, minutes in enumerate(_MINUTES):
            kept = 1 - 1 / (minutes * PER_MINUTE)
            self.bad[at] = self.bad[at] * kept + bad
            self.all[at] = self.all[at] * kept + total
        self.buckets += 1
        share = bad / total if total else 0.0
        if self.burning(budget) is not None:
            return Score(1.0, share, budget)
        return Score(
            min(_NEARLY, max(min(self._rates(rule, budget)) / rule.rate for rule in _RULES)),
            share,
            budget,
        )

    def burning(self, budget: float = 0.01) -> Burning | None:
        """The most urgent rule that holds now."""
        for rule in _RULES:
            rates = self._rates(rule, budget)
            if (
                self.buckets >= _MINUTES[rule.short] * PER_MINUTE
                and min(rates) >= rule.rate
                and self.bad[rule.long] >= _LEAST_BAD
            ):
                return Burning(rule, rates[0], self.bad[rule.long], _MINUTES[rule.long])
        return None

    def _rates(self, rule: BurnRule, budget: float) -> list[float]:
        return [
            self.bad[w] / self.all[w] / budget if self.all[w] else 0.0
            for w in (rule.long, rule.short)
        ]
