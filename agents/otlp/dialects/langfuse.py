"""Langfuse's SDKs from 3 on: `langfuse.observation.*`.

langfuse.com/integrations/native/opentelemetry
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agents.otlp import usage
from agents.otlp.dialects import semconv
from agents.otlp.messages import answer_of, messages_of
from agents.otlp.step import MODEL_CALLS, Step, StepKind
from agents.otlp.values import as_dict, below, number, parsed, positive, short, text, written
from schemas.events import MAX_MS, MAX_USD
from schemas.otlp import Attributes, Span

SCOPES = ("langfuse",)
MARKS = ("langfuse.observation.type",)

_KINDS: dict[str, StepKind] = {
    "generation": "chat",
    "embedding": "embeddings",
    "tool": "tool",
    "retriever": "retrieval",
    "agent": "agent",
    "chain": "workflow",
    "span": "workflow",
}
_OBSERVATION = "langfuse.observation."


def read(span: Span) -> Step:
    """An observation of any type."""
    kind = _KINDS.get(text(span.attributes, f"{_OBSERVATION}type").lower(), "other")
    # What another library writes into the same span is read as well.
    step = semconv.read(span)
    if kind == "workflow" and step.kind in MODEL_CALLS:
        kind = step.kind
    step.kind = kind
    given = below(span.attributes, _OBSERVATION)
    asked, answered = _content(given.get("input")), _content(given.get("output"))
    if kind in MODEL_CALLS:
        _call(step, given)
        step.input = messages_of(asked) or step.input
        answer = answer_of(answered)
        if answer.output or answer.tool_calls:
            semconv.take_answer(step, answer)
    else:
        step.name = span.name[:256]
        step.input, step.output = messages_of(written(asked)), written(answered)
    if text(given, "level").upper() == "ERROR" and step.error is not None:
        step.error.message = text(given, "status_message")[:4_000] or step.error.message
    return step


def _call(step: Step, given: Attributes) -> None:
    model = short(given, "model.name")
    step.model = step.model or model
    step.answered_by = model or step.answered_by
    settings = as_dict(parsed(given.get("model.parameters")))
    # "Infinity" is how it writes that nothing was said.
    step.params |= {k: v for k, v in settings.items() if v is not None and v != "Infinity"}
    step.used = usage.union(usage.of_object(parsed(given.get("usage_details"))), step.used)
    costs = as_dict(parsed(given.get("cost_details")))
    if "total" not in costs:
        costs["total"] = sum(number(cost) or 0 for cost in costs.values())
    step.cost_usd = positive(costs["total"], MAX_USD)
    began_ns = _moment(given.get("completion_start_time"))
    if began_ns is not None and began_ns >= step.start_ns:
        step.ttft_ms = positive((began_ns - step.start_ns) / 1e6, MAX_MS)
        step.is_streaming = True
        step.params.setdefault("stream", True)


def _content(value: Any) -> Any:
    found = parsed(value)
    return value if found is None else found


def _moment(value: Any) -> float | None:
    """A time as RFC 3339, in quotation marks as JSON has it or without, or in nanoseconds."""
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value.strip('"')).timestamp() * 1e9
        except (ValueError, OverflowError):
            return None
    return number(value)
