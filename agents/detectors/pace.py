"""How often the detectors look, and how fast they forget."""

from __future__ import annotations

SECONDS = 30
"""Size of a bucket. Evidence is summed over buckets, so small ones cost no power and find things
sooner."""

STEP = 10
"""Seconds in which parts of a bucket come. A series under suspicion is looked at after each."""

PER_MINUTE = 60 // SECONDS
PER_HOUR = 3600 // SECONDS
PER_DAY = 24 * PER_HOUR


def keep(half_life_minutes: float) -> float:
    """The factor per bucket by which the past fades."""
    return float(0.5 ** (1 / (half_life_minutes * PER_MINUTE)))
