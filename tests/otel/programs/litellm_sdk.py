"""LiteLLM's OpenTelemetry callback. It has no spans of tools."""

from __future__ import annotations

import json
from typing import Any

import litellm
from litellm.integrations.opentelemetry import OpenTelemetry, OpenTelemetryConfig
from litellm.litellm_core_utils.thread_pool_executor import executor
from opentelemetry import trace

from tests.otel.programs.application import ASKED, CLAUDE, EMBEDDING, GPT, QUESTION, SCHEMA, weather
from tests.otel.programs.tracing import SESSION

litellm.callbacks = [OpenTelemetry(config=OpenTelemetryConfig.from_env())]
function = {"name": "weather", "parameters": SCHEMA}
tools = [{"type": "function", "function": function}]


def asked(**more: Any) -> dict[str, Any]:
    """Whose call it is, anew for each: LiteLLM writes into it, and then tells of one call alone."""
    return {"metadata": {"spend_logs_metadata": {"session_id": SESSION}}, **more}


for model in (f"openai/{GPT}", f"anthropic/{CLAUDE}"):
    litellm.completion(model, ASKED, max_tokens=100, **asked())
    streamed = asked(stream=True, stream_options={"include_usage": True})
    for _ in litellm.completion(model, ASKED, max_tokens=100, **streamed):
        pass
    answer = (
        litellm.completion(model, ASKED, max_tokens=100, **asked(tools=tools)).choices[0].message
    )
    [call] = answer.tool_calls
    result = weather(**json.loads(call.function.arguments))
    said = {"role": "tool", "tool_call_id": call.id, "content": result}
    told = [*ASKED, answer.model_dump(), said]
    litellm.completion(model, told, max_tokens=100, **asked(tools=tools))
litellm.embedding(f"openai/{EMBEDDING}", [QUESTION], **asked())

# Its callbacks run in threads of its own.
executor.shutdown(wait=True)
trace.get_tracer_provider().force_flush()  # type: ignore[attr-defined]
