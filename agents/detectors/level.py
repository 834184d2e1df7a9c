"""Whether the mean score of a series has fallen: Page's CUSUM (1954) against the series' own level.

A window's evidence is the log-likelihood ratio of "the mean is lower by ``drop``" to "it is what it
was", with normal scores whose variance is learned, as is by how much windows scatter more than
single answers would (answers of one session resemble each other). Evidence adds up from window to
window and never falls below zero; by Wald's bound it reaches log(n) by chance once in n windows. No
window adds more than a third of what is needed: one bad minute is no trend. What belongs to a run
of evidence joins the level only if the run ends without an alarm, so a slow fall does not become
the level it is measured against.
"""

from __future__ import annotations

from math import isfinite, log, sqrt
from typing import NamedTuple

import msgspec

from agents.detectors.detector import Score, gap
from schemas.opinions import WINDOW

MOST = 2 * 86_400 / WINDOW
"""Windows with answers that the level remembers: beyond them all sums are halved."""
FEWEST = 20
"""Answers a run of evidence must hold."""
SCATTER_WEIGHT = 10.0
"""Windows that "no more scatter than single answers" is worth."""
ADOPT = 7 * 86_400.0
"""A level that has stayed low for so long is the new one."""
_LEAST_VARIANCE = 1e-3
_NEARLY = 0.999
"""Score of evidence that would suffice, in too few answers or after an alarm."""


class Sums(msgspec.Struct, array_like=True, gc=False):
    """Scores of answers: how many, their sum, the sum of their squares."""

    answers: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def add(self, answers: float, total: float, squares: float) -> None:
        """Take in so many answers, the sum of their values and that of their squares."""
        self.answers += answers
        self.total += total
        self.squares += squares

    @property
    def mean(self) -> float:
        """Of the values; 0 without any."""
        return self.total / self.answers if self.answers else 0.0

    @property
    def variance(self) -> float:
        """Of the values, a least one at least. Raises ZeroDivisionError without any."""
        return max(self.squares / self.answers - self.mean**2, _LEAST_VARIANCE)


class Fall(NamedTuple):
    """``mean`` since ``since`` (epoch seconds), where ``expected`` was the level."""

    since: float
    mean: float
    expected: float
    answers: int


class Level(msgspec.Struct, array_like=True, gc=False):
    """Has the mean score fallen below the series' own level?

    Source: Page, "Continuous inspection schemes", Biometrika 1954, of normal scores; Wald's bound
    (1947) on its false alarms.

    ``known``: sums behind the level; ``run``: of the windows since the evidence last was zero, or
    since the alarm.

    ``windows``, ``scatter``: windows of the level and the sum of their squared deviations, each
    divided by what single answers would show.
    """

    known: Sums = msgspec.field(default_factory=Sums)
    windows: float = 0.0
    scatter: float = 0.0
    run: Sums = msgspec.field(default_factory=Sums)
    run_windows: int = 0
    run_scatter: float = 0.0
    evidence: float = 0.0
    since: float = 0.0
    fallen: bool = False
    fallen_at: float = 0.0

    def update(
        self,
        time: float,
        value: Sums,
        *,
        drop: float = 0.05,
        needed: float = log(1e6),
        baseline: int = 200,
    ) -> Score:
        """Take in the window that begins at ``time``; without answers it is a gap.

        ``drop``: of the mean that is looked for; ``needed``: evidence for an alarm, whose
        exponential is the windows per false alarm; ``baseline``: answers that make a level. The
        score's value and expectation are mean scores.
        """
        if not (value.answers > 0 and isfinite(value.answers + value.total + value.squares)):
            return gap(self.fallen)
        if self.known.answers < baseline:
            self._learn(value, 1, self._scatter_of(value))
            return Score(0.0, value.mean, self.known.mean)
        unit = self.known.variance * max(
            1.0, (self.scatter + SCATTER_WEIGHT) / (self.windows + SCATTER_WEIGHT)
        )
        expected = self.known.mean
        residual = (value.mean - expected) / sqrt(unit / value.answers)
        # The level itself is only known so well.
        surely = expected - sqrt(unit / self.known.answers)
        step = drop / unit * (value.answers * (surely - drop / 2) - value.total)
        if self.fallen:
            self._recover(time, value, -step, needed)
        else:
            self._look(time, value, step, needed)
        return Score(
            1.0 if self.fallen else min(_NEARLY, self.evidence / needed),
            value.mean,
            expected,
            residual,
        )

    def _look(self, time: float, value: Sums, step: float, needed: float) -> None:
        if not self.run_windows:
            self.since = float(time)
        self.run.add(value.answers, value.total, value.squares)
        self.run_windows += 1
        self.run_scatter += self._scatter_of(value)
        self.evidence = max(0.0, self.evidence + min(step, needed / 3))
        if self.evidence == 0:
            self._learn(self.run, self.run_windows, self.run_scatter)
            self._begin_run()
        elif self.evidence >= needed and self.run.answers >= FEWEST:
            self.fallen, self.evidence, self.fallen_at = True, 0.0, float(time)

    @property
    def fall(self) -> Fall | None:
        """What is the case now."""
        if not self.fallen:
            return None
        return Fall(self.since, self.run.mean, self.known.mean, int(self.run.answers))

    def _recover(self, time: float, value: Sums, step: float, needed: float) -> None:
        """Evidence for the old level, half of what the alarm took; or the new one is adopted."""
        self.run.add(value.answers, value.total, value.squares)
        self.evidence = max(0.0, self.evidence + min(step, needed / 6))
        adopted = time + WINDOW - self.fallen_at >= ADOPT
        if adopted:
            self.known, self.windows, self.scatter = (
                Sums(self.run.answers, self.run.total, self.run.squares),
                0.0,
                0.0,
            )
        if adopted or self.evidence >= needed / 2:
            self.fallen = False
            self._begin_run()

    def _begin_run(self) -> None:
        self.run, self.run_windows, self.run_scatter, self.evidence, self.since = (
            Sums(),
            0,
            0.0,
            0.0,
            0.0,
        )

    def _scatter_of(self, window: Sums) -> float:
        """Squared deviation of a window from the level, in units of what single answers would
        show."""
        if not self.known.answers:
            return 1.0
        return (
            (window.total - window.answers * self.known.mean) ** 2
            / window.answers
            / self.known.variance
        )

    def _learn(self, seen: Sums, windows: int, scatter: float) -> None:
        self.scatter += scatter
        self.windows += windows
        self.known.add(seen.answers, seen.total, seen.squares)
        if self.windows > MOST:
            self.known = Sums(self.known.answers / 2, self.known.total / 2, self.known.squares / 2)
            self.windows, self.scatter = self.windows / 2, self.scatter / 2
