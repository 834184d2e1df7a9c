"""LiteLLM's OpenTelemetry callback: the semantic conventions with numbers as text, metadata as the
repr of Python objects, and a child span with what went over the wire.

docs.litellm.ai/docs/observability/opentelemetry_integration
"""

from __future__ import annotations

from agents.otlp import usage
from agents.otlp.dialects import semconv
from agents.otlp.messages import answer_of, messages_of
from agents.otlp.step import Step, StepKind
from agents.otlp.values import (
    as_dict,
    below,
    first,
    flag,
    items,
    literal,
    parsed,
    positive,
    short,
    text,
    tree,
)
from schemas.events import MAX_USD
from schemas.otlp import Attributes, Span

SCOPES = ("litellm",)
MARKS = ("litellm.call_id",)

_WIRE = "raw_gen_ai_request"

_KINDS: dict[str, StepKind] = {
    "completion": "chat",
    "acompletion": "chat",
    "responses": "chat",
    "aresponses": "chat",
    "anthropic_messages": "chat",
    "text_completion": "text_completion",
    "atext_completion": "text_completion",
    "embedding": "embeddings",
    "aembedding": "embeddings",
}
_METADATA = ("metadata.requester_metadata", "metadata.spend_logs_metadata")


def read(span: Span) -> Step:
    """A span of LiteLLM: of a request, of what it sent on, or of its own doings."""
    given = span.attributes
    if span.name == _WIRE:
        return _on_the_wire(span)
    step = semconv.read(span)
    step.kind = _KINDS.get(text(given, "gen_ai.operation.name", "llm.request.type"), step.kind)
    if not step.provider:
        # Of embeddings it stands here alone: `openai/text-embedding-3-small`.
        provider, slash, _ = short(given, "litellm.provider.model").partition("/")
        step.provider = provider if slash else ""
    if step.model and step.answered_by == short(given, "litellm.model_group"):
        step.answered_by = step.model  # the proxy writes its own name for it over the provider's
    step.is_streaming |= bool(flag(given.get("llm.is_streaming")))
    if step.is_streaming:
        step.params.setdefault("stream", True)
    step.used = usage.union(step.used, usage.of_object(literal(given.get("metadata.usage_object"))))
    hidden = as_dict(parsed(given.get("hidden_params")))
    step.cost_usd = first(
        positive(cost, MAX_USD)
        for cost in (given.get("gen_ai.cost.total_cost"), hidden.get("response_cost"))
    )
    step.tools = step.tools or items(tree(given, "llm.request.functions."))
    step.is_cached = flag(given.get("litellm.cache_hit"))
    for name in _METADATA:
        said = as_dict(literal(given.get(name)))
        step.extra.update({f"metadata.{key}": value for key, value in said.items()})
    return step


def _on_the_wire(span: Span) -> Step:
    """Attributes `llm.PROVIDER.*`: the body of the request and of the answer, field by field."""
    provider = next((name.split(".")[1] for name in span.attributes if name.startswith("llm.")), "")
    body = below(span.attributes, f"llm.{provider}.")
    step = semconv.step_of(span, _wire_kind(body))
    step.provider = provider[:256]
    step.answered_by = short(body, "model")
    step.response_id = text(body, "id")
    step.used = usage.of_object(literal(body.get("usage")))
    step.input = messages_of(literal(body.get("messages", body.get("input"))))
    step.finish_reason = text(body, "stop_reason")
    choices = literal(body.get("choices"))
    content = {"role": "assistant", "content": literal(body.get("content"))}
    semconv.take_answer(step, answer_of(choices or content))
    return step


def _wire_kind(body: Attributes) -> StepKind:
    if "usage" not in body:
        return "other"
    if "messages" not in body and "data" in body:
        return "embeddings"
    return "chat"
