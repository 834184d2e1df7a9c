"""Believable traffic of our own, for demonstrations: made up, and reproducible.

Sessions arrive as a Poisson process whose rate follows the hour of the day; each is played by `demo_session.DemoSession`.
The same parameters always give the same records, ids included; any other `seed`, `start` or `rate` gives other
ids, so two demonstrations never collide in one database.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from random import Random

from deploy.traffic.demo_session import DemoSession
from deploy.traffic.record import TimedRecord, datetime_us, in_time_order

REQUESTS_PER_SESSION = 2.15
"""Mean of what `DemoSession` makes (measured over 20,000 sessions); turns requests per second into sessions per second."""

PEAK_HOUR = 17
"""UTC hour of most traffic: afternoon in the Americas."""

_SWING = 0.65
_DAY = 86_400


def daily_rate(epoch_seconds: float) -> float:
    """The rate at a moment relative to the day's mean: 1 + 0.65 at 17:00 UTC, 1 - 0.65 at 05:00 UTC."""
    return 1 + _SWING * math.cos((epoch_seconds % _DAY / 3600 - PEAK_HOUR) / 24 * 2 * math.pi)


def demo(*, seed: int = 7, start: datetime, rate: float = 5.0, count: int | None = None) -> Iterator[TimedRecord]:
    """Requests, responses, feedback and evaluations in time order, from `start` on.

    `rate`: requests per second, mean over a day. `count`: exactly so many requests, with all that follows from them;
    None never ends. Sessions are played when they start, so memory holds the sessions of a few minutes.
    """
    if not rate > 0:
        raise ValueError(f"rate must be above 0, got {rate}")
    return in_time_order(_sessions(seed, datetime_us(start), rate, count))


def _sessions(seed: int, start_us: int, rate: float, count: int | None) -> Iterator[list[TimedRecord]]:
    rng, ids = Random(seed), Random(f"{seed} {start_us} {rate}")
    busiest = rate / REQUESTS_PER_SESSION * (1 + _SWING)
    at, left = start_us / 1e6, count
    while left is None or left > 0:
        # Thinning: draw at the day's highest rate, keep as many as the hour's rate says.
        at += rng.expovariate(busiest)
        if rng.random() * (1 + _SWING) > daily_rate(at):
            continue
        session = DemoSession(rng, ids, int(at * 1e6))
        made = session.made
        if left is not None:
            made = [entry for entry in made if entry.request < left]
            left -= session.requests
        yield sorted((entry.record for entry in made), key=lambda record: record.time)
