"""Steps as Mirante's own events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import msgspec

from agents.otlp.names import Whose
from agents.otlp.step import MODEL_CALLS, Step, StepKind
from schemas.events import (
    DEFAULT_TENANT,
    DEFAULT_TIMEOUT_MS,
    MAX_MS,
    Message,
    Operation,
    Prompt,
    Request,
    Response,
    Usage,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_ID = 512
_LONGEST_MS = 604_800_000
"""A week: the longest a call may take."""

_OPERATIONS: dict[StepKind, Operation] = {
    "chat": "chat",
    "text_completion": "text_completion",
    "embeddings": "embeddings",
    "tool": "execute_tool",
    "retrieval": "retrieval",
    "agent": "invoke_agent",
}


class TracedCall(msgspec.Struct, gc=False):
    """A model call, or a step (tool, retrieval, agent), as Mirante's own events.

    `request_id` and `response_id` are `TRACE-SPAN` in hexadecimal; so is the request's `event_id`,
    and the response's is `TRACE-SPAN-end`: the same span always gives the same. Of steps, the
    response has neither usage nor cost, and the name of the tool, agent or data source stands where
    calls have their model.
    """

    request: Request
    response: Response
    span_ids: list[str]
    """All spans that tell of this call as `TRACE-SPAN`, the one that names it first. If one of them
    has been published before, under another's name, it is the same call."""
    provider_response_id: str = ""
    usage_rest: dict[str, Any] = {}
    """What may be charged for and is not in the response's usage."""

    def encoded(self) -> tuple[bytes, bytes]:
        """Request and response as JSON, for the topics of events."""
        response = msgspec.to_builtins(self.response)
        if self.usage_rest:
            response.setdefault("usage", {})["other"] = self.usage_rest
        if self.provider_response_id:
            response["provider_response_id"] = self.provider_response_id
        return msgspec.json.encode(self.request), msgspec.json.encode(response)


def call_of(step: Step, told_by: Iterable[Step], parent_id: str, whose: Whose) -> TracedCall:
    """The events of a step. `told_by`: other spans that tell of it; `parent_id`: of the step that it
    is part of."""
    key = key_of(step)
    is_call = step.kind in MODEL_CALLS
    model = (step.model or step.answered_by or "unknown") if is_call else (step.name or "unknown")
    latency_ms = min((step.end_ns - step.start_ns) / 1e6, MAX_MS)
    session = whose.session if len(whose.session) <= _MAX_ID else None
    tenant = whose.tenant or DEFAULT_TENANT
    request = Request(
        event_id=key,
        time=_time(step.start_ns),
        request_id=key,
        model=model,
        session_id=session,
        tenant=tenant,
        feature=whose.feature or None,
        environment=whose.environment or None,
        user_id=(whose.user if len(whose.user) <= _MAX_ID else None) or None,
        trace_id=step.trace_id,
        span_id=step.span_id,
        parent_span_id=parent_id or None,
        operation=_OPERATIONS[step.kind],
        provider=step.provider or None,
        prompt=_prompt(whose),
        system_instructions=step.system or None,
        messages=_messages(step) or None,
        params=step.params or None,
        documents=step.documents or None,
        tools=step.tools or None,
        # It has ended, and whoever waited for it saw that.
        timeout_ms=min(max(DEFAULT_TIMEOUT_MS, ceil(latency_ms) + 1_000), _LONGEST_MS),
    )
    response = Response(
        event_id=f"{key}-end",
        time=_time(step.end_ns),
        request_id=key,
        response_id=key,
        status="ok" if step.error is None else "error",
        session_id=session,
        tenant=tenant,
        error=step.error,
        output=step.output or None,
        latency_ms=latency_ms,
    )
    if is_call:
        _answered(response, step)
    return TracedCall(
        request,
        response,
        list(dict.fromkeys([key, *map(key_of, told_by)])),
        step.response_id if is_call else "",
        step.used.rest if is_call else {},
    )


def key_of(step: Step) -> str:
    """What a step is known by outside of its trace."""
    return f"{step.trace_id}-{step.span_id}"


def _answered(response: Response, step: Step) -> None:
    response.model = step.answered_by or step.model or None
    response.system_fingerprint = step.system_fingerprint or None
    response.finish_reason = step.finish_reason[:256] or None
    response.tool_calls = step.tool_calls or None
    response.service_tier = step.service_tier or None
    response.region = step.region or None
    response.cost_usd = step.cost_usd
    response.ttft_ms = step.ttft_ms
    if step.is_cached is not None:
        response.cache = "hit" if step.is_cached else "miss"
    if step.used.counts or step.used.requests:
        requests: dict[str, int | None] = {**step.used.requests}
        response.usage = Usage(**step.used.counts, requests=requests or None)


def _messages(step: Step) -> list[Message]:
    if step.kind != "tool":
        return step.input
    # Named, so that a loop of the same tool with the same arguments is seen.
    return [Message(role="tool", name=step.name or None, content=m.content) for m in step.input]


def _prompt(whose: Whose) -> Prompt | None:
    if not (whose.prompt_name or whose.prompt_sha):
        return None
    return Prompt(name=whose.prompt_name or None, sha=whose.prompt_sha or None)


def _time(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanoseconds // 1_000)
