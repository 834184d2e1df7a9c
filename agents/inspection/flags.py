"""What the guards found in a call, as names that windows count (``Aggregate.flags``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agents.inspection.leaks import Direction, Sighting
from schemas.rows import InteractionRow

__all__ = ["CHECKED", "INJECTION", "INVALID", "flags_of", "kinds_of", "pii"]

CHECKED: Final = "json"
"""The answer was checked against a schema."""
INVALID: Final = "json:invalid"
INJECTION: Final = "injection"


def pii(direction: Direction, kind: str = "") -> str:
    """Personal data in a direction, of a kind or of any."""
    return f"pii:{direction}:{kind}" if kind else f"pii:{direction}"


def flags_of(row: InteractionRow, seen: Sequence[Sighting]) -> tuple[str, ...]:
    """The flags of an interaction; most have none."""
    if row.json_valid is None and row.injection == "[]" and not seen:
        return ()
    flags: list[str] = []
    if row.json_valid is not None:
        flags.append(CHECKED)
        if not row.json_valid:
            flags.append(INVALID)
    if row.injection != "[]":
        flags.append(INJECTION)
    flags += sorted({pii(sighting.direction) for sighting in seen})
    flags += [pii(sighting.direction, sighting.kind) for sighting in seen]
    return tuple(flags)


def kinds_of(direction: str, counts: Mapping[str, int]) -> dict[str, int]:
    """How many interactions had each kind of personal data in a direction, of counts by flag."""
    start = f"pii:{direction}:"
    return {flag.removeprefix(start): count for flag, count in sorted(counts.items()) if flag.startswith(start)}
