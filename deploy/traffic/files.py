"""Reading trace files line by line, plain or gzip, with errors that name the file and the line."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from deploy.traffic.record import TrafficError

_COUNT_LIMIT = 256 * 1024 * 1024


def fault(path: Path, line: int, what: str) -> TrafficError:
    """The error for line `line` (from 1) of `path`."""
    return TrafficError(f"{path}, line {line}: {what}")


def _open(path: Path) -> BinaryIO:
    try:
        if path.suffix == ".gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        return path.open("rb")
    except OSError as error:
        raise TrafficError(f"cannot read {path}: {error.strerror or error}. Give the path of a trace file.") from error


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, line without its end) of every line that is not blank; a byte order mark is dropped."""
    number = 0
    with _open(path) as file:
        try:
            for number, line in enumerate(file, start=1):
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                line = line.rstrip(b"\r\n")
                if line.strip():
                    yield number, line
        except (OSError, EOFError) as error:
            raise fault(path, number + 1, f"cannot read on: {error}") from error


def first_line(path: Path) -> bytes:
    """The first line that is not blank, or b""."""
    for _, line in lines(path):
        return line
    return b""


def count_lines(path: Path) -> int | None:
    """How many lines are not blank, or None where counting would take long (large or compressed files)."""
    if path.suffix == ".gz" or path.stat().st_size > _COUNT_LIMIT:
        return None
    return sum(1 for _ in lines(path))
