"""Vercel's AI SDK 3 to 6: `ai.*`. The span of a function (`ai.generateText`) holds the sum of the
calls of the provider (`ai.generateText.doGenerate`) under it. From 7 on it writes the semantic
conventions, and beside them what it is asked for (`new OpenTelemetry({ usage: true })`).

ai-sdk.dev/docs/ai-sdk-core/telemetry
"""

from __future__ import annotations

import re
from typing import Any

from agents.otlp import usage
from agents.otlp.dialects import semconv
from agents.otlp.messages import answer_of, messages_of
from agents.otlp.step import MODEL_CALLS, Step, StepKind, Used
from agents.otlp.values import (
    as_list,
    below,
    count,
    first,
    parsed,
    positive,
    short,
    text,
    written,
)
from schemas.events import MAX_MS
from schemas.otlp import Attributes, Span

_SEVEN = "gen_ai"
SCOPES = ("ai", _SEVEN)
MARKS = ("ai.operationId",)

_CALL = re.compile(r"^ai\.(?:generate|stream)(?:Text|Object)\.do(?:Generate|Stream)$")
_EMBED = re.compile(r"^ai\.embed(?:Many)?\.doEmbed$")
_FUNCTION = re.compile(r"^ai\.[A-Za-z]+$")

_COUNTS = {
    "promptTokens": "input_tokens",
    "inputTokens": "input_tokens",
    "tokens": "input_tokens",
    "completionTokens": "output_tokens",
    "outputTokens": "output_tokens",
    "cachedInputTokens": "cache_read_tokens",
    "inputTokenDetails.cacheReadTokens": "cache_read_tokens",
    "inputTokenDetails.cacheWriteTokens": "cache_write_tokens",
    "reasoningTokens": "reasoning_tokens",
    "outputTokenDetails.reasoningTokens": "reasoning_tokens",
}
"""After `ai.usage.`."""


def read(span: Span) -> Step:
    """A span of the AI SDK."""
    given = span.attributes
    step = semconv.read(span)
    step.kind = _kind(text(given, "ai.operationId") or span.name.partition(" ")[0], step.kind)
    if step.kind == "tool":
        step.name = short(given, "ai.toolCall.name") or step.name
        step.input = messages_of(text(given, "ai.toolCall.args", "ai.toolCall.input"))
        step.output = written(given.get("ai.toolCall.result", given.get("ai.toolCall.output")))
    elif step.kind in MODEL_CALLS:
        step.used = usage.union(_counted(given), step.used)
        if span.scope.name == _SEVEN:
            _first_chunk(step, given)
        else:
            _call(step, given)
    return step


def _first_chunk(step: Step, given: Attributes) -> None:
    """Of a stream; from 7 on."""
    seconds = positive(given.get("gen_ai.client.operation.time_to_first_chunk"), MAX_MS / 1_000)
    if seconds is not None:
        step.ttft_ms, step.is_streaming = seconds * 1_000, True
        step.params.setdefault("stream", True)


def _kind(operation: str, otherwise: StepKind) -> StepKind:
    if operation == "ai.toolCall":
        return "tool"
    if _CALL.match(operation):
        return "chat"
    if _EMBED.match(operation):
        return "embeddings"
    return "workflow" if _FUNCTION.match(operation) else otherwise


def _call(step: Step, given: Attributes) -> None:
    # `openai.chat`: the provider, and which of its interfaces.
    step.provider = step.provider or short(given, "ai.model.provider")
    step.provider = step.provider.partition(".")[0] if "ai.model.id" in given else step.provider
    step.model = step.model or short(given, "ai.model.id")
    step.answered_by = step.answered_by or short(given, "ai.response.model")
    step.response_id = step.response_id or text(given, "ai.response.id")
    step.finish_reason = text(given, "ai.response.finishReason", "ai.finishReason") or (
        step.finish_reason
    )
    step.is_streaming |= "doStream" in text(given, "ai.operationId")
    if step.is_streaming:
        step.params.setdefault("stream", True)
    step.ttft_ms = first(
        positive(given.get(name), MAX_MS)
        for name in ("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk")
    )
    asked: Any = first(parsed(given.get(name)) for name in ("ai.prompt.messages", "ai.prompt"))
    values = given.get("ai.values", given.get("ai.value"))
    step.input = messages_of(asked) or messages_of(as_list(values) or text(given, "ai.value"))
    answered = text(
        given, "ai.response.text", "ai.response.object", "ai.result.text", "ai.result.object"
    )
    called = first(
        as_list(parsed(given.get(name)))
        for name in ("ai.response.toolCalls", "ai.result.toolCalls")
    )
    calls = [{**call, "type": "tool-call"} for call in called or [] if isinstance(call, dict)]
    semconv.take_answer(step, answer_of([{"role": "assistant", "parts": [answered, *calls]}]))
    step.tools = as_list(given.get("ai.prompt.tools"))


def _counted(given: Attributes) -> Used:
    counts: dict[str, int] = {}
    for name, value in below(given, "ai.usage.").items():
        amount, ours = count(value), _COUNTS.get(name)
        if amount is not None and ours is not None:
            counts[ours] = max(amount, counts.get(ours, 0))
    return Used(counts)
