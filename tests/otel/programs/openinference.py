"""OpenInference (Arize Phoenix), with its decorator for a tool and its context for a session."""

from __future__ import annotations

from anthropic import Anthropic
from openai import OpenAI
from openinference.instrumentation import OITracer, TraceConfig, using_session
from openinference.instrumentation.anthropic import AnthropicInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace

from tests.otel.programs import application, tracing

with tracing.exporting(), using_session(tracing.SESSION):
    OpenAIInstrumentor().instrument()
    AnthropicInstrumentor().instrument()
    tracer = OITracer(trace.get_tracer("openinference.instrumentation.shop"), TraceConfig())
    weather = tracer.tool(application.weather)
    application.with_openai(OpenAI(), weather)
    application.with_anthropic(Anthropic(), weather)
