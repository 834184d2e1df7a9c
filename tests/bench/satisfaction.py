"""How soon a fall of satisfaction is found, and how often one that is none. Run it: `python -m tests.bench.satisfaction [--weeks N]`.

Scores are those that the agent ``labels`` gives simulated users (tests/bench/labels_data.py); what changes is the share of satisfied users. Series
differ in traffic, and in whether the share itself varies from minute to minute (a beta distribution with a standard deviation of 0.1), as it
does when sessions and topics come in waves. Beside it, in the same run: a threshold on the mean of an hour, three standard deviations of single
answers below the mean of the day before.
"""

# ruff: noqa: E501

from __future__ import annotations

import argparse
from collections.abc import Iterator
from math import log

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from agents.common.label_settings import LabelSettings
from agents.detectors.level import Level, Sums
from agents.satisfaction.state import SatisfactionState
from schemas.findings import Findings
from schemas.opinions import WINDOW
from streams.effects import Effects
from tests.bench import smoke
from tests.bench.labels import simulate
from tests.unit.builders import FakeBatch, Record

DAY, WEEK = 86_400 // WINDOW, 7 * 86_400 // WINDOW
SETTINGS = LabelSettings()
NEEDED = log(WEEK / SETTINGS.false_alarms)
LEVEL = 0.7
ANSWERS = 10_000
Floats = NDArray[np.float64]


class Scores:
    """Scores of answers that did and did not satisfy."""

    def __init__(self, answers: int) -> None:
        labels, truth, _, _, self.judged = simulate(answers)
        half = list(truth)[len(truth) // 2 :]
        self._of = [np.array([labels[a].score for a in half if truth[a].satisfied == kind]) for kind in (False, True)]

    def gap(self) -> float:
        """By how much the mean score differs between the two."""
        return float(self._of[1].mean() - self._of[0].mean())

    def windows(self, shares: Floats, each: float, wavering: bool, chance: np.random.Generator) -> Iterator[Floats]:
        for share in shares:
            at = chance.beta(share * 20, (1 - share) * 20) if wavering else share
            count = chance.poisson(each)
            satisfied = chance.random(count) < at
            yield np.where(satisfied, chance.choice(self._of[1], count), chance.choice(self._of[0], count))


def cusum(windows: list[Floats]) -> list[bool]:
    """Whether the level counts as fallen after each window."""
    level, found = Level(), []
    for n, scores in enumerate(windows):
        if len(scores):
            level.update(n * WINDOW, Sums(len(scores), float(scores.sum()), float((scores**2).sum())), drop=SETTINGS.drop, needed=NEEDED, baseline=SETTINGS.baseline)  # fmt: skip
        found.append(level.fallen)
    return found


def threshold(windows: list[Floats]) -> list[bool]:
    """The baseline."""
    counts, sums = np.array([len(w) for w in windows]), np.array([w.sum() for w in windows])
    squares = np.array([(w**2).sum() for w in windows])
    total = [np.concatenate(([0.0], np.cumsum(x))) for x in (counts, sums, squares)]
    found = []
    for n in range(1, len(windows) + 1):
        (c, s), (dc, ds, dq) = ((t[n] - t[max(n - 60, 0)] for t in total[:2]), (t[max(n - 60, 0)] - t[max(n - 60 - DAY, 0)] for t in total))
        known = dc >= SETTINGS.baseline and c >= 20
        found.append(known and s / c < ds / dc - 3 * np.sqrt((dq / dc - (ds / dc) ** 2) / c))
    return found


def alarms(found: list[bool]) -> int:
    return sum(now and not before for before, now in zip([False, *found], found, strict=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--weeks", type=int, default=20, help="weeks of each kind of series")
    parser.add_argument("--falls", type=int, default=30, help="falls of each size")
    given = smoke.parse(parser, weeks=1, falls=1)
    scores, chance = Scores(ANSWERS), np.random.default_rng(11)
    table = Table(title=f"False alarms in {given.weeks} weeks of each series, and minutes until a fall of the share of satisfied users from {LEVEL:.0%} is found (median; share found within 6 h)")
    for column in ("answers/min", "share", "test", "false alarms", "to 60%", "to 50%", "to 40%", "to 20%"):
        table.add_column(column, justify="left" if column in ("share", "test") else "right")
    for each in (2.0, 20.0, 200.0):
        for wavering in (False, True):
            quiet = dict.fromkeys(("CUSUM", "threshold"), 0)
            tests = {"CUSUM": cusum, "threshold": threshold}
            for _ in range(given.weeks):
                week = list(scores.windows(np.full(WEEK, LEVEL), each, wavering, chance))
                for name, test in tests.items():
                    quiet[name] += alarms(test(week))
            delays: dict[str, list[str]] = {name: [] for name in tests}
            for after in (0.6, 0.5, 0.4, 0.2):
                took: dict[str, list[float]] = {name: [] for name in tests}
                for _ in range(given.falls):
                    shares = np.concatenate((np.full(DAY, LEVEL), np.full(360, after)))
                    windows = list(scores.windows(shares, each, wavering, chance))
                    for name, test in tests.items():
                        after_fall = test(windows)[DAY:]
                        took[name].append(after_fall.index(True) + 1 if True in after_fall else float("inf"))
                for name, values in took.items():
                    found = [value for value in values if value < float("inf")]
                    delays[name].append(f"{np.median(found):.0f} ({len(found) / len(values):.0%})" if found else "- (0%)")
            for name in tests:
                table.add_row(f"{each:g}", "wavers" if wavering else "steady", name, str(quiet[name]), *delays[name])
    console = Console(width=140)
    console.print(table)
    state = SatisfactionState(0, "bench", "findings", SETTINGS, 1)
    effects = Effects()
    records = [Record("s", 0, n, 0, None, value, ()) for n, value in enumerate(scores.judged)]
    for record in records:
        state.apply(FakeBatch("s", 0, [record], record.offset + 1), effects)
    told = [found for message in effects.messages for found in msgspec.msgpack.decode(message.value, type=Findings).findings]
    console.print(f"While reliabilities are learned from nothing, users being as they are: {sum(f.active for f in told)} findings in {ANSWERS:,} answers")
    console.print(f"A fall of the share by 10 points is one of the mean score by {scores.gap() / 10:.3f}. Scores count {SETTINGS.judged_after:g} s after the answer, which comes on top.")


if __name__ == "__main__":
    main()
