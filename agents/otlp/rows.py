"""Spans as rows of the table ``steps``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from agents.otlp.calls import TracedCall
from schemas.events import Request
from schemas.otlp import Span
from schemas.step_rows import StepRow
from schemas.texts import text_of

MAX_PREVIEW = 2_000
"""Characters of what a step was given, and of what came of it."""

KINDS: Mapping[str, str] = {"execute_tool": "tool", "retrieval": "retrieval", "invoke_agent": "agent"}
"""Operation of a step -> its kind."""


def step_row(call: TracedCall, span: Span, around: str) -> StepRow:
    """A step. ``around``: the response_id of the call it is part of."""
    request, response = call.request, call.response
    row = _row(span, KINDS[request.operation or ""], around)
    row.session_id, row.tenant, row.feature = request.session_id or "", request.tenant or "default", request.feature or ""
    row.name = request.model or span.name
    row.status = response.status
    if response.error is not None:
        row.error_type, row.error_message = response.error.type or "", response.error.message or ""
    row.input, row.output = _asked(request)[:MAX_PREVIEW], (response.output or "")[:MAX_PREVIEW]
    return row


def part_row(span: Span, kind: str, call: TracedCall | None, around: str) -> StepRow:
    """A workflow, or a part of a call that another span counts. ``around``: the response_id of the call it is part of."""
    row = _row(span, kind, around)
    if call is not None:
        row.session_id, row.tenant, row.feature = (
            call.request.session_id or "", call.request.tenant or "default", call.request.feature or "",
        )  # fmt: skip
    return row


def _row(span: Span, kind: str, around: str) -> StepRow:
    lasted = (span.end_ns - span.start_ns) / 1e6 if span.end_ns >= span.start_ns > 0 else None
    return StepRow(
        time=datetime.fromtimestamp(span.start_ns / 1e9, UTC), trace_id=span.trace_id, span_id=span.span_id, parent_id=span.parent_id,
        response_id=around, kind=kind, duration_ms=lasted, status="error" if span.status == "error" else "ok", name=span.name[:MAX_PREVIEW],
        error_message=span.status_message[:MAX_PREVIEW],
    )  # fmt: skip


def _asked(request: Request) -> str:
    if request.messages:
        return "\n".join(text_of(message.content) for message in request.messages)
    return msgspec.json.encode(request.params).decode() if request.params else ""
