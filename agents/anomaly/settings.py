"""The tables ``[anomaly]`` and ``[[slos]]`` of mirante.toml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, log
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from agents.anomaly.slo import Objective
from agents.detectors.pace import PER_DAY

_PAGING, _TICKETING = 5, 11
"""Tests of buckets that can page, and that cannot (agents/anomaly/monitor.py): each kind shares its false alarms. Others only inform."""
_CREEPS = 2
"""Tests for creep: of what requests cost on average, and of what a typical one does."""
_BUCKETS, _HOURS = 7 * PER_DAY, 168
"""In a week."""


class AnomalySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sensitivity and bounds of the anomaly alerts."""

    false_alarms: Annotated[float, Meta(gt=0, le=10)] = 0.01
    """Pages expected per week and series, and as many tickets: 0.01 is one a week for a hundred series."""
    max_series: Annotated[int, Meta(ge=1)] = 2_000
    """Watched per partition, and as many providers; the longest idle gives way."""
    max_parts: Annotated[int, Meta(ge=1_000)] = 200_000
    """Partial aggregates held per partition for buckets that are not over."""
    settle: Annotated[float, Meta(ge=0)] = 30.0
    """Seconds after its end until a bucket is judged: requests need this long to time out."""
    page_usd_per_hour: Annotated[float, Meta(gt=0)] = 50.0
    """A cost anomaly that costs this much more than usual is a page; below it is a ticket."""
    ticket_usd_per_hour: Annotated[float, Meta(gt=0)] = 5.0
    """A surge of requests at the usual cost is a ticket if it costs this much more, and a page as above; below it, it only informs."""
    most_per_minute: Annotated[float, Meta(gt=0)] = inf
    """Requests a minute that can be served of one series: a surge beyond it is a ticket, whatever it costs."""

    @property
    def page_evidence(self) -> float:
        """Logarithm of buckets per false alarm of one test that can page."""
        return log(_BUCKETS * _PAGING / self.false_alarms)

    @property
    def ticket_evidence(self) -> float:
        """Logarithm of buckets per false alarm of one test that cannot page."""
        return log(_BUCKETS * _TICKETING / self.false_alarms)

    @property
    def hourly_evidence(self) -> float:
        """Logarithm of hours per false alarm of one test for creep; both are tickets at most and have ``false_alarms`` for themselves."""
        return log(_HOURS * _CREEPS / self.false_alarms)


def anomaly_settings(table: Mapping[str, Any]) -> AnomalySettings:
    """The table ``[anomaly]``. Raises ``ValueError`` that names the key."""
    try:
        return msgspec.convert(dict(table), AnomalySettings)
    except msgspec.ValidationError as error:
        raise ValueError(f"[anomaly]: {error}") from error


def objectives(tables: Sequence[Mapping[str, Any]]) -> tuple[Objective, ...]:
    """The tables ``[[slos]]``. Raises ``ValueError`` that names the key."""
    found: dict[str, Objective] = {}
    for number, table in enumerate(tables, 1):
        try:
            objective = msgspec.convert(dict(table), Objective)
        except msgspec.ValidationError as error:
            raise ValueError(f"[[slos]] number {number}: {error}") from error
        if objective.label in found:
            raise ValueError(f"[[slos]] number {number}: there is another objective called {objective.label}; give each its own name")
        found[objective.label] = objective
    return tuple(found.values())
