"""What an application calls: a chat, a streamed chat, a chat with a tool, an embedding."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from anthropic import Anthropic
from openai import OpenAI

GPT, EMBEDDING, CLAUDE = "gpt-4o-mini", "text-embedding-3-small", "claude-sonnet-4-5"
QUESTION = "What is the weather in Recife?"
ASKED: list[Any] = [{"role": "user", "content": QUESTION}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
Tool = Callable[..., str]


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def with_openai(client: OpenAI, tool: Tool) -> None:
    chat = client.chat.completions
    chat.create(model=GPT, messages=ASKED)
    for _ in chat.create(
        model=GPT, messages=ASKED, stream=True, stream_options={"include_usage": True}
    ):
        pass
    function = {"name": "weather", "parameters": SCHEMA}
    tools: list[Any] = [{"type": "function", "function": function}]
    answer = chat.create(model=GPT, messages=ASKED, tools=tools).choices[0].message
    [call] = answer.tool_calls or []
    result = tool(**json.loads(call.function.arguments))  # type: ignore[union-attr]
    said = {"role": "tool", "tool_call_id": call.id, "content": result}
    chat.create(
        model=GPT, messages=[*ASKED, answer.model_dump(exclude_none=True), said], tools=tools
    )
    client.embeddings.create(model=EMBEDDING, input=QUESTION)


def with_anthropic(client: Anthropic, tool: Tool) -> None:
    asked: dict[str, Any] = {"model": CLAUDE, "max_tokens": 100}
    client.messages.create(**asked, messages=ASKED)
    for _ in client.messages.create(**asked, messages=ASKED, stream=True):
        pass
    tools = [{"name": "weather", "input_schema": SCHEMA}]
    answer = client.messages.create(**asked, messages=ASKED, tools=tools)
    [call] = [block for block in answer.content if block.type == "tool_use"]
    result = tool(**call.input)
    said = {"type": "tool_result", "tool_use_id": call.id, "content": result}
    answered = {"role": "assistant", "content": [block.model_dump() for block in answer.content]}
    messages = [*ASKED, answered, {"role": "user", "content": [said]}]
    client.messages.create(**asked, messages=messages, tools=tools)
