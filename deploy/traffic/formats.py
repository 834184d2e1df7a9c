"""The formats of trace files, how a file's format is recognised, and one way to read them all."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from deploy.traffic import azure_llm, events, mooncake, vidur
from deploy.traffic.files import count_lines, first_line
from deploy.traffic.record import TimedRecord, TrafficError

FORMATS = ("azure-llm", "mooncake", "vidur", "events")
"""The names `--format` takes."""


def new_run() -> str:
    """A run name no other invocation has."""
    return uuid.uuid4().hex


def detect(path: Path) -> str:
    """The format of a file, from its first line. Raises `TrafficError` if it is none of `FORMATS`."""
    line = first_line(path)
    if b"ContextTokens" in line and b"GeneratedTokens" in line:
        return "azure-llm"
    if b"num_prefill_tokens" in line:
        return "vidur"
    if line.lstrip().startswith(b"{"):
        if b'"hash_ids"' in line:
            return "mooncake"
        if b'"topic"' in line:
            return "events"
    raise TrafficError(
        f"{path}: not recognised as a trace by its first line. "
        f"Name its format with --format, one of {', '.join(FORMATS)}."
    )


def read_trace(
    path: Path,
    *,
    format: str | None = None,
    run: str,
    shift_to: datetime | None = None,
    limit: int | None = None,
    prefix: str = "llm.",
) -> Iterator[TimedRecord]:
    """The records of a trace file, in time order.

    `format`: one of `FORMATS`, else recognised. `run`: the same file under the same run name has the same ids, so
    publishing it twice counts once. `shift_to`: moves all times so that the first is at that moment. `limit`: only that
    many rows. `prefix`: what may stand before a topic's name in an `events` file.
    """
    name = format or detect(path)
    if name == "azure-llm":
        return azure_llm.read(path, run=run, shift_to=shift_to, limit=limit)
    if name == "mooncake":
        return mooncake.read(path, run=run, shift_to=shift_to, limit=limit)
    if name == "vidur":
        return vidur.read(path, run=run, shift_to=shift_to, limit=limit)
    if name == "events":
        return events.read(path, prefix=prefix, shift_to=shift_to, limit=limit)
    raise TrafficError(f"unknown format {name!r}; use one of {', '.join(FORMATS)}.")


def count_records(path: Path, *, format: str | None = None, limit: int | None = None) -> int | None:
    """How many records `read_trace` yields, or None where finding out would take long."""
    name = format or detect(path)
    rows = count_lines(path)
    if rows is None:
        return None
    if name in ("azure-llm", "vidur"):
        rows = max(0, rows - 1)
    if limit is not None:
        rows = min(rows, limit)
    return rows if name == "events" else rows * 2
