"""What the agent ``labels`` tells the agent ``satisfaction``: sums of scores. Internal, not part of the public contract.

Sums are absolute and final: a repeat after a crash replaces what is the same.
"""

from __future__ import annotations

import msgspec

WINDOW = 60
"""Seconds of a window; answers belong to the one in which they were judged."""

TOLD = 10
"""Seconds of event time after which a partition says how far it is, though nothing is over: others wait for it."""

MOST_SHOWN = 3


class Opinions(msgspec.Struct, array_like=True, gc=False):
    """Scores of the answers of one series that one partition has judged in one window."""

    window: int
    """Start, epoch seconds."""
    series: tuple[str, str]
    """Tenant and feature."""
    answers: int = 0
    total: float = 0.0
    squares: float = 0.0
    lowest: list[tuple[float, str]] = []
    """Score and response_id of the worst."""

    def add(self, score: float, response_id: str) -> None:
        """Add the score (0 to 1) of an answer."""
        self.answers += 1
        self.total += score
        self.squares += score * score
        if len(self.lowest) < MOST_SHOWN or (score, response_id) < self.lowest[-1]:
            self.lowest = sorted([*self.lowest, (score, response_id)])[:MOST_SHOWN]

    def merge(self, other: Opinions) -> None:
        """Add the sums of another source for the same window and series."""
        self.answers += other.answers
        self.total += other.total
        self.squares += other.squares
        self.lowest = sorted([*self.lowest, *other.lowest])[:MOST_SHOWN]


class Judged(msgspec.Struct, array_like=True, gc=False):
    """``partition`` of the agent ``labels`` has judged everything up to the event time ``clock``; ``windows`` are over.
    ``rests``: there is nothing more to read."""

    partition: int
    clock: float
    windows: list[Opinions] = []
    rests: bool = False
