"""`make chaos ARGS="--seed 7 --minutes 10"`: a long run with faults, and a table of what held."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.run import Plan, Report, run


def main() -> None:
    parser = argparse.ArgumentParser(prog="make chaos", description="Strike a running Mirante with faults and examine what is left.")
    parser.add_argument("--seed", type=int, default=1, help="faults and their order")
    parser.add_argument("--minutes", type=float, default=7.0, help="length of the traffic: as long as the faults, about 11 s each")
    parser.add_argument("--rate", type=float, default=1_250, help="events per second")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20, help="SIGKILLs of workers")
    parser.add_argument("--others", type=int, default=14, help="other faults")
    parser.add_argument("--kafka", choices=["embedded", "apache", "apache3"], default="embedded")
    parser.add_argument("--settle", type=float, default=180, help="seconds within which everything must be at rest afterwards")
    parser.add_argument("--keep", action="store_true", help="keep data and logs also when all is well")
    args = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="mirante-chaos-"))
    interactions = int(args.rate * args.minutes * 60 / 2)
    plan = Plan(args.seed, directory, args.kafka, args.workers, interactions, args.rate, args.kills, args.others, args.settle)
    begun = time.monotonic()
    report = asyncio.run(run(plan, lambda text: print(f"{time.monotonic() - begun:7.1f} s  {text}", file=sys.stderr, flush=True)))
    show(report)
    if report.holds and not args.keep:
        shutil.rmtree(directory)
    else:
        print(f"data and logs: {directory}")
    sys.exit(0 if report.holds else 1)


def show(report: Report) -> None:
    """The findings as a table."""
    table = Table("", "invariant", "figures", title=f"{report.faults} faults in {report.seconds:.0f} s")
    for finding in report.findings:
        table.add_row("[green]holds[/]" if finding.holds else "[bold red]BROKEN[/]", finding.name, finding.figures)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
