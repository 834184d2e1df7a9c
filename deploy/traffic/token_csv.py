"""Traces that are CSV files of token counts, one row per request: Azure's and Vidur's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from deploy.traffic.files import fault, lines
from deploy.traffic.pairs import Profile, interaction
from deploy.traffic.record import Shift, TimedRecord, TrafficError, in_time_order, parse_us, row_id

UNTIMED_INTERVAL_US = 500_000
"""Two requests a second, for a trace that has no times."""

RELATIVE_START_US = parse_us("2024-01-01T00:00:00Z")
"""Where a trace that only counts from its beginning is placed unless it is shifted."""


def _columns(path: Path, header: bytes, names: tuple[str, ...]) -> list[int]:
    found = [name.strip().strip('"') for name in header.decode("utf-8", "replace").split(",")]
    missing = [name for name in names if name not in found]
    if missing:
        raise TrafficError(
            f"{path}: the header has no column {', '.join(missing)} (it has {', '.join(found)}). "
            "Name the right format with --format."
        )
    return [found.index(name) for name in names]


def _tokens(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(f"{value} tokens")
    return value


def _rows(
    path: Path,
    profile: Profile,
    time_column: str | None,
    token_columns: tuple[str, str],
    absolute: bool,
    run: str,
    shift: Shift,
    limit: int | None,
) -> Iterator[tuple[TimedRecord, TimedRecord]]:
    source = lines(path)
    _, header = next(source, (0, b""))
    names = token_columns if time_column is None else (*token_columns, time_column)
    columns = _columns(path, header, names)
    for row, (number, line) in enumerate(source):
        if limit is not None and row >= limit:
            return
        try:
            cells = line.decode().split(",")
            input_tokens, output_tokens = _tokens(cells[columns[0]]), _tokens(cells[columns[1]])
            if time_column is None:
                at_us = RELATIVE_START_US + row * UNTIMED_INTERVAL_US
            elif absolute:
                at_us = parse_us(cells[columns[2]].strip())
            else:
                at_us = RELATIVE_START_US + round(float(cells[columns[2]]) * 1e6)
        except (ValueError, IndexError, OverflowError) as error:
            raise fault(path, number, f"not a row of {', '.join(names)}: {error}. Correct or remove it.") from error
        ident = row_id(run, row, line)
        yield interaction(profile, ident, f"ses-{ident}", shift(at_us), input_tokens, output_tokens)


def read_token_csv(
    path: Path,
    profile: Profile,
    *,
    time_column: str | None,
    token_columns: tuple[str, str],
    absolute: bool,
    run: str,
    shift_to: datetime | None,
    limit: int | None,
) -> Iterator[TimedRecord]:
    """One request and one response per row, in time order; every row is a session of its own.

    `time_column`: its name, or None if the trace has no times; `absolute`: ISO times (UTC unless they say otherwise),
    else seconds from the beginning.
    """
    rows = _rows(path, profile, time_column, token_columns, absolute, run, Shift(shift_to), limit)
    return in_time_order(rows)
