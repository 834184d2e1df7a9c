"""OpenLLMetry's instrumentations (Traceloop). Tools are traced by its SDK, not by these."""

from __future__ import annotations

from anthropic import Anthropic
from openai import OpenAI
from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
from opentelemetry.instrumentation.openai import OpenAIInstrumentor

from tests.otel.programs import application, tracing

with tracing.exporting(), tracing.in_session():
    OpenAIInstrumentor().instrument()
    AnthropicInstrumentor().instrument()
    application.with_openai(OpenAI(), application.weather)
    application.with_anthropic(Anthropic(), application.weather)
