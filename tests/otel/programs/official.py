"""OpenTelemetry's own instrumentations, and its handler for a tool of the application's."""

from __future__ import annotations

from anthropic import Anthropic
from openai import OpenAI
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.util.genai.handler import TelemetryHandler

from tests.otel.programs import application, tracing

with tracing.exporting(), tracing.in_session():
    OpenAIInstrumentor().instrument()
    AnthropicInstrumentor().instrument()
    handler = TelemetryHandler(instrumentation_scope_name="shop")

    def weather(city: str) -> str:
        with handler.tool("weather") as call:
            call.arguments = {"city": city}
            call.tool_result = application.weather(city)
        return application.weather(city)

    application.with_openai(OpenAI(), weather)
    application.with_anthropic(Anthropic(), weather)
