"""Which detectors still learn what is usual for a series, and for how long about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Need:
    """What a detector must have seen of a series before it says anything: ``minutes`` of traffic,
    or ``requests``."""

    detector: str
    minutes: float = 0.0
    requests: float = 0.0


NEEDS = (
    Need("cost", minutes=30),
    Need("traffic", minutes=60),
    Need("rates", requests=300),
    Need("latency", requests=500),
    Need("joint", minutes=720),
)
"""As the detectors of ``agents/anomaly`` have it; a test compares the two."""


def learning(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each series (``feature model first last requests`` of the last 13 hours), what is learned.

    ``left``: about how many minutes each detector still needs at the present rate; 0: it watches.
    """
    found = []
    for row in rows:
        minutes = (row["last"] - row["first"]) / 60 + 1
        pace = row["requests"] / minutes
        left = {
            need.detector: round(
                max(0.0, need.minutes - minutes, (need.requests - row["requests"]) / pace)
                if pace
                else need.minutes
            )
            for need in NEEDS
        }
        found.append({"feature": row["feature"], "model": row["model"], "left": left})
    return found
