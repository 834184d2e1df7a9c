"""What is still learned of which series, in words: for `mirante alerts`, the live view and the checklist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from deploy.dashboard.learning import learning
from deploy.dashboard.queries import QUERIES
from deploy.plain import printable

_NEWEST = "toUInt32(ifNull((SELECT max(window_start) FROM mirante.cost_parts WHERE window_seconds = 60), toDateTime(0))) + 60"
SERIES = QUERIES["series"].sql.replace("{until:UInt32}", _NEWEST)
"""The series of the last hours before the newest call, as the dashboard reads them before the present moment."""
_HOUR, _DAY = 60, 1440
"""Minutes."""
_MOST = 10
"""Series that are named."""


def learned(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each series (rows of :data:`SERIES`) of which something is still learned, the busiest first; none: nothing is."""
    lines = [line for series in learning(rows) if (line := _line(series))]
    more = len(lines) - _MOST
    return [*lines[:_MOST], f"and {more} more series"] if more > 0 else lines


def _line(series: Mapping[str, Any]) -> str:
    rare = series["rare"]
    left = {detector: minutes for detector, minutes in series["left"].items() if minutes > 0 and detector not in rare}
    parts = [f"{detector} {duration(minutes)}" for detector, minutes in left.items()]
    said = [f"learning for about: {', '.join(parts)}"] if parts else []
    said += [f"too rare to judge: {', '.join(rare)}"] if rare else []
    name = " · ".join(printable(part) for part in (series["feature"], series["model"]) if part) or "(no feature)"
    return f"{name}: {'; '.join(said)}" if said else ""


def duration(minutes: float) -> str:
    """Such as ``42 min``, ``5 h``, ``3 days``."""
    if minutes < 2 * _HOUR:
        return f"{minutes:.0f} min"
    return f"{minutes / _HOUR:.0f} h" if minutes < 2 * _DAY else f"{minutes / _DAY:.0f} days"
