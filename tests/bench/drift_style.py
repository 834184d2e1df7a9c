"""How well each feature of style tells models apart, beside the weights that Mirante's test of answers gives them (``STYLE_WEIGHTS``).

Run it: `python -m tests.bench.drift_style`. Weights are roots of the variance between models over that within them (the F ratio of each
feature), none below ``LEAST``, of mean square 1. They are *learned* on three of MT-Bench's models, ``LEARNED``; the root, the share of
style and how features are squashed were *chosen* on swaps among the three others, with seeds from 1000. The nine swaps from one of the
three to one of the others served neither: tests/bench/drift.py prints them by themselves.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
from rich.console import Console
from rich.table import Table

from agents.drift.metrics import STYLE_WEIGHTS, Units, squashed
from agents.drift.rows import answers
from agents.drift.text import STYLE, STYLE_NAMES, Floats
from tests.bench import smoke
from tests.bench.drift_data import DATA, LEARNED, MtBench, make
from tests.bench.drift_power import rows_of

LEAST = 0.3


def styles(bench: MtBench, model: str) -> Floats:
    """Style of each of a model's sessions: two turns, as they are compared."""
    said = [
        make(at, question, answer, 30.0, session=f"s{at}")
        for at in sorted(bench.questions)
        for question, answer in zip(bench.questions[at], bench.answers[model][at], strict=True)
    ]
    rows = rows_of(said)
    vectors, _ = Units.of_groups(rows[:0], rows).mean(answers(rows), rows["text"])
    return vectors[:, -STYLE:]


def weights(groups: list[Floats]) -> Floats:
    """From the styles of some models' sessions."""
    number = len(groups[0])
    parts = np.split(squashed(np.vstack(groups)), len(groups))
    ratios = [
        (a.mean(axis=0) - b.mean(axis=0)) ** 2 / np.maximum((a.var(axis=0) + b.var(axis=0)) / 2, 0.02)
        for a, b in itertools.combinations(parts, 2)
    ]
    found = _normal(np.sqrt(np.maximum(np.mean(ratios, axis=0) - 2 / number, 1e-3)))
    return _normal(np.maximum(found, LEAST))


def _normal(values: Floats) -> Floats:
    found: Floats = values / np.sqrt((values**2).mean())
    return found


def main() -> None:
    smoke.parse(argparse.ArgumentParser(description=__doc__))  # it takes no longer than that
    console = Console(width=150)
    if not DATA.exists():
        console.print(f"skipped, there is no {DATA} (MIRANTE_SHARED_DATA gives its place)")
        return
    bench = MtBench()
    learned = weights([styles(bench, model) for model in LEARNED])
    others = weights([styles(bench, model) for model in bench.models if model not in LEARNED])
    table = Table(title="Weights of style features", title_justify="left")
    for column in ("feature", "in use", "learned on three models", "on the three others"):
        table.add_column(column, justify="left" if column == "feature" else "right")
    for at in np.argsort(-learned):
        table.add_row(STYLE_NAMES[at], *(f"{values[at]:.1f}" for values in (STYLE_WEIGHTS, learned, others)))
    console.print(table)
    alike = np.corrcoef(np.log(learned), np.log(others))[0, 1]
    console.print(f"correlation of the logarithms, three models with three: {alike:.2f}")


if __name__ == "__main__":
    main()
