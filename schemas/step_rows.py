"""Steps of a trace that are no model calls, as rows."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from schemas.rows import Json, TableRow


class StepRow(TableRow, kw_only=True):
    """A tool, retrieval, agent, workflow, or a span around a call (`part`). Sort key: trace_id, span_id. A repeat is identical.

    `parent_id`: the span around it, "" for none. `response_id`: of the call it is part of, "" if of none. `input` and `output`: how
    they begin.
    """

    TABLE: ClassVar[str] = "steps_data"
    LAST_IDENTIFIER: ClassVar[str] = "status"

    time: datetime
    trace_id: str
    span_id: str
    parent_id: str = ""
    response_id: str = ""
    session_id: str = ""
    tenant: str = "default"
    feature: str = ""
    kind: str
    duration_ms: float | None = None
    status: str
    name: str = ""
    error_type: str = ""
    error_message: str = ""
    input: str = ""
    output: str = ""
    pii: Json = "[]"
