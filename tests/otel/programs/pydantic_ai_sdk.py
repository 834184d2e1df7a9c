"""Pydantic AI: agents with a tool, and its embedder."""

from __future__ import annotations

from pydantic_ai import Agent, Embedder
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel

from tests.otel.programs import tracing
from tests.otel.programs.application import CLAUDE, EMBEDDING, GPT, QUESTION, weather

with tracing.exporting(), tracing.in_session():
    Agent.instrument_all()
    Embedder.instrument_all()
    for model in (OpenAIChatModel(GPT), AnthropicModel(CLAUDE)):
        session = {"conversation_id": tracing.SESSION}
        agent = Agent(model, name="support")
        agent.run_sync(QUESTION, **session)
        agent.run_stream_sync(QUESTION, **session).get_output()
        Agent(model, name="support", tools=[weather]).run_sync(QUESTION, **session)
    Embedder(f"openai:{EMBEDDING}").embed_query_sync(QUESTION)
