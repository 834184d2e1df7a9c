"""OpenInference (Arize Phoenix): `openinference.span.kind` and flattened `llm.*`.

github.com/Arize-ai/openinference, spec/semantic_conventions.md
"""

from __future__ import annotations

from typing import Any

from agents.otlp import usage
from agents.otlp.dialects import semconv
from agents.otlp.messages import answer_of, messages_of
from agents.otlp.step import Step, StepKind, Used
from agents.otlp.values import (
    as_dict,
    count,
    first,
    items,
    parsed,
    positive,
    short,
    text,
    tree,
)
from schemas.events import MAX_USD
from schemas.otlp import Attributes, Span

SCOPES = ("openinference.", "@arizeai/openinference")
MARKS = ("openinference.span.kind",)

_KINDS: dict[str, StepKind] = {
    "LLM": "chat",
    "EMBEDDING": "embeddings",
    "RETRIEVER": "retrieval",
    "TOOL": "tool",
    "AGENT": "agent",
    "CHAIN": "workflow",
}
"""Of rerankers, guardrails, evaluators and prompts nothing is made."""

_COUNTS = {
    "llm.token_count.prompt": "input_tokens",
    "llm.token_count.completion": "output_tokens",
    "llm.token_count.prompt_details.cache_read": "cache_read_tokens",
    "llm.token_count.prompt_details.cache_write": "cache_write_tokens",
    "llm.token_count.prompt_details.audio": "input_audio_tokens",
    "llm.token_count.completion_details.audio": "output_audio_tokens",
    "llm.token_count.completion_details.reasoning": "reasoning_tokens",
}


def read(span: Span) -> Step:
    """A span of OpenInference, of any kind."""
    given = span.attributes
    kind = _KINDS.get(text(given, "openinference.span.kind").upper(), "other")
    step = semconv.step_of(span, kind, short(given, "tool.name", "agent.name"))
    step.extra = {f"metadata.{k}": v for k, v in as_dict(parsed(given.get("metadata"))).items()}
    if kind in ("chat", "embeddings"):
        _call(step, given)
    elif kind != "other":
        step.input = messages_of(_value(given, "input"))
        step.output = _value(given, "output")
    step.documents = semconv.documents_of(
        [as_dict(item).get("document") for item in items(tree(given, "retrieval.documents."))]
    )
    return step


def _call(step: Step, given: Attributes) -> None:
    asked, answered = (as_dict(parsed(given.get(f"{side}.value"))) for side in ("input", "output"))
    parameters = as_dict(
        parsed(
            given.get("llm.invocation_parameters") or given.get("embedding.invocation_parameters")
        )
    )
    step.provider = short(given, "llm.provider", "llm.system")
    step.model = (
        short(given, "llm.request.model_name")
        or short(parameters, "model", "model_name")
        or short(asked, "model")
        or short(given, "llm.model_name", "embedding.model_name")
    )
    step.answered_by = short(given, "llm.response.model_name", "llm.model_name")
    step.response_id = text(answered, "id")
    step.params = {k: v for k, v in parameters.items() if k not in ("model", "user")}
    step.is_streaming = asked.get("stream") is True or parameters.get("stream") is True
    # What the provider itself said is complete; the attributes leave out what has no name.
    step.used = usage.union(_counted(given), usage.of_object(answered.get("usage")))
    step.service_tier = short(answered, "service_tier")
    step.system_fingerprint = short(answered, "system_fingerprint")
    step.cost_usd = positive(given.get("llm.cost.total"), MAX_USD)
    step.input = messages_of(_messages(given, "llm.input_messages."))
    step.finish_reason = text(given, "llm.finish_reason")
    semconv.take_answer(step, answer_of(_messages(given, "llm.output_messages.")))
    prompts = [as_dict(p).get("prompt") for p in items(tree(given, "llm.prompts."))]
    texts = [as_dict(e).get("embedding") for e in items(tree(given, "embedding.embeddings."))]
    step.input = step.input or messages_of([as_dict(p).get("text") for p in prompts + texts])
    step.tools = [
        first((parsed(tool.get("json_schema")), tool))
        for tool in (as_dict(as_dict(t).get("tool")) for t in items(tree(given, "llm.tools.")))
    ]


def _counted(given: Attributes) -> Used:
    counts = {
        ours: amount
        for name, ours in _COUNTS.items()
        if (amount := count(given.get(name))) is not None
    }
    return Used(counts)


def _value(given: Attributes, side: str) -> str:
    return text(given, f"{side}.value")


def _messages(given: Attributes, prefix: str) -> list[dict[str, Any]]:
    return [_message(as_dict(as_dict(item).get("message"))) for item in items(tree(given, prefix))]


def _message(message: dict[str, Any]) -> dict[str, Any]:
    calls = [as_dict(as_dict(call).get("tool_call")) for call in items(message.get("tool_calls"))]
    contents = [as_dict(as_dict(c).get("message_content")) for c in items(message.get("contents"))]
    if message.get("function_call_name"):
        calls.append(
            {
                "name": message["function_call_name"],
                "arguments": message.get("function_call_arguments_json"),
            }
        )
    # A call may stand among the contents as well as beside them.
    spoken = [c for c in contents if not (calls and c.get("type") == "tool_use")]
    return {**message, "content": message.get("content") or spoken, "tool_calls": calls}
