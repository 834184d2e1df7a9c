"""What each library writes, by its published conventions, as Mirante's events. Spans of real
libraries are in test_otlp_captured.py; here is what those files do not hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.events import Message, ToolCall
from schemas.otlp import SpanEvent
from tests.unit.otlp_spans import (
    BEGAN_NS,
    chat,
    counts,
    dotted,
    log,
    resolved,
    span,
    the_call,
    the_step,
    used,
)

ASKED = [Message(role="user", content="Weather in Paris?")]
WEATHER = [ToolCall(name="get_weather", arguments={"city": "Paris"})]
SPOKEN = [{"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}]}]


# --- the semantic conventions --------------------------------------------------------------------


def test_names_before_and_after_1_37() -> None:
    older = {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.usage.prompt_tokens": 40,
        "gen_ai.usage.completion_tokens": 5,
        "gen_ai.usage.cache_creation.input_tokens": 8,
        "gen_ai.usage.cache_read.input_tokens": 16,
    }
    newer = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        **used(40, 5, cache_write__input_tokens=8, cache_read__input_tokens=16),
    }
    for attributes in (older, newer):
        request, response = the_call(span(1, attributes))
        assert request.provider == "anthropic"
        assert counts(response) == {"input": 40, "output": 5, "cache_write": 8, "cache_read": 16}


def test_every_kind_of_token() -> None:
    kinds = {
        "cache_read__input_tokens": 1, "cache_write__input_tokens": 2, "reasoning__output_tokens": 3,
        "audio__input_tokens": 4, "audio__output_tokens": 5, "image__input_tokens": 6,
    }  # fmt: skip
    _, response = the_call(span(1, chat(**used(100, 50, **kinds))))
    assert counts(response) == {
        "input": 100, "output": 50, "cache_read": 1, "cache_write": 2, "reasoning": 3,
        "input_audio": 4, "output_audio": 5, "input_image": 6,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # Anthropic's own count of input leaves out what came from the cache and went there
        (used(12, 9, cache_read_input_tokens=400, cache_creation_input_tokens=30), (442, 9)),
        (used(500, 9, cache_read_input_tokens=400, total_tokens=909), (900, 9)),
        # Gemini's count of output leaves out the thoughts
        (used(100, 9, reasoning_tokens=50), (100, 59)),
        (used(100, 60, reasoning_tokens=50, total_tokens=210), (100, 110)),
        # what is inside already stays as it is
        (used(442, 9, cache_read_input_tokens=400, total_tokens=451), (442, 9)),
        (used(100, 60, reasoning_tokens=50, total_tokens=160), (100, 60)),
    ],
)
def test_input_includes_cached_tokens_and_output_those_of_reasoning(
    given: dict[str, Any], expected: tuple[int, int]
) -> None:
    _, response = the_call(span(1, chat(**given)))
    found = counts(response)
    assert (found["input"], found["output"]) == expected


def test_tokens_nobody_knows_are_named_so_that_the_cost_is_a_lower_bound() -> None:
    [call] = resolved(span(1, chat(**used(10, 5, video__input_tokens=7)))).calls
    assert call.usage_rest == {"video.input_tokens": 7}


def test_parameters_finish_reason_tier_and_times() -> None:
    request, response = the_call(
        span(
            1,
            chat(
                gen_ai__request__temperature=0.5,
                gen_ai__request__stop_sequences=["END"],
                gen_ai__request__stream=True,
                gen_ai__response__finish_reasons=["length", "stop"],
                gen_ai__response__time_to_first_chunk=0.25,
                openai__response__service_tier="priority",
                openai__response__system_fingerprint="fp_1",
            ),
            at_ms=(0, 20_000),
        )
    )
    assert request.params == {"temperature": 0.5, "stop_sequences": ["END"], "stream": True}
    assert (response.finish_reason, response.service_tier) == ("length", "priority")
    assert (response.system_fingerprint, response.ttft_ms) == ("fp_1", 250.0)
    assert response.latency_ms == 20_000
    assert (request.timeout_ms or 0) > 20_000  # whoever waited saw the end of it


def test_tools_offered_asked_for_and_answered() -> None:
    history = [
        *SPOKEN,
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "locate", "arguments": {"q": 1}}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "result": "FR"}]},
    ]
    answered = [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "I need a tool"},
                {"type": "tool_call", "id": "c2", "name": "get_weather",
                 "arguments": {"city": "Paris"}},
            ],
            "finish_reason": "tool_call",
        }
    ]  # fmt: skip
    tools = [{"type": "function", "name": "get_weather"}]

    request, response = the_call(
        span(
            1,
            chat(
                gen_ai__input__messages=json.dumps(history),
                gen_ai__output__messages=answered,  # structured, as attributes may be
                gen_ai__tool__definitions=json.dumps(tools),
            ),
        )
    )

    called = {
        "id": "c1", "type": "function", "function": {"name": "locate", "arguments": {"q": 1}},
    }  # fmt: skip
    assert request.messages == [
        *ASKED,
        Message(role="assistant", tool_calls=[called]),
        Message(role="tool", content="FR", tool_call_id="c1"),
    ]
    assert request.tools == tools
    assert (response.tool_calls, response.output) == (WEATHER, None)
    assert response.finish_reason == "tool_call"


MESSAGE_EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("gen_ai.system.message", {"content": "be kind"}),
    ("gen_ai.user.message", {"content": "Weather in Paris?"}),
    (
        "gen_ai.choice",
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": "I look.",
                "tool_calls": [
                    {
                        "id": "c",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": {"city": "Paris"}},
                    }
                ],
            },
        },
    ),
    ("gen_ai.choice", {"index": 1, "finish_reason": "stop", "message": {"content": "second"}}),
]


def as_span_events(events: list[tuple[str, dict[str, Any]]]) -> list[SpanEvent]:
    return [SpanEvent(name, BEGAN_NS, fields) for name, fields in events]


@pytest.mark.parametrize("where", ["log records", "events of the span", "text of an attribute"])
def test_messages_in_events_of_their_own(where: str) -> None:
    logs, events = [], []
    if where == "log records":
        logs = [log(1, name, body) for name, body in MESSAGE_EVENTS]
    elif where == "events of the span":
        events = as_span_events(MESSAGE_EVENTS)
    else:
        events = as_span_events(
            [(n, {"gen_ai.event.content": json.dumps(b)}) for n, b in MESSAGE_EVENTS]
        )

    request, response = the_call(span(1, chat(), events=events), logs=logs)

    assert request.messages == [Message(role="system", content="be kind"), *ASKED]
    assert (response.output, response.tool_calls) == ("I look.", WEATHER)
    assert response.finish_reason == "tool_calls"


def test_one_event_for_all_of_the_details() -> None:
    details = log(
        1,
        "gen_ai.client.inference.operation.details",
        gen_ai__system_instructions=[{"type": "text", "content": "be kind"}],
        gen_ai__input__messages=SPOKEN,
        gen_ai__output__messages=[
            {"role": "assistant", "parts": [{"type": "text", "content": "Rain."}],
             "finish_reason": "stop"}
        ],
    )  # fmt: skip
    request, response = the_call(span(1, chat()), logs=[details])
    assert (request.system_instructions, request.messages) == ("be kind", ASKED)
    assert (response.output, response.finish_reason) == ("Rain.", "stop")


def test_the_events_of_1_27() -> None:
    events = [
        ("gen_ai.content.prompt",
         {"gen_ai.prompt": '[{"role": "user", "content": "Weather in Paris?"}]'}),
        ("gen_ai.content.completion",
         {"gen_ai.completion": '[{"role": "assistant", "content": "Rain."}]'}),
    ]  # fmt: skip
    request, response = the_call(span(1, chat(), events=as_span_events(events)))
    assert (request.messages, response.output) == (ASKED, "Rain.")


def test_content_told_twice_counts_once() -> None:
    """Libraries may be told to write content to spans and events both."""
    given = chat(gen_ai__input__messages=json.dumps(SPOKEN))
    request, _ = the_call(span(1, given), logs=[log(1, *MESSAGE_EVENTS[1])])
    assert request.messages == ASKED


def test_events_of_unknown_spans_give_nothing() -> None:
    assert resolved(logs=[log(9, *MESSAGE_EVENTS[1])]).calls == []


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("chat", "chat"),
        ("generate_content", "chat"),
        ("text_completion", "text_completion"),
        ("embeddings", "embeddings"),
        ("something_new", "chat"),
    ],
)
def test_operations_that_call_a_model(operation: str, expected: str) -> None:
    given = {**chat(**used(10, 0)), "gen_ai.operation.name": operation}
    request, _ = the_call(span(1, given))
    assert request.operation == expected


@pytest.mark.parametrize("operation", ["invoke_workflow", "plan", "agent_step", "create_memory"])
def test_operations_that_are_neither_call_nor_step(operation: str) -> None:
    found = resolved(span(1, {"gen_ai.operation.name": operation}))
    assert found.calls == found.steps == []


def test_a_tool_is_a_step_with_its_arguments_and_result() -> None:
    request, response = the_step(
        span(
            1,
            dotted({
                "gen_ai__operation__name": "execute_tool",
                "gen_ai__tool__name": "get_weather",
                "gen_ai__tool__call__arguments": {"city": "Paris"},
                "gen_ai__tool__call__result": '{"rain": true}',
            }),
        )
    )  # fmt: skip
    assert (request.operation, request.model) == ("execute_tool", "get_weather")
    assert request.messages == [
        Message(role="tool", name="get_weather", content='{"city":"Paris"}')
    ]
    assert response.output == '{"rain": true}'
    assert response.usage is None


def test_a_retrieval_is_a_step_with_its_documents() -> None:
    request, _ = the_step(
        span(
            1,
            {
                "gen_ai.operation.name": "retrieval",
                "gen_ai.data_source.id": "orders",
                "gen_ai.retrieval.query.text": "Where is it?",
                "gen_ai.retrieval.documents": '[{"id": "d1", "score": 0.9, "content": "Sent."}]',
            },
        )
    )
    assert (request.operation, request.model) == ("retrieval", "orders")
    assert request.messages == [Message(role="user", content="Where is it?")]
    [document] = request.documents or []
    assert (document.id, document.score, document.text) == ("d1", 0.9, "Sent.")


# --- errors and refusals -------------------------------------------------------------------------


def test_an_error_has_its_type_code_and_message() -> None:
    _, response = the_call(
        span(
            1,
            chat(error__type="RateLimitError", http__response__status_code=429),
            status="error",
            status_message="slow down",
        )
    )
    error = response.error
    assert error is not None
    assert response.status == "error"
    assert (error.type, error.code, error.message) == ("RateLimitError", 429, "slow down")


def test_an_error_may_be_told_by_its_exception_alone() -> None:
    raised = SpanEvent(
        "exception", BEGAN_NS, {"exception.type": "APITimeoutError", "exception.message": "late"}
    )
    _, response = the_call(span(1, chat(), status="error", events=[raised]))
    assert response.error is not None
    assert (response.error.type, response.error.message) == ("APITimeoutError", "late")


def test_a_span_may_fail_without_saying_so_in_its_status() -> None:
    _, response = the_call(span(1, chat(error__type="timeout")))
    assert response.status == "error"
    assert response.error is not None and response.error.type == "timeout"


def test_an_exception_that_was_dealt_with_is_no_error() -> None:
    raised = SpanEvent("exception", BEGAN_NS, {"exception.type": "Retried"})
    _, response = the_call(span(1, chat(error__type="Retried"), status="ok", events=[raised]))
    assert (response.status, response.error) == ("ok", None)


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "refusal": "I can't help."},
        {"role": "assistant", "parts": [{"type": "refusal", "content": "I can't help."}]},
    ],
)
def test_a_refusal_is_an_answer_and_no_error(message: dict[str, Any]) -> None:
    given = chat(
        gen_ai__response__finish_reasons=["stop"], gen_ai__output__messages=json.dumps([message])
    )
    _, response = the_call(span(1, given))
    assert (response.status, response.finish_reason) == ("ok", "refusal")
    assert response.output == "I can't help."


# --- OpenLLMetry ---------------------------------------------------------------------------------

TRACELOOP = "opentelemetry.instrumentation.openai.v1"


def test_openllmetry_flattened() -> None:
    request, response = the_call(
        span(
            1,
            {
                "llm.request.type": "chat",
                "gen_ai.system": "OpenAI",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
                "gen_ai.prompt.0.role": "system",
                "gen_ai.prompt.0.content": "be kind",
                "gen_ai.prompt.1.role": "user",
                "gen_ai.prompt.1.content": '[{"type": "text", "text": "Weather in Paris?"}]',
                "gen_ai.completion.0.role": "assistant",
                "gen_ai.completion.0.finish_reason": "tool_calls",
                "gen_ai.completion.0.tool_calls.0.id": "c",
                "gen_ai.completion.0.tool_calls.0.name": "get_weather",
                "gen_ai.completion.0.tool_calls.0.arguments": '{"city": "Paris"}',
                "gen_ai.usage.prompt_tokens": 40,
                "gen_ai.usage.completion_tokens": 5,
                "llm.usage.total_tokens": 45,
                "gen_ai.usage.cache_read_input_tokens": 16,
                "llm.is_streaming": True,
                "traceloop.association.properties.session_id": "s-1",
                "traceloop.association.properties.user_id": "u-7",
            },
            scope=TRACELOOP,
        )
    )
    assert request.messages == [Message(role="system", content="be kind"), *ASKED]
    assert response.tool_calls == [ToolCall(name="get_weather", arguments='{"city": "Paris"}')]
    assert (response.finish_reason, response.model) == ("tool_calls", "gpt-4o-mini-2024-07-18")
    assert counts(response) == {"input": 40, "output": 5, "cache_read": 16}
    assert (request.session_id, request.user_id) == ("s-1", "u-7")
    assert (request.params or {})["stream"] is True


@pytest.mark.parametrize(
    ("kind", "operation"), [("tool", "execute_tool"), ("agent", "invoke_agent")]
)
def test_openllmetry_decorators(kind: str, operation: str) -> None:
    request, response = the_step(
        span(
            1,
            {
                "traceloop.span.kind": kind,
                "traceloop.entity.name": "lookup",
                "traceloop.entity.input": '{"args": [], "kwargs": {"order": 7}}',
                "traceloop.entity.output": '"sent"',
            },
            scope="traceloop.sdk.decorators",
        )
    )
    assert (request.operation, request.model) == (operation, "lookup")
    assert [message.content for message in request.messages or []] == ['{"order":7}']
    assert response.output == "sent"


@pytest.mark.parametrize("kind", ["workflow", "task"])
def test_openllmetry_workflows_and_tasks_are_no_steps(kind: str) -> None:
    found = resolved(span(1, {"traceloop.span.kind": kind}, scope="traceloop.sdk"))
    assert found.calls == found.steps == []


# --- OpenInference -------------------------------------------------------------------------------


def test_openinference_tools_and_cost() -> None:
    request, response = the_call(
        span(
            1,
            {
                "openinference.span.kind": "LLM",
                "llm.provider": "azure",
                "llm.model_name": "gpt-4o",
                "llm.invocation_parameters": '{"model": "gpt-4o", "temperature": 0}',
                "llm.input_messages.0.message.role": "user",
                "llm.input_messages.0.message.contents.0.message_content.type": "text",
                "llm.input_messages.0.message.contents.0.message_content.text": "Weather in Paris?",
                "llm.output_messages.0.message.role": "assistant",
                "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c",
                "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "get_weather",
                "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments":
                    '{"city": "Paris"}',
                "llm.tools.0.tool.json_schema": '{"type": "function", "name": "get_weather"}',
                "llm.token_count.prompt": 40,
                "llm.token_count.completion": 5,
                "llm.token_count.completion_details.audio": 2,
                "llm.cost.total": 0.003,
                "llm.prompt_template.version": "v1.0",
                "session.id": "s-1",
                "metadata": '{"tenant": "acme"}',
            },
        )
    )  # fmt: skip
    assert (request.provider, request.model) == ("azure", "gpt-4o")
    assert request.messages == ASKED
    assert request.tools == [{"type": "function", "name": "get_weather"}]
    assert request.params == {"temperature": 0}
    assert response.tool_calls == [ToolCall(name="get_weather", arguments='{"city": "Paris"}')]
    assert counts(response) == {"input": 40, "output": 5, "output_audio": 2}
    assert response.cost_usd == 0.003
    assert (request.session_id, request.tenant) == ("s-1", "acme")
    assert request.prompt is not None and request.prompt.sha == "v1.0"


def test_openinference_embedding() -> None:
    request, response = the_call(
        span(
            1,
            {
                "openinference.span.kind": "EMBEDDING",
                "embedding.model_name": "text-embedding-3-small",
                "embedding.embeddings.0.embedding.text": "Where is it?",
                "embedding.embeddings.0.embedding.vector": [0.1, 0.2],
                "llm.token_count.prompt": 4,
            },
        )
    )
    assert (request.operation, request.model) == ("embeddings", "text-embedding-3-small")
    assert request.messages == [Message(role="user", content="Where is it?")]
    assert counts(response) == {"input": 4}


def test_openinference_retriever_and_tool() -> None:
    found = resolved(
        span(
            1,
            {
                "openinference.span.kind": "RETRIEVER",
                "input.value": "Where is it?",
                "retrieval.documents.0.document.id": 1,
                "retrieval.documents.0.document.content": "Sent.",
                "retrieval.documents.0.document.score": 0.9,
                "retrieval.documents.1.document.id": "d2",
            },
            name="orders",
        ),
        span(
            2,
            {
                "openinference.span.kind": "TOOL",
                "tool.name": "get_weather",
                "input.value": '{"city": "Paris"}',
                "output.value": "rain",
            },
        ),
    )
    retrieval, tool = found.steps
    assert retrieval.request.model == "orders"
    assert [d.id for d in retrieval.request.documents or []] == ["1", "d2"]
    assert (tool.request.model, tool.response.output) == ("get_weather", "rain")
    assert found.calls == []


@pytest.mark.parametrize("kind", ["CHAIN", "RERANKER", "GUARDRAIL", "EVALUATOR", "PROMPT"])
def test_openinference_kinds_of_which_nothing_is_made(kind: str) -> None:
    found = resolved(span(1, {"openinference.span.kind": kind, "llm.token_count.prompt": 9}))
    assert found.calls == found.steps == []


# --- LiteLLM -------------------------------------------------------------------------------------


def litellm(**more: Any) -> dict[str, Any]:
    return {**chat(), "gen_ai.operation.name": "acompletion", **more}


def test_litellm_metadata_is_parsed_safely() -> None:
    request, response = the_call(
        span(
            1,
            litellm(**{
                "metadata.requester_metadata":
                    "{'session_id': 's-1', 'tenant': 'acme', 'nothing': None}",
                "metadata.usage_object":
                    "{'prompt_tokens': 9, 'completion_tokens': 2, 'total_tokens': 11}",
                "litellm.cache_hit": "True",
                "llm.request.functions.0.name": "get_weather",
            }),
            scope="litellm",
        )
    )  # fmt: skip
    assert (request.session_id, request.tenant) == ("s-1", "acme")
    assert counts(response) == {"input": 9, "output": 2}
    assert response.cache == "hit"
    assert request.tools == [{"name": "get_weather"}]


def test_the_litellm_proxys_name_for_a_model_is_not_the_model_that_answered() -> None:
    given = litellm(**{
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "smart",
        "litellm.model_group": "smart",
    })  # fmt: skip
    assert the_call(span(1, given, scope="litellm"))[1].model == "gpt-4o-mini"
    given["gen_ai.response.model"] = "gpt-4o-mini-2024-07-18"
    assert the_call(span(1, given, scope="litellm"))[1].model == "gpt-4o-mini-2024-07-18"


def test_litellm_says_the_provider_of_embeddings_with_the_model() -> None:
    given = litellm(**{"gen_ai.operation.name": "embeddings", "gen_ai.provider.name": "",
                       "litellm.provider.model": "openai/text-embedding-3-small"})  # fmt: skip
    request, _ = the_call(span(1, given, scope="litellm"))
    assert (request.operation, request.provider) == ("embeddings", "openai")


@pytest.mark.parametrize(
    "hostile",
    [
        "{'a': __import__('os').system('true')}",
        "{'session_id': object()}",
        "{'session_id': 's-1'",
        "{" * 5_000,
        "[" + "-" * 60_000 + "1]",
        "{'session_id': 1j}",
        "{'session_id': '\\ud800'}",
        "{1, 2}",
        "{'session_id': 's-1', 'long': '" + "x" * 70_000 + "'}",
    ],
)
def test_litellm_metadata_that_is_no_plain_object_is_not_parsed(hostile: str) -> None:
    given = litellm(**{"metadata.requester_metadata": hostile, **used(9, 2)})
    request, response = the_call(span(1, given, scope="litellm"))
    assert request.session_id is None
    assert counts(response) == {"input": 9, "output": 2}


@pytest.mark.parametrize(
    "attributes",
    [
        chat(gen_ai__usage__cost=0),
        chat(operation__cost=0.0, logfire__msg="chat"),
        {"openinference.span.kind": "LLM", "llm.cost.total": 0},
        {"langfuse.observation.type": "generation",
         "langfuse.observation.cost_details": '{"input": 0, "total": 0}'},
    ],
)  # fmt: skip
def test_no_dialect_reports_a_cost_of_nothing(attributes: dict[str, Any]) -> None:
    _, response = the_call(span(1, attributes))
    assert response.cost_usd is None


@pytest.mark.parametrize("reported", [0, 0.0, "0", -1, "nonsense", None, True, "1e400"])
def test_a_cost_of_nothing_is_not_believed(reported: Any) -> None:
    given = litellm(**{"gen_ai.cost.total_cost": reported, "hidden_params": '{"response_cost": 0}'})
    _, response = the_call(span(1, given, scope="litellm"))
    assert response.cost_usd is None


# --- Vercel's AI SDK -----------------------------------------------------------------------------


def test_the_ai_sdk_before_7() -> None:
    """`generateText` holds the sum of its two calls, one of which asked for a tool."""
    outer = {"ai.operationId": "ai.generateText", "ai.model.id": "gpt-4o-mini",
             "ai.usage.promptTokens": 90, "ai.usage.completionTokens": 12,
             "ai.telemetry.functionId": "support", "ai.telemetry.metadata.userId": "u-7",
             "ai.prompt": '{"prompt": "Weather in Paris?"}'}  # fmt: skip

    def call(tokens_in: int, **more: Any) -> dict[str, Any]:
        return {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": "gpt-4o-mini", "ai.model.provider": "openai.chat",
            "gen_ai.system": "openai.chat", "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.usage.input_tokens": tokens_in, "gen_ai.usage.output_tokens": 6,
            "ai.usage.promptTokens": tokens_in, "ai.usage.completionTokens": 6,
            "ai.usage.cachedInputTokens": 16,
            "ai.prompt.messages":
                '[{"role":"user","content":[{"type":"text","text":"Weather in Paris?"}]}]',
            **more,
        }  # fmt: skip

    tool = {"ai.operationId": "ai.toolCall", "ai.toolCall.name": "get_weather",
            "ai.toolCall.args": '{"city":"Paris"}', "ai.toolCall.result": '"rain"'}  # fmt: skip
    asked = [{"type": "tool-call", "toolCallId": "c", "toolName": "get_weather",
              "input": {"city": "Paris"}}]  # fmt: skip
    found = resolved(
        span(1, outer, scope="ai", at_ms=(0, 100)),
        span(2, call(40, **{"ai.response.finishReason": "tool-calls",
                            "ai.response.toolCalls": json.dumps(asked)}),
             parent=1, scope="ai", at_ms=(1, 40)),
        span(3, tool, parent=1, scope="ai", at_ms=(41, 50)),
        span(4, call(50, **{"ai.response.finishReason": "stop", "ai.response.text": "Rain."}),
             parent=1, scope="ai", at_ms=(51, 99)),
    )  # fmt: skip

    first, second = found.calls
    assert [counts(c.response)["input"] for c in found.calls] == [40, 50]
    assert counts(first.response)["cache_read"] == 16
    assert (first.response.finish_reason, first.response.tool_calls) == ("tool-calls", WEATHER)
    assert second.response.output == "Rain."
    assert first.request.messages == ASKED
    assert first.request.provider == "openai"
    assert (first.request.feature, first.request.user_id) == ("support", "u-7")
    [step] = found.steps
    assert (step.request.model, step.response.output) == ("get_weather", '"rain"')


def test_the_ai_sdk_from_7_on_says_more_than_the_conventions_if_it_is_asked_to() -> None:
    """`new OpenTelemetry({ usage: true, runtimeContext: true })`."""
    around = {"gen_ai.operation.name": "agent_step", "ai.settings.context.sessionId": "s-1",
              "ai.settings.context.userId": "u-7"}  # fmt: skip
    told = {"gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]',
            "gen_ai.client.operation.time_to_first_chunk": 0.0125,
            "ai.usage.outputTokenDetails.textTokens": 6,
            "ai.usage.outputTokenDetails.reasoningTokens": 3}  # fmt: skip
    request, response = the_call(
        span(1, around, scope="gen_ai"),
        span(2, chat(**used(40, 9)) | told, parent=1, scope="gen_ai"),
    )

    assert counts(response) == {"input": 40, "output": 9, "reasoning": 3}
    assert response.ttft_ms == 12.5
    assert (request.params or {})["stream"] is True
    assert (request.session_id, request.user_id) == ("s-1", "u-7")
    assert [message.content for message in request.messages or []] == ["hi"]


def test_the_ai_sdk_streams_and_embeds() -> None:
    stream, embedded = (
        the_call(span(1, {"ai.operationId": operation, "ai.model.id": "m", **more}, scope="ai"))
        for operation, more in (
            ("ai.streamText.doStream", {"ai.response.msToFirstChunk": 12.5}),
            ("ai.embed.doEmbed", {"ai.usage.tokens": 4, "ai.values": ["one", "two"]}),
        )
    )
    assert stream[1].ttft_ms == 12.5
    assert (stream[0].params or {})["stream"] is True
    assert embedded[0].operation == "embeddings"
    assert counts(embedded[1]) == {"input": 4}
    assert [m.content for m in embedded[0].messages or []] == ["one", "two"]


# --- Pydantic AI ---------------------------------------------------------------------------------


def test_pydantic_ai_events_in_an_attribute() -> None:
    """Its format before version 3."""
    events = [{"event.name": name, **body} for name, body in MESSAGE_EVENTS]
    request, response = the_call(
        span(1, chat(events=json.dumps(events)), scope="pydantic-ai", name="chat gpt-4o-mini")
    )
    assert request.messages == [Message(role="system", content="be kind"), *ASKED]
    assert (response.output, response.tool_calls) == ("I look.", WEATHER)


def test_pydantic_ai_spans_that_have_not_ended_are_not_counted() -> None:
    given = {**chat(), "logfire.span_type": "pending_span", "logfire.msg": "chat"}
    assert resolved(span(1, given, scope="pydantic-ai")).calls == []


def test_pydantic_ai_tools() -> None:
    request, response = the_step(
        span(
            1,
            {"gen_ai.tool.name": "get_weather", "gen_ai.tool.call.id": "c",
             "tool_arguments": '{"city": "Paris"}', "tool_response": "rain",
             "logfire.msg": "running tool: get_weather"},
            scope="pydantic-ai",
        )
    )  # fmt: skip
    assert (request.operation, request.model) == ("execute_tool", "get_weather")
    assert response.output == "rain"


# --- Langfuse ------------------------------------------------------------------------------------


def langfuse(kind: str, **more: Any) -> dict[str, Any]:
    fields = {name.replace("__", "."): value for name, value in more.items()}
    return {f"langfuse.observation.{n}": v for n, v in {"type": kind, **fields}.items()}


def test_langfuse_generation() -> None:
    request, response = the_call(
        span(
            1,
            {
                **langfuse(
                    "generation",
                    model__name="claude-sonnet-4-5",
                    usage_details='{"input": 12, "output": 9, "cache_read_input_tokens": 400, '
                    '"total": 421}',
                    cost_details='{"input": 0.001, "output": 0.002}',
                    completion_start_time='"2026-11-29T09:17:04.500000+00:00"',
                    prompt__name="support",
                    prompt__version=7,
                    input='[{"role": "user", "content": "Weather in Paris?"}]',
                    output="Rain.",
                ),
                "langfuse.environment": "staging",
                "session.id": "s-1",
            },
            scope="langfuse-sdk",
        )
    )
    assert request.messages == ASKED
    assert response.output == "Rain."
    assert counts(response) == {"input": 412, "output": 9, "cache_read": 400}
    assert response.cost_usd == pytest.approx(0.003)
    assert response.ttft_ms == pytest.approx(500)
    assert (request.params or {})["stream"] is True
    assert request.prompt is not None
    assert (request.prompt.name, request.prompt.sha) == ("support", "7")
    assert (request.environment, request.session_id) == ("staging", "s-1")


@pytest.mark.parametrize(
    ("kind", "operation"),
    [("tool", "execute_tool"), ("retriever", "retrieval"), ("agent", "invoke_agent")],
)
def test_langfuse_steps(kind: str, operation: str) -> None:
    given = langfuse(kind, input='{"city": "Paris"}', output='"rain"')
    request, response = the_step(span(1, given, scope="langfuse-sdk", name="weather"))
    assert (request.operation, request.model) == (operation, "weather")
    assert response.output == "rain"


@pytest.mark.parametrize("kind", ["span", "event", "chain", "evaluator", "guardrail"])
def test_langfuse_observations_of_which_nothing_is_made(kind: str) -> None:
    found = resolved(span(1, langfuse(kind), scope="langfuse-sdk"))
    assert found.calls == found.steps == []


# --- which dialect -------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["", "my.own.tracer"])
def test_a_dialect_is_known_by_its_attributes_too(scope: str) -> None:
    given = {"openinference.span.kind": "LLM", "llm.model_name": "m", "llm.token_count.prompt": 3}
    _, response = the_call(span(1, given, scope=scope))
    assert counts(response) == {"input": 3}


@pytest.mark.parametrize(
    "attributes", [{}, {"http.request.method": "POST", "error.type": "500"}, {"db.system": "pg"}]
)
def test_spans_that_say_nothing_of_ai_give_nothing(attributes: dict[str, Any]) -> None:
    found = resolved(span(1, attributes, scope="opentelemetry.instrumentation.requests"))
    assert found.calls == found.steps == []
