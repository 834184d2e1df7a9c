"""What is kept of spans and log records while their trace may go on, and how it stands in the changelog. Times are milliseconds."""

from __future__ import annotations

import msgspec

WAITS, NOTHING, PART, STEP, CALL = range(5)
"""A span waits; says nothing of AI; tells of a call that another counts, or of several; is a tool, retrieval or agent; is a call that
counts."""


class HeldSpan(msgspec.Struct, array_like=True, gc=False):
    """A span. ``due``: the moment at which it is told. ``whole``: whether ``body`` is all of it, or what is left to others below it."""

    group: str
    span_id: str
    parent_id: str
    start: int
    at: int
    due: int
    body: bytes
    status: int = WAITS
    whole: bool = True


class HeldLog(msgspec.Struct, array_like=True, gc=False):
    """A log record, for the spans of its group."""

    group: str
    at: int
    due: int
    body: bytes


class SpanTold(msgspec.Struct, array_like=True, gc=False):
    """What became of a span."""

    group: str
    span_id: str
    status: int


class SavedHeld(msgspec.Struct, array_like=True, gc=False, omit_defaults=True):
    """A piece of this state in the changelog. ``count``: ids seen before those in ``seen``; -1: no word of it."""

    spans: list[HeldSpan] = []
    logs: list[HeldLog] = []
    told: list[SpanTold] = []
    seen: list[str] = []
    count: int = -1
