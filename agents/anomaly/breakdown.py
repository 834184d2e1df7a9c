"""Which value of which dimension explains a change: the breakdown before it and now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from agents.detectors.pace import keep

Metric = Literal["requests", "usd", "errors", "refusals", "lost"]

_SLOW = keep(360)
_FAST = keep(2)
_MOST_VALUES = 8
"""Values remembered per dimension; the least used give way."""
_EXPLAINS = 0.6
"""Share of a change that makes a value its explanation."""


class Amounts(NamedTuple):
    """Per bucket."""

    requests: float = 0.0
    usd: float = 0.0
    errors: float = 0.0
    refusals: float = 0.0
    lost: float = 0.0

    def plus(self, other: Amounts) -> Amounts:
        """The sum, amount by amount."""
        return Amounts(*(a + b for a, b in zip(self, other, strict=True)))

    def towards(self, other: Amounts, keep: float) -> Amounts:
        """The mean of both, of which this one has the share ``keep``."""
        return Amounts(*(a * keep + b * (1 - keep) for a, b in zip(self, other, strict=True)))


_NOTHING = Amounts()


class Explanation(NamedTuple):
    """The value of a dimension that makes up most of a change; ``share`` of it, at most 1. ``new``: it was hardly there before."""

    dimension: str
    value: str
    new: bool
    share: float
    rises: bool


class Breakdown(msgspec.Struct, array_like=True, gc=False):
    """Exponentially weighted amounts per bucket, by (dimension, value): over hours, and over the last minutes."""

    before: dict[tuple[str, str], Amounts] = {}
    now: dict[tuple[str, str], Amounts] = {}
    weight: float = 0.0

    def update(self, values: Mapping[tuple[str, str], Amounts], *, usual: bool) -> None:
        """A bucket's amounts; ``usual``: no alarm, so they are also what later buckets are compared with."""
        if not values and not self.now and not self.before:
            return
        keys = self.before.keys() | values.keys()
        self.now = {key: self.now.get(key, _NOTHING).towards(values.get(key, _NOTHING), _FAST) for key in keys}
        if usual:
            self.before = {key: self.before.get(key, _NOTHING).towards(values.get(key, _NOTHING), _SLOW) for key in keys}
            self.weight = self.weight * _SLOW + (1 - _SLOW)
        self._bound()

    def _bound(self) -> None:
        for amounts in (self.before, self.now):
            by_dimension: dict[str, list[tuple[str, str]]] = {}
            for key in amounts:
                by_dimension.setdefault(key[0], []).append(key)
            for keys in by_dimension.values():
                if len(keys) > _MOST_VALUES:
                    for key in sorted(keys, key=lambda k: (amounts[k].requests, k))[: len(keys) - _MOST_VALUES]:
                        del amounts[key]

    def cause(self, metric: Metric) -> Explanation | None:
        """Which value explains most of the change; None if no single one stands out."""
        at = Amounts._fields.index(metric)
        changes: dict[str, dict[str, float]] = {}
        for key in self.now.keys() | self.before.keys():
            before = self.before.get(key, _NOTHING)[at] / max(self.weight, 1e-9)
            changes.setdefault(key[0], {})[key[1]] = self.now.get(key, _NOTHING)[at] - before
        best: tuple[float, str, str] | None = None
        for dimension, by_value in changes.items():
            total = sum(by_value.values())
            same = {value: change / total for value, change in by_value.items() if total and change * total > 0}
            others = len(by_value) > 1
            if not others or not same:
                continue  # a dimension of one value explains nothing
            share, value = max((share, value) for value, share in same.items())
            if share >= _EXPLAINS and (best is None or (share, dimension) > best[:2]):
                best = (share, dimension, value)
        if best is None:
            return None
        share, dimension, value = best
        seen = self.before.get((dimension, value), _NOTHING).requests / max(self.weight, 1e-9)
        new = seen < 0.01 * self.now.get((dimension, value), _NOTHING).requests
        return Explanation(dimension, value, new, min(share, 1.0), sum(changes[dimension].values()) > 0)
