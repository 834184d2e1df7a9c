"""Which detectors still learn what is usual for a series, and for how long about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Need:
    """What a detector must have seen of a series before it says anything: ``minutes`` of traffic,
    and ``requests``; and how many must come in an
    hour (``hourly``) if it is to say anything at all."""

    detector: str
    minutes: float = 0.0
    requests: float = 0.0
    hourly: float = 0.0


NEEDS = (
    Need("cost", minutes=30, requests=600),
    Need("traffic", minutes=60, hourly=10),
    Need("rates", requests=300),
    Need("latency", requests=500),
    Need("joint", minutes=720),
)
"""As the detectors of ``agents/anomaly`` have it; a test compares the two."""
_WEEK = 7 * 24 * 60.0
"""Minutes. A series that needs longer is too rare to be judged."""


def learning(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each series (``feature model first last requests`` of the last 13 hours), what is learned.

    ``left``: about how many minutes each detector still needs at the present rate; 0: it watches.
    ``rare``: those that cannot judge the series, because too little comes.
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
        rare = [
            need.detector
            for need in NEEDS
            if 60 * pace < need.hourly or (pace and need.requests / pace > _WEEK)
        ]
        found.append({"feature": row["feature"], "model": row["model"], "left": left, "rare": rare})
    return found
