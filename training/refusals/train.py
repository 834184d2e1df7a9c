"""Makes the model that ships and prints how its kind does on sources that it has not seen.

Run: `python -m training.refusals.train CACHE WHEELS [--measure]` (CACHE: see
`training/refusals/translated.py`; WHEELS: a folder with those of pyrit and
chatterbot-corpus). Needs scikit-learn.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from training.refusals.measure import Measured, figures, held_out
from training.refusals.model import exported, fit, matrix
from training.refusals.own import made
from training.refusals.sources import Example, evaluation, public, shared_data
from training.refusals.translated import translated

__all__ = ["examples_of", "main", "shown"]

MODEL: Final = Path(__file__).parents[2] / "agents" / "inspection" / "models" / "refusal.npz"
_OWN: Final = 6_000
"""Draws of our own sentences in each language."""


def examples_of(data: Path, wheels: Path, cache: Path) -> tuple[list[Example], list[Example]]:
    """What is trained on, and what is not: XSTest and its translation."""
    real, gold = public(data, wheels), evaluation(data)
    return [*real, *translated(real, cache), *made(_OWN)], [*gold, *translated(gold, cache)]


def shown(
    measured: list[Measured], title: str = "Refusals, each source by models that have not seen it"
) -> Table:
    """A row for each source: F1 and AUC where there are refusals, and what share of the others is
    flagged."""
    table = Table(title=title, title_justify="left")
    for column in ("source", "", "refusals + others"):
        table.add_column(column)
    names = list(measured[0].scores)
    for column in ("F1", "AUC", "flagged"):
        for name in names:
            table.add_column(f"{column}\n{name}", justify="right")
    for one in measured:
        of = [figures(one.refused, scores) for scores in one.scores.values()]
        refusals = sum(one.refused)
        cells = [
            *(_number(each.f1, "{:.3f}") for each in of),
            *(_number(each.auc, "{:.3f}") for each in of),
            *(_number(each.flagged, "{:.1%}") for each in of),
        ]
        table.add_row(
            one.source, one.language, f"{refusals} + {len(one.refused) - refusals}", *cells
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def main(cache: str, wheels: str, *options: str) -> None:
    """Measures, then trains on all and writes the model, unless only a measure is asked for."""
    data = shared_data()
    if data is None:
        raise SystemExit(
            "The development data are not there; set MIRANTE_SHARED to the folder that holds `data`."
        )
    console = Console(width=150)
    examples, others = examples_of(data, Path(wheels), Path(cache))
    features = matrix(examples)
    measured, by, _ = held_out(examples, features, others, matrix(others))
    console.print(shown(measured))
    console.print(f"Calibration: logit times {by[0]:.3f}, plus {by[1]:.3f}")
    if "--measure" not in options:
        model = exported(fit(features, examples), by)
        model.save(MODEL)
        console.print(
            f"{MODEL.name}: {(model.weights != 0).sum()} weights, {MODEL.stat().st_size:,} bytes"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
