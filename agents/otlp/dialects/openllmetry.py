"""OpenLLMetry (Traceloop): the semantic conventions, older ones flattened into one attribute a
message, and spans of its decorators.

github.com/traceloop/openllmetry, packages/opentelemetry-semantic-conventions-ai
"""

from __future__ import annotations

from agents.otlp.dialects import semconv
from agents.otlp.messages import answer_of, messages_of
from agents.otlp.step import MODEL_CALLS, Step, StepKind
from agents.otlp.values import as_dict, flag, items, parsed, short, text, tree, written
from schemas.otlp import Attributes, Span

SCOPES = ("opentelemetry.instrumentation.", "traceloop.", "@traceloop/")
MARKS = (
    "traceloop.span.kind",
    "llm.request.type",
    "gen_ai.prompt.0.role",
    "gen_ai.prompt.0.content",
)

_DECORATED: dict[str, StepKind] = {
    "workflow": "workflow",
    "task": "workflow",
    "agent": "agent",
    "tool": "tool",
}
_REQUESTS: dict[str, StepKind] = {
    "chat": "chat",
    "completion": "text_completion",
    "embedding": "embeddings",
}


def read(span: Span) -> Step:
    """A span of an instrumentation or of a decorator."""
    given = span.attributes
    step = semconv.read(span)
    decorated = _DECORATED.get(text(given, "traceloop.span.kind"))
    if decorated is not None:
        return _decorated(step, decorated, given)
    if step.kind not in MODEL_CALLS or not text(given, "gen_ai.operation.name"):
        step.kind = _REQUESTS.get(text(given, "llm.request.type"), step.kind)
    step.is_streaming |= bool(
        flag(given.get("gen_ai.is_streaming")) or flag(given.get("llm.is_streaming"))
    )
    if step.is_streaming:
        step.params.setdefault("stream", True)
    if not step.input:
        step.input = messages_of(items(_numbered(given, "gen_ai.prompt.")))
    if not (step.output or step.tool_calls):
        semconv.take_answer(step, answer_of(items(_numbered(given, "gen_ai.completion."))))
    step.finish_reason = step.finish_reason or text(
        given, "llm.response.finish_reason", "llm.response.stop_reason"
    )
    step.tools = step.tools or items(tree(given, "llm.request.functions."))
    return step


def _decorated(step: Step, kind: StepKind, given: Attributes) -> Step:
    step.kind = kind
    step.name = short(given, "traceloop.entity.name", "traceloop.workflow.name") or step.name
    step.input = messages_of(_entity(given.get("traceloop.entity.input")))
    step.output = _entity(given.get("traceloop.entity.output"))
    return step


def _entity(value: object) -> str:
    """Arguments or result of a decorated function: JSON, of which the arguments say the most."""
    found = parsed(value)
    arguments = as_dict(found)
    return written(arguments.get("inputs", arguments.get("kwargs", found or value)))


def _numbered(given: Attributes, prefix: str) -> dict[str, object]:
    """Messages by number, with the calls of tools in them as arrays."""
    found = tree(given, prefix)
    for message in found.values():
        if isinstance(message, dict) and isinstance(message.get("tool_calls"), dict):
            message["tool_calls"] = items(message["tool_calls"])
    return found
