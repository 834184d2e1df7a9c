"""Rows of events as lines of JSON without personal data."""

from __future__ import annotations

from agents.inspection.masking import Masking
from agents.inspection.pii import Found
from schemas.events import Event, key_of
from schemas.rows import Row
from streams.effects import Effects


def line_of(row: Row, event: Event, masking: Masking, effects: Effects) -> tuple[bytes, Found]:
    """A row as JSON without personal data, and what was masked, which is also counted."""
    session = event.session_id or key_of(event)
    return masking.line(row, session, lambda kind: effects.count("pii", kind))
