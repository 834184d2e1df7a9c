"""``mirante anomaly``: how unusual each value of a file is."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

COLUMNS = ("timestamp", "value")
FROM = 0.5
"""Scores of an alarm and above: with any other threshold a file has more of them, or fewer."""
_SHOWN = 20


class ScoredRow(NamedTuple):
    """A row as it was, and its score: in [0, 1], 0.5 and above is an alarm."""

    timestamp: str
    value: str
    score: float


def anomaly(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV with the columns timestamp and value, oldest first.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write timestamp,value,anomaly_score of every row to this file.")] = None,
) -> None:
    """Score a series of any numbers: 0.5 and above is an anomaly. A row is scored by those before it alone.

    Timestamps are ISO 8601 (UTC where they name no zone) or epoch seconds; an empty value is a gap.
    """
    rows = scored(file)
    if out is None:
        _print(rows)
        return
    found = count = 0
    with out.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow([*COLUMNS, "anomaly_score"])
        for row in rows:
            writer.writerow([row.timestamp, row.value, f"{row.score:.6f}"])
            count, found = count + 1, found + (row.score >= FROM)
    typer.echo(f"{count} rows scored, {found} of them anomalies: {out}")


def scored(path: Path) -> Iterator[ScoredRow]:
    """The rows of a file, each scored before the next one is read. Raises ``ValueError`` that names the line."""
    from agents.detectors.points import PointDetector, graded

    detector = PointDetector()
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
            raise ValueError(f"{path}: the first line must name the columns timestamp and value; {missing[0]} is not there")
        for row in rows:
            timestamp, value = (row[name] or "" for name in COLUMNS)
            try:
                score = graded(detector, seconds(timestamp), float(value) if value.strip() else nan)
            except ValueError as error:
                raise ValueError(f"{path}, line {rows.line_num}: {error}") from error
            yield ScoredRow(timestamp, value, score)


def seconds(text: str) -> float:
    """Epoch seconds of a number, or of an ISO 8601 time, which is UTC where it names no zone."""
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _print(rows: Iterator[ScoredRow]) -> None:
    count, found = 0, list[ScoredRow]()
    for row in rows:
        count += 1
        if row.score >= FROM:
            found = sorted([*found, row], key=lambda one: -one.score)[:_SHOWN]
    typer.echo(f"{count} rows; the most unusual of those that are anomalies:" if found else f"{count} rows, no anomaly")
    for row in sorted(found, key=lambda one: one.timestamp):
        typer.echo(f"{row.timestamp}  {row.value}  {row.score:.3f}")
