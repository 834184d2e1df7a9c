"""What the agent ``labels`` tells the agent ``satisfaction``: sums of scores. Internal, not part of the public contract.

Sums are absolute and final: a repeat after a crash replaces what is the same.
"""

from __future__ import annotations

from math import log

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


BINS = 20
"""Of equal width, in which predictions are counted."""
_LEAST = 1e-6


class Foresight(msgspec.Struct, array_like=True, gc=False):
    """How well labels foretold what users then said: each answer with explicit feedback is judged
    by everything else before it teaches (prequential evaluation; Dawid 1984). ``total`` and
    ``squares`` are of the probability that was given to what users then said, ``loss`` is the sum
    of its negative logarithms. ``bins``: by number, how many did satisfy, how many did not, and
    the sum of their predictions.
    """

    window: int
    """Start, epoch seconds; of those that were added up, of the last."""
    series: tuple[str, str]
    """Tenant and feature."""
    answers: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    loss: float = 0.0
    bins: dict[int, tuple[float, float, float]] = {}

    def add(self, probability: float, satisfied: bool) -> None:
        """Add a prediction that an answer satisfies (0 to 1), and what its user said."""
        right = probability if satisfied else 1 - probability
        self.answers += 1
        self.total += right
        self.squares += right * right
        self.loss -= log(max(right, _LEAST))
        number = min(int(probability * BINS), BINS - 1)
        yes, no, sums = self.bins.get(number, (0.0, 0.0, 0.0))
        self.bins[number] = yes + satisfied, no + (not satisfied), sums + probability

    def follow(self, later: Foresight, fade: float) -> None:
        """Add a later window, or another partition's for the same (``fade`` 1). Each of its answers
        lets the earlier ones count ``fade`` times as much (fading factors; Gama et al. 2013)."""
        kept = fade**later.answers
        self.window = max(self.window, later.window)
        self.answers = kept * self.answers + later.answers
        self.total = kept * self.total + later.total
        self.squares = kept * self.squares + later.squares
        self.loss = kept * self.loss + later.loss
        bins = {}
        for number in sorted(self.bins.keys() | later.bins.keys()):
            ours, theirs = (of.bins.get(number, (0.0, 0.0, 0.0)) for of in (self, later))
            bins[number] = (
                kept * ours[0] + theirs[0], kept * ours[1] + theirs[1], kept * ours[2] + theirs[2],
            )  # fmt: skip
        self.bins = bins

    @property
    def auc(self) -> float | None:
        """How often an answer that satisfied was thought to do so more than one that did not (0 to
        1, ties count half); None if all said the same."""
        right = below = yes = 0.0
        for _, (did, did_not, _) in sorted(self.bins.items()):
            right += did * (below + did_not / 2)
            below += did_not
            yes += did
        return right / (yes * below) if yes and below else None

    @property
    def log_loss(self) -> float:
        """Mean of the negative logarithms of the probability given to what was said; 0.69 is what
        one who knows nothing has."""
        return self.loss / self.answers if self.answers else 0.0

    @property
    def calibration(self) -> float:
        """Expected calibration error, 0 to 1: how far predictions are from what was said, on
        average over the answers."""
        apart = sum(abs(sums - did) for did, _, sums in self.bins.values())
        return apart / self.answers if self.answers else 0.0


class JudgedUpTo(msgspec.Struct, array_like=True, gc=False):
    """``partition`` of the agent ``labels`` has judged everything up to the event time ``clock``; ``windows`` are over.
    ``rests``: there is nothing more to read."""

    partition: int
    clock: float
    windows: list[Opinions] = []
    rests: bool = False
    foresights: list[Foresight] = []
    """Of answers whose feedback taught in windows that are over."""
