"""OpenTelemetry's semantic conventions for GenAI, from 1.27 to those of their own repository, as the
official instrumentations, Vercel's AI SDK 7, Strands and many others write them.

opentelemetry.io/docs/specs/semconv/gen-ai; github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

from typing import Any

from agents.otlp import usage
from agents.otlp.failure import failure_of
from agents.otlp.messages import FirstAnswer, answer_of, messages_of, system_of
from agents.otlp.step import Step, StepKind
from agents.otlp.values import (
    as_dict,
    as_list,
    below,
    flag,
    number,
    parsed,
    positive,
    short,
    text,
    written,
)
from schemas.events import MAX_MS, MAX_NUMBER, MAX_USD, Document
from schemas.otlp import Attributes, Span

KINDS: dict[str, StepKind] = {
    "chat": "chat",
    "generate_content": "chat",
    "responses": "chat",
    "messages": "chat",
    "completion": "chat",
    "text_completion": "text_completion",
    "embeddings": "embeddings",
    "embedding": "embeddings",
    "execute_tool": "tool",
    "retrieval": "retrieval",
    "search_memory": "retrieval",
    "invoke_agent": "agent",
    "invoke_workflow": "workflow",
    "agent_step": "workflow",
    "plan": "workflow",
}
"""`gen_ai.operation.name` -> kind. The AI SDK has `agent_step`."""

_CALLED = ("gen_ai.tool.name", "gen_ai.data_source.id", "gen_ai.agent.name", "gen_ai.workflow.name")


def step_of(span: Span, kind: StepKind = "other", name: str = "") -> Step:
    """The frame of a step: ids, times, and whether it failed."""
    start_ns = span.start_ns or span.end_ns
    return Step(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        start_ns=start_ns,
        end_ns=max(span.end_ns, start_ns),
        scope=span.scope.name,
        kind=kind,
        name=(name or span.name)[:256],
        error=failure_of(span),
    )


def read(span: Span) -> Step:
    """A span that speaks of `gen_ai.*`."""
    given = span.attributes
    step = step_of(span, _kind(given), short(given, *_CALLED))
    step.provider = short(given, "gen_ai.provider.name", "gen_ai.system")
    step.model = short(given, "gen_ai.request.model")
    step.answered_by = short(given, "gen_ai.response.model")
    step.response_id = text(given, "gen_ai.response.id")
    step.used = usage.of_attributes(given)
    step.cost_usd = positive(given.get("gen_ai.usage.cost"), MAX_USD)
    step.finish_reason = finish_reason(given)
    step.params = params(given)
    step.is_streaming = bool(flag(given.get("gen_ai.request.stream")))
    seconds = positive(given.get("gen_ai.response.time_to_first_chunk"), MAX_MS / 1_000)
    step.ttft_ms = None if seconds is None else seconds * 1_000
    step.service_tier = short(
        given, "openai.response.service_tier", "gen_ai.openai.response.service_tier"
    )
    step.system_fingerprint = short(
        given,
        "openai.response.system_fingerprint",
        "gen_ai.openai.response.system_fingerprint",
        "gen_ai.openai.system_fingerprint",
    )
    step.region = short(given, "cloud.region", "aws.region")
    content(step, given)
    return step


def content(step: Step, given: Attributes) -> None:
    """Takes over what was asked and answered, from a span or from an event of its own, where
    nothing is known of it yet."""
    if not step.input:
        asked = parsed(given.get("gen_ai.input.messages"))
        step.input = messages_of(asked or text(given, "gen_ai.retrieval.query.text"))
    if not (step.output or step.tool_calls):
        take_answer(step, answer_of(parsed(given.get("gen_ai.output.messages"))))
    step.system = step.system or system_of(given.get("gen_ai.system_instructions"))
    step.tools = step.tools or as_list(parsed(given.get("gen_ai.tool.definitions")))
    step.documents = step.documents or documents_of(parsed(given.get("gen_ai.retrieval.documents")))
    if step.kind == "tool":
        arguments = given.get("gen_ai.tool.call.arguments", given.get("tool_arguments"))
        result = given.get("gen_ai.tool.call.result", given.get("tool_response"))
        step.input, step.output = messages_of(written(arguments)), written(result)


def take_answer(step: Step, answer: FirstAnswer) -> None:
    """Takes over what a model answered. That it declined is said in the message alone."""
    step.output, step.tool_calls = answer.output, answer.tool_calls
    if answer.finish_reason == "refusal" or not step.finish_reason:
        step.finish_reason = answer.finish_reason


def finish_reason(given: Attributes) -> str:
    """Of the first choice."""
    reasons = given.get("gen_ai.response.finish_reasons")
    listed = as_list(reasons) or as_list(parsed(reasons))
    first = next((reason for reason in listed if isinstance(reason, str) and reason), "")
    # Anthropic's own library writes its reason in a name of its own.
    return first or text(given, "gen_ai.response.finish_reason", "anthropic.message.stop_reason")


def params(given: Attributes) -> dict[str, Any]:
    """The settings that were asked for, by their own names."""
    asked = below(given, "gen_ai.request.")
    return {
        name: value
        for name, value in asked.items()
        if name not in ("model", "type") and value is not None
    }


def documents_of(value: Any) -> list[Document]:
    """Documents that were found."""
    found = []
    for item in as_list(value):
        document = as_dict(item)
        score = number(document.get("score"))
        found.append(
            Document(
                id=text(document, "id")[:512] or None,
                score=score if score is not None and abs(score) <= MAX_NUMBER else None,
                text=text(document, "content", "text") or None,
            )
        )
    return found


def _kind(given: Attributes) -> StepKind:
    operation = text(given, "gen_ai.operation.name").lower()
    if operation in KINDS:
        return KINDS[operation]
    if any(name.startswith("gen_ai.usage.") for name in given) and text(
        given, "gen_ai.request.model", "gen_ai.response.model"
    ):
        # An operation nobody has listed yet, or a library older than the attribute.
        return "embeddings" if "embed" in operation else "chat"
    return "tool" if text(given, "gen_ai.tool.name", "gen_ai.tool.call.id") else "other"
