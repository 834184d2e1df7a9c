"""Latency objectives and how fast their error budgets burn."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

import msgspec

from agents.anomaly.bucket import Bucket
from agents.detectors.pace import PER_MINUTE
from schemas.sketch import value_of

_MINUTES = (5.0, 30.0, 60.0, 360.0, 4320.0)


class Objective(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of ``[[slos]]``: of the requests that match, a share of ``target`` is answered within ``latency_ms``.

    ``*`` matches any characters in ``tenant``, ``feature`` and ``model``.
    """

    latency_ms: float
    name: str = ""
    tenant: str = "*"
    feature: str = "*"
    model: str = "*"
    target: float = 0.99

    def __post_init__(self) -> None:
        if not 0.0 < self.target < 1.0:
            raise ValueError("target must lie between 0 and 1, such as 0.99")
        if self.latency_ms <= 0:
            raise ValueError("latency_ms must be positive")

    @property
    def label(self) -> str:
        """Its name among the labels of a finding."""
        return self.name or f"{self.feature}/{self.model} {self.target * 100:g}% in {self.latency_ms:g} ms"

    def covers(self, tenant: str, feature: str, model: str) -> bool:
        return fnmatchcase(tenant, self.tenant) and fnmatchcase(feature, self.feature) and fnmatchcase(model, self.model)


class Rule(NamedTuple):
    """Alert when both windows (indices into ``_MINUTES``) burn at ``rate`` times the pace that uses the budget up in 30 days."""

    long: int
    short: int
    rate: float
    severity: Literal["page", "ticket"]


_RULES = (Rule(2, 0, 14.4, "page"), Rule(3, 1, 6.0, "page"), Rule(4, 3, 1.0, "ticket"))
"""Table 5-8 of the Google SRE workbook, chapter 5, "Alerting on SLOs"."""

_LEAST_SLOW = 10.0


class Burning(NamedTuple):
    """A rule that holds. ``rate``: over its long window; ``bad``: slow requests in it."""

    rule: Rule
    rate: float
    bad: float
    minutes: float


class BurnRate(msgspec.Struct, array_like=True, gc=False):
    """Multi-window burn rates of one objective on one series.

    The windows are exponentially weighted sums with the windows' lengths as time constants: two numbers each instead of 4,320 minutes.
    """

    bad: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(_MINUTES))
    all: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(_MINUTES))
    buckets: int = 0
    """Seen: a rule waits until its short window has passed once."""

    def update(self, objective: Objective, bucket: Bucket) -> Burning | None:
        """Add a bucket; the most urgent rule that holds. Requests without an answer are slow."""
        slow = bucket.lost + sum(n for index, n in bucket.latency.items() if value_of(index) > objective.latency_ms)
        total = bucket.lost + sum(bucket.latency.values())
        for at, minutes in enumerate(_MINUTES):
            kept = 1 - 1 / (minutes * PER_MINUTE)
            self.bad[at] = self.bad[at] * kept + slow
            self.all[at] = self.all[at] * kept + total
        self.buckets += 1
        budget = 1 - objective.target
        for rule in _RULES:
            rates = [self.bad[w] / self.all[w] / budget if self.all[w] else 0.0 for w in (rule.long, rule.short)]
            if self.buckets >= _MINUTES[rule.short] * PER_MINUTE and min(rates) >= rule.rate and self.bad[rule.long] >= _LEAST_SLOW:
                return Burning(rule, rates[0], self.bad[rule.long], _MINUTES[rule.long])
        return None
