"""The guards, measured: `python -m tests.bench.guards` (`--pairs 0` leaves stage 1 out).

What all guards cost stage 1; personal data per kind on generated, labelled text; refusals and
attacks by source, beside phrases, patterns and a TF-IDF classifier (needs scikit-learn).
"""

from __future__ import annotations

import argparse

from rich.console import Console

from tests.bench import attacks, pii, refusals, smoke, stage1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=9_000, help="generated texts with personal data")
    parser.add_argument("--pairs", type=int, default=10_000, help="calls through stage 1")
    args = smoke.parse(parser, texts=60, pairs=100)
    console = Console(width=170)
    if args.pairs:  # first, in a process that holds what a worker holds and not the data and models of the other tables
        stage1.main(args.pairs, console, 1 if args.smoke else stage1.ROUNDS)
    pii.report(console, args.texts)
    refusals.report(console, not args.smoke)
    attacks.report(console, not args.smoke)


if __name__ == "__main__":
    main()
