"""How much evidence there is against "nothing has changed", so that looking often and at many
series does not raise false alarms.

A p-value becomes an e-value (Vovk & Wang, "E-values: calibration, combination and applications",
Ann. Stat. 2021): something whose expectation is at most 1 if nothing changed. E-values may be
averaged whatever their dependence. A *cycle* of ``CYCLE`` answers has a fixed plan of tests, each
with a weight; the weights of a cycle sum to 1. What the tests done so far have added up to is at
most what the whole cycle will, whose expectation is at most 1: so it is an e-value at every moment,
however the alarm depends on what was seen.

Half of each test's e-value is staked on the p-value that alone is enough for an alarm (all or
nothing, as Bonferroni's correction would); the other half on any p-value, for what many looks or
many series show together.

Over series: at every moment those with the k largest e-values are reported if each is at least
``series / (level * k)`` (e-BH, Wang & Ramdas, "False discovery rate control with e-values", JRSS B
2022), which keeps the false discovery rate below ``level`` under any dependence. A single series
has at most ``level`` false alarms per cycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import TypeVar

CYCLE = 400
"""Answers of a series for which the evidence is planned."""

_LOW, _HIGH = 1e-10, 1e-2
_SHARE = 1.0 / (1.0 + log(_HIGH / _LOW))

K = TypeVar("K")


def e_value(p: float, enough: float) -> float:
    """``enough``: e-value that would be reported, to be reached by this test alone. The calibrator
    integrates to 1: half of it is all or nothing, half is ``c / p`` between 1e-10 and 1e-2,
    constant below and 0 above."""
    alone = enough if p * enough <= 0.5 else 0.0
    return alone + (0.5 * _SHARE / max(p, _LOW) if p <= _HIGH else 0.0)


def e_bh(values: Mapping[K, float], series: int, level: float) -> list[K]:
    """The keys that are reported. ``series``: how many are watched, those without evidence
    included."""
    ordered = sorted(values.items(), key=lambda item: -item[1])
    reported = 0
    for rank, (_, value) in enumerate(ordered, 1):
        if value >= series / (level * rank):
            reported = rank
    return [key for key, _ in ordered[:reported]]
