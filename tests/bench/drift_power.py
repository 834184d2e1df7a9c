"""How often another model behind the same name is seen, by the answers of each side: MT-Bench, no prompt twice, two turns are one session.

Told where the change would be, each method looks once: Mirante's test of answers, and nine style features with Kolmogorov-Smirnov and
Bonferroni. At two levels: 1%, and the p-value with which a window of 200 alone is reported.

There are 80 answers a side and no more. What 200 would give is *extrapolated*, not measured: of every swap, -log10 p is taken as gamma
distributed, at no answers exponential with mean 1 / ln 10, as that of a p-value which holds; its mean grows by the same with every answer,
as the noncentrality of a test does, and its variance in proportion to that. How far this goes shows in the 80 that is foretold from 20
and 40.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import gamma, ks_2samp  # type: ignore[import-untyped]

from agents.detectors.e_values import CYCLE
from agents.drift.metrics import WEIGHTS, Units, test_of
from agents.drift.monitor import FOLLOWED, SCALES
from agents.drift.rows import CATEGORIES, Rows, row_of
from agents.drift.series import BLOCK, WINDOW
from agents.drift.settings import DriftSettings
from agents.drift.text import STYLE_NAMES, Floats
from schemas.samples import Sample
from tests.bench.drift_data import MtBench

NINE = ("length", "words_per_sentence", "lines", "bullets", "headers", "code", "digits", "hedging", "negation")
SIDES = (20, 40, 80)
BEYOND = 200
_NOTHING = 1 / np.log(10)


def rows_of(answers: Sequence[Sample]) -> Rows:
    names: list[list[str]] = [[] for _ in CATEGORIES]
    return np.concatenate([row_of(answer, n, names) for n, answer in enumerate(answers)])


def text_p(old: Rows, new: Rows) -> float:
    """Of Mirante's test of answers."""
    return test_of("answer_text", Units.of_groups(old, new)).tested.p


def style_p(old: Rows, new: Rows) -> float:
    """Of nine style features, Kolmogorov-Smirnov, Bonferroni. Answers of a session are averaged."""
    units = Units.of_groups(old, new)
    styles, present = units.mean(units.rows["style"], units.rows["text"])
    least = min(ks_2samp(styles[present, at], styles[~present, at]).pvalue for at in map(STYLE_NAMES.index, NINE))
    return float(min(1.0, least * len(NINE)))


def enough() -> float:
    """The p-value of a window of 200 answers that is reported at once, if texts and their languages are all that varies."""
    every, share = SCALES[WINDOW]
    texts = sum(WEIGHTS[metric] for metric in ("answer_text", "question_text", "answer_language", "question_language"))
    weight = share * every * BLOCK / CYCLE * (1 - FOLLOWED) * WEIGHTS["answer_text"] / texts
    return weight * DriftSettings().level / 2


class Growth:
    """How -log10 p of each swap grows, from values (draws, swaps) at some numbers of answers a side."""

    def __init__(self, found: dict[int, Floats]) -> None:
        sides = np.array(list(found), float)
        gained = np.array([values.mean(axis=0) for values in found.values()]) - _NOTHING
        self.slopes = np.maximum(0.0, sides @ gained / (sides @ sides))
        mean = sides[:, None] * self.slopes
        excess = np.array([values.var(axis=0, ddof=1) for values in found.values()]) - _NOTHING**2
        self.spread = max(0.0, float(np.vdot(excess, mean) / max(np.vdot(mean, mean), 1e-9)))

    def power(self, side: int, level: float) -> Floats:
        """Of each swap."""
        mean = _NOTHING + side * self.slopes
        variance = _NOTHING**2 + self.spread * side * self.slopes
        found: Floats = gamma.sf(-np.log10(level), mean**2 / variance, scale=variance / mean)
        return found


def power(seeds: range, console: Console) -> None:
    bench = MtBench()

    def draws(before: str, after: str) -> list[Rows]:
        """For every seed, answers to random halves of the questions, either way round."""
        ways = [(seed, pair) for seed in seeds for pair in ((before, after), (after, before))]
        return [rows_of(bench.disjoint(*pair, random.Random(f"{way}{pair}{seed}")).answers) for way, (seed, pair) in enumerate(ways)]

    swaps = {pair: draws(*pair) for pair in itertools.combinations(bench.models, 2)}
    same = [rows for model in bench.models for rows in draws(model, model)]
    table = Table(title="Power by answers a side: MT-Bench, no prompt twice, told where the change is", title_justify="left")
    for column in ("method", "level", *map(str, SIDES), "80 foretold from 20, 40", "200, extrapolated", "false at 80", "below .5 at 200"):
        table.add_column(column, justify="left" if column in ("method", "below .5 at 200") else "right")
    methods: dict[str, Callable[[Rows, Rows], float]] = {"Mirante": text_p, "style_ks": style_p}
    for method, p_of in methods.items():
        found = {
            side: np.array([[-np.log10(p_of(rows[:side], rows[80 : 80 + side])) for rows in of_swap] for of_swap in swaps.values()]).T
            for side in SIDES
        }
        null = np.array([p_of(rows[:80], rows[80:]) for rows in same])
        fitted, early = Growth(found), Growth({side: found[side] for side in SIDES[:2]})
        for level in (0.01, enough()):
            beyond = fitted.power(BEYOND, level)
            table.add_row(
                method, f"{level:.1g}", *(f"{np.mean(found[side] >= -np.log10(level)):.2f}" for side in SIDES),
                f"{early.power(80, level).mean():.2f}", f"{beyond.mean():.2f}", f"{np.mean(null <= level):.3f}",
                ", ".join(f"{a[:7]}/{b[:7]}" for (a, b), share in zip(swaps, beyond, strict=True) if share < 0.5),
            )  # fmt: skip
    console.print(table)
