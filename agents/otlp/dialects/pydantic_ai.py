"""Pydantic AI and Logfire: the semantic conventions, with the run of an agent around its calls.

ai.pydantic.dev/logfire
"""

from __future__ import annotations

from agents.otlp.dialects import semconv
from agents.otlp.heard import hear
from agents.otlp.messages import answer_of, messages_of
from agents.otlp.step import Step
from agents.otlp.values import as_dict, as_list, parsed, positive, short, text, written
from schemas.events import MAX_USD
from schemas.otlp import Span

SCOPES = ("pydantic-ai",)
MARKS = ("logfire.msg", "model_request_parameters")


def read(span: Span) -> Step:
    """A span of Pydantic AI."""
    given = span.attributes
    if text(given, "logfire.span_type") == "pending_span":
        # Logfire tells of a span before it ends, under an id of its own.
        return semconv.step_of(span)
    step = semconv.read(span)
    step.cost_usd = positive(given.get("operation.cost"), MAX_USD) or step.cost_usd
    if text(given, "gen_ai.operation.name") == "" and short(given, "agent_name", "model_name"):
        step.kind = "agent"
    if step.kind == "agent":
        step.name = short(given, "agent_name", "gen_ai.agent.name") or step.name
        said = parsed(given.get("pydantic_ai.all_messages", given.get("all_messages_events")))
        if isinstance(said, list) and said:
            step.input, step.output = messages_of(said[:-1]), answer_of(said[-1]).output
        step.output = written(given.get("final_result")) or step.output
    elif not (step.input or step.output):
        # Its first two versions wrote the events of the conventions as an attribute.
        said = [as_dict(event) for event in as_list(parsed(given.get("events")))]
        hear(step, [(text(event, "event.name"), event) for event in said])
    return step
