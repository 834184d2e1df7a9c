"""What real clients export of their calls is what the provider served: each call once, with its
tokens, cost, session and steps.

Calls of OpenAI's interface + calls of Anthropic's, which has no embeddings. A chat with a tool is
two calls: the tool is asked for, then its result is told.

| client                              | chat  | streamed | tool  | embedding | tool as a step |
| ----------------------------------- | ----- | -------- | ----- | --------- | -------------- |
| opentelemetry-instr.-genai-openai   | 1     | 1        | 2     | 1         | by the program |
| opentelemetry-instr.-genai-anthropic| 1     | 1        | 2     | no such   | by the program |
| OpenInference                       | 1 + 1 | 1 + 1    | 2 + 2 | 1         | by the program |
| OpenLLMetry's instrumentations      | 1 + 1 | 1 + 1    | 2 + 2 | 1         | no such span   |
| Langfuse                            | 1 + 1 | 1 + 1    | 2 + 2 | 1         | by the program |
| LiteLLM                             | 1 + 1 | 1 + 1    | 2 + 2 | 1         | no such span   |
| Pydantic AI                         | 1 + 1 | 1 + 1    | 2 + 2 | 1         | by its agent   |
| Vercel AI SDK                       | 1 + 1 | 1 + 1    | 2 + 2 | 1         | by itself      |

The first two are one program, `official`. Pydantic AI asks Anthropic for streams alone. What spans leave out of a call is in `LEAVES_OUT`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.otel.conftest import CLIENTS, Run, missing_node
from tests.otel.provider import VERSIONS, Served

QUESTION, REPLY = "What is the weather in Recife?", "It is sunny in Recife."

ROWS = """
SELECT operation, provider, model, ifNull(input_tokens, 0) AS input_tokens,
    ifNull(output_tokens, 0) AS output_tokens, ifNull(cache_read_tokens, 0) AS cache_read_tokens,
    ifNull(cache_write_tokens, 0) AS cache_write_tokens,
    ifNull(reasoning_tokens, 0) AS reasoning_tokens, toString(cost_usd) AS cost_usd,
    JSONExtractBool(params, 'stream') AS is_streamed,
    session_id, outcome, finish_reason, messages, output, tool_calls
FROM mirante.interactions WHERE feature = '{client}' ORDER BY time FORMAT JSONEachRow
"""
STEPS = """
SELECT kind, name, session_id FROM mirante.steps
WHERE feature = '{client}' AND kind IN ('tool', 'agent') FORMAT JSONEachRow
"""
RUNS = 6
"""A chat, a streamed one and one with a tool, of either provider: what an agent is run for."""
STREAMS_OF_ANTHROPIC = {"pydantic-ai": 4}
"""It asks Anthropic for nothing else."""
WITHOUT_TOOLS = ("openllmetry", "litellm")
AGENTS = {"pydantic-ai": "support", "vercel": "support"}


def _all(call: Served) -> Served:
    return call


def _openllmetry(call: Served) -> Served:
    """Of a stream of OpenAI's, not the tokens of reasoning."""
    is_less = call.is_streamed and call.provider == "openai"
    return call._replace(reasoning_tokens=0) if is_less else call


def _langfuse(call: Served) -> Served:
    """Of OpenAI, not the provider."""
    return call._replace(provider="") if call.provider == "openai" else call


def _litellm(call: Served) -> Served:
    """Of a stream, not which version of the model answered."""
    asked = {version: model for model, version in VERSIONS.items()}
    return call._replace(model=asked[call.model]) if call.is_streamed else call


def _pydantic_ai(call: Served) -> Served:
    """Of OpenAI, not whether it was a stream; Anthropic's own client says it."""
    return call._replace(is_streamed=False) if call.provider == "openai" else call


LEAVES_OUT: dict[str, Callable[[Served], Served]] = {
    "openllmetry": _openllmetry,
    "langfuse": _langfuse,
    "litellm": _litellm,
    "pydantic-ai": _pydantic_ai,
}
"""What spans of a client do not say, and Mirante cannot know."""


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, run: Run) -> str:
    """Its program has run to its end."""
    name: str = request.param
    if name == "vercel" and (missing := missing_node()):
        assert os.environ.get("CI") != "true", missing
        pytest.skip(missing)
    assert name not in run.failures, run.failures[name]
    return name


def rows(run: Run, client: str) -> list[dict[str, Any]]:
    return run.mirante.query(ROWS.format(client=client))


def test_each_call_is_told_once_with_what_was_served(run: Run, client: str) -> None:
    # Given a chat, a streamed one, one with a tool of either provider, and an embedding
    served = run.provider.served[client]
    streams = {"openai": 1, "anthropic": STREAMS_OF_ANTHROPIC.get(client, 1)}
    expected = Counter({("openai", "embeddings", False): 1})
    for provider, streamed in streams.items():
        expected[provider, "chat", True] = streamed
        expected[provider, "chat", False] = 4 - streamed
    assert Counter((call.provider, call.operation, call.is_streamed) for call in served) == expected
    # Then
    told = [
        Served(
            *(row[name] for name in ("operation", "provider", "model")),
            *(int(row[name]) for name in Served._fields if name.endswith("_tokens")),
            Decimal(row["cost_usd"] or "nan"),
            row["is_streamed"],
        )
        for row in rows(run, client)
    ]
    assert sorted(told) == sorted(LEAVES_OUT.get(client, _all)(call) for call in served)


def test_outcome_session_and_what_was_said_are_known(run: Run, client: str) -> None:
    for row in rows(run, client):
        assert row["outcome"] == "ok"
        if row["operation"] == "chat":
            assert row["session_id"] == f"session-of-{client}"
            assert QUESTION in row["messages"]
            # LiteLLM's conventions leave out which tool the model asked for.
            is_silent = client == "litellm" and row["finish_reason"] == "tool_calls"
            assert is_silent or REPLY in row["output"] or "weather" in row["tool_calls"]


def test_tools_and_agents_are_steps(run: Run, client: str) -> None:
    steps = run.mirante.query(STEPS.format(client=client))
    expected = Counter[tuple[str, str]]()
    if client not in WITHOUT_TOOLS:
        expected["tool", "weather"] = 2
    if client in AGENTS:
        expected["agent", AGENTS[client]] = RUNS
    assert Counter((step["kind"], step["name"]) for step in steps) == expected
    assert {step["session_id"] for step in steps} <= {f"session-of-{client}"}


def test_the_program_of_the_documentation_tells_of_its_call(run: Run) -> None:
    assert "page" not in run.failures, run.failures["page"]
    [call] = run.provider.served["page"]
    [row] = rows(run, "page")
    assert (row["model"], row["output"]) == (call.model, REPLY)
    assert "Where is my order?" in row["messages"]
