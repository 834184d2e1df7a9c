"""What nine real instrumentations wrote of calls to a fake provider, against what that provider
served. The captured requests lie in the development data (`otlp_spans`)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agents.otlp.calls import Resolved, resolve
from agents.otlp.names import DEFAULT
from schemas.otlp import Span, decode_spans
from tests.unit.otlp_spans import counts

CAPTURED = (
    Path(os.environ.get("MIRANTE_SHARED_DATA", Path(__file__).parents[2] / "../shared/data"))
    / "otlp_spans"
)

pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(
        not CAPTURED.is_dir(), reason=f"no captured spans at {CAPTURED} (MIRANTE_SHARED_DATA)"
    ),
]


class Served(NamedTuple):
    """One answer of the fake provider."""

    model: str
    answered_by: str
    usage: dict[str, int]
    answer_id: str
    output: str


# The usage blocks it served: {"prompt_tokens": 412, "completion_tokens": 9, "prompt_tokens_details":
# {"cached_tokens": 256}, "completion_tokens_details": {"reasoning_tokens": 4}}, and Anthropic's
# {"input_tokens": 12, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 400,
# "output_tokens": 9}, whose input is the sum of three.
OPENAI = {"input": 412, "output": 9, "cache_read": 256, "reasoning": 4}
CLAUDE = {"input": 12 + 30 + 400, "output": 9, "cache_read": 400, "cache_write": 30}

GPT = ("gpt-4o-mini", "gpt-4o-mini-2024-07-18", OPENAI)
CHAT = Served(*GPT, "chatcmpl-1", "It arrives tomorrow.")
STREAM = Served(*GPT, "chatcmpl-1", "Hello")
RESPONSE = Served(*GPT, "resp_1", "Hello")
MESSAGE = Served("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", CLAUDE, "msg_1", "Hello")

SERVED: dict[str, list[Served]] = {
    "official-default": [call._replace(output="") for call in (CHAT, STREAM, RESPONSE)],
    "official-latest": [CHAT, STREAM, RESPONSE],
    "official-anthropic": [MESSAGE],
    "openinference": [MESSAGE, CHAT, RESPONSE],
    "traceloop": [MESSAGE, CHAT, RESPONSE],
    "litellm": [CHAT],
    "pydantic": [CHAT],
    # The AI SDK does not hand on the tokens of reasoning.
    "vercel": [CHAT._replace(usage={k: v for k, v in OPENAI.items() if k != "reasoning"})],
    # Langfuse writes neither the model that was asked for nor the id of the answer.
    "langfuse": [CHAT._replace(model="gpt-4o-mini-2024-07-18", answer_id="")],
}

ASKED = {
    "It arrives tomorrow.": [("system", "be kind"), ("user", "Where is my order?")],
    "Hello": [("user", "hi")],
}


def bodies(name: str) -> list[dict[str, Any]]:
    lines = (CAPTURED / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["body"] for line in lines]


def as_json(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


def as_protobuf(body: dict[str, Any]) -> bytes:
    return bytes(ParseDict(body, TracesData()).SerializeToString())


def spans_of(name: str) -> list[Span]:
    return [span for body in bodies(name) for span in decode_spans(as_protobuf(body))]


def resolved(name: str) -> Resolved:
    return resolve(spans_of(name), [], DEFAULT)


def test_every_captured_file_is_expected() -> None:
    assert SERVED.keys() == {path.stem for path in CAPTURED.glob("*.jsonl")}


@pytest.mark.parametrize("name", SERVED)
def test_json_says_what_protobuf_says(name: str) -> None:
    for body in bodies(name):
        assert decode_spans(as_json(body)) == decode_spans(as_protobuf(body)) != []


@pytest.mark.parametrize("name", SERVED)
def test_each_call_is_told_once_with_what_was_served(name: str) -> None:
    told = [
        Served(
            call.request.model,
            call.response.model or "",
            counts(call.response),
            call.provider_response_id,
            call.response.output or "",
        )
        for call in resolved(name).calls
    ]

    assert told == SERVED[name]


@pytest.mark.parametrize("name", SERVED)
def test_calls_have_status_provider_and_times_of_the_innermost_span(name: str) -> None:
    spans = {span.span_id: span for span in spans_of(name)}
    for call in resolved(name).calls:
        innermost = spans[call.request.span_id or ""]

        assert call.response.status == "ok"
        assert call.request.time.timestamp() == pytest.approx(innermost.start_ns / 1e9, abs=2e-6)
        assert call.response.latency_ms == (innermost.end_ns - innermost.start_ns) / 1e6
        assert not any(span.parent_id == innermost.span_id for span in spans.values())
        provider = "anthropic" if "claude" in call.request.model else "openai"
        assert call.request.provider == (None if name == "langfuse" else provider)


@pytest.mark.parametrize("name", sorted(SERVED.keys() - {"official-default"}))
def test_what_was_asked_is_known_where_content_is_captured(name: str) -> None:
    for call in resolved(name).calls:
        asked = [(m.role, m.content) for m in call.request.messages or []]
        if call.request.system_instructions:
            asked.insert(0, ("system", call.request.system_instructions))

        if call.response.output == "Hello" and ("user", "stream?") in asked:
            assert asked == [("user", "stream?")]
        elif "claude" in call.request.model:
            assert asked == [("system", "be kind"), ("user", "hi")]
        else:
            assert asked == ASKED[call.response.output or ""]


def test_without_captured_content_there_is_none() -> None:
    assert all(c.request.messages is None for c in resolved("official-default").calls)


@pytest.mark.parametrize("name", ["official-default", "official-latest"])
def test_a_streamed_call_says_when_its_first_token_came(name: str) -> None:
    chat, stream, response = resolved(name).calls

    assert (stream.request.params or {})["stream"] is True
    assert 20 < (stream.response.ttft_ms or 0) < (stream.response.latency_ms or 0)
    assert chat.response.ttft_ms is response.response.ttft_ms is None


@pytest.mark.parametrize(("name", "agent"), [("pydantic", "support"), ("vercel", "support-reply")])
def test_the_run_of_an_agent_is_a_step_around_its_call_and_costs_nothing(
    name: str, agent: str
) -> None:
    [call], [step] = resolved(name).calls, resolved(name).steps

    assert (step.request.operation, step.request.model) == ("invoke_agent", agent)
    assert step.response.output == "It arrives tomorrow."
    assert step.response.usage is step.response.cost_usd is None
    assert call.request.parent_span_id == step.request.span_id


@pytest.mark.parametrize(("name", "cost"), [("pydantic", 4.8e-05), ("litellm", 4.8e-05)])
def test_a_reported_cost_is_taken_over(name: str, cost: float) -> None:
    assert [call.response.cost_usd for call in resolved(name).calls] == [cost]


@pytest.mark.parametrize(
    ("name", "session", "user", "feature", "environment"),
    [
        ("langfuse", "s-1", "u-7", None, None),
        ("litellm", None, "u-7", "litellm", "production"),
        ("pydantic", "01a226a3-e955-766b-803d-19b9e86ea403", None, None, None),
        ("official-latest", None, None, "support-chat", None),
    ],
)
def test_whose_call_it_was(
    name: str, session: str | None, user: str | None, feature: str | None, environment: str | None
) -> None:
    for call in resolved(name).calls:
        asked = call.request
        assert asked.session_id == call.response.session_id == session
        assert (asked.user_id, asked.feature, asked.environment) == (user, feature, environment)
