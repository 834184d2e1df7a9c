"""The Langfuse SDK: its own client of OpenAI, and Anthropic's by an instrumentation."""

from __future__ import annotations

from anthropic import Anthropic
from langfuse import Langfuse, observe, propagate_attributes
from langfuse.openai import OpenAI
from openinference.instrumentation.anthropic import AnthropicInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from tests.otel.programs import application, tracing

langfuse = Langfuse(
    public_key="pk-lf-1", secret_key="sk-lf-1", span_exporter=OTLPSpanExporter(), environment="test"
)
AnthropicInstrumentor().instrument()
weather = observe(application.weather, name="weather", as_type="tool")
with propagate_attributes(session_id=tracing.SESSION):
    application.with_openai(OpenAI(), weather)
    application.with_anthropic(Anthropic(), weather)
langfuse.flush()
langfuse.shutdown()
