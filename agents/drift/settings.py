"""The table ``[drift]`` of mirante.toml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from agents.detectors.e_values import CYCLE
from agents.drift.quality import CYCLE as SCORES


class DriftSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much is sampled, and how sure a drift must be."""

    samples_per_minute: Annotated[int, Meta(ge=1, le=1_000)] = 60
    """Answers of a feature and model that are looked at per minute of event time; beyond it a random choice of sessions."""
    false_alarms: Annotated[float, Meta(gt=0, le=100)] = 1.0
    """At most so many per 10,000 answers of an unchanged series, and as false discovery rate over all series: 1 is 4%. So for scores."""
    max_series: Annotated[int, Meta(ge=1)] = 5_000
    """Features and models watched per partition; the longest idle gives way. One takes up to 200 kB."""

    embedding: str = ""
    """A function ``module:function`` from texts to an array of float32 (n, d), by which answers are compared as well. Empty: none."""

    @property
    def per_period(self) -> int:
        """Answers of a series that are looked at per 30 s."""
        return max(1, self.samples_per_minute // 2)

    @property
    def level(self) -> float:
        """Expected false alarms per cycle."""
        return min(0.5, self.false_alarms * CYCLE / 10_000)

    @property
    def score_level(self) -> float:
        """Expected false alarms per cycle of the scores of one judge."""
        return min(0.5, self.false_alarms * SCORES / 10_000)


def drift_settings(table: Mapping[str, Any]) -> DriftSettings:
    """The table ``[drift]``. Raises ``ValueError`` that names the key."""
    try:
        return msgspec.convert(dict(table), DriftSettings)
    except msgspec.ValidationError as error:
        raise ValueError(f"[drift]: {error}") from error
