"""The guards, measured: `python -m tests.bench.guards` (needs scikit-learn for the baselines; `--pairs 0` leaves stage 1 out).

What all guards cost stage 1; personal data per kind on generated, labelled text; refusals and injections on data not trained on, beside
string matching, plain patterns and a TF-IDF classifier; then on hand-written texts of which only totals were looked at; microseconds per
kB.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console

from agents.inspection.text.refusal import REFUSAL_THRESHOLD, refusal_probability
from tests.bench import attacks, pii, refusals_injections, smoke, stage1
from tests.bench import guard_texts_blind as blind
from tests.bench.refusals_injections import by_strings, figures, table


def kept_aside(console: Console) -> None:
    """The hand-written texts that nothing was chosen by."""
    shown = table("Kept aside until the end: written by hand, with hard negatives")
    refusals: tuple[tuple[str, Sequence[str], Sequence[str]], ...] = (
        ("en", blind.REFUSALS_EN, blind.ANSWERS_EN),
        ("pt", blind.REFUSALS_PT, blind.ANSWERS_PT),
    )
    for language, yes, no in refusals:
        name = f"{language}: refusals ({len(yes)} + {len(no)})"
        shown.add_row(name, "Mirante", *figures(refusal_probability, REFUSAL_THRESHOLD, yes, no))
        shown.add_row("", "string matching", *figures(by_strings, 0.5, yes, no), end_section=True)
    console.print(shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=9_000, help="generated texts with personal data")
    parser.add_argument("--pairs", type=int, default=10_000, help="calls through stage 1")
    args = smoke.parse(parser, texts=60, pairs=100)
    console = Console(width=170)
    if args.pairs:  # first, in a process that holds what a worker holds and not the data and models of the other tables
        stage1.main(args.pairs, console, 1 if args.smoke else stage1.ROUNDS)
    pii.report(console, args.texts)
    refusals_injections.refusals(console, not args.smoke)
    attacks.report(console, not args.smoke)
    kept_aside(console)


if __name__ == "__main__":
    main()
