"""What holds for whatever spans are given: traces arrive in pieces, repeated and out of order, and
attributes are written by anybody."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.otlp.calls import Resolved, TracedCall, resolve
from agents.otlp.dialects.choice import understand
from agents.otlp.names import DEFAULT
from agents.otlp.step import MODEL_CALLS
from agents.otlp.trim import trim
from schemas.decoding import decode_with_unknown
from schemas.otlp import LogRecord, Span, SpanEvent
from tests.unit.otlp_spans import BEGAN_NS, chat, log, span, used

MESSAGES = '[{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]'
ANSWER = '[{"role": "assistant", "parts": [{"type": "text", "content": "ho"}]}]'

SAMPLES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("genai", chat(**used(40, 5), gen_ai__response__id="a")),
    ("genai", chat(gen_ai__response__id="a", gen_ai__input__messages=MESSAGES,
                   gen_ai__output__messages=ANSWER, session__id="s")),
    ("genai", chat(**used(50, 7, cache_read__input_tokens=8), gen_ai__response__id="b")),
    ("genai", {"gen_ai.operation.name": "invoke_agent", **used(90, 12)}),
    ("genai", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup",
               "gen_ai.tool.call.arguments": '{"a": 1}'}),
    ("genai", {"gen_ai.operation.name": "retrieval",
               "gen_ai.retrieval.documents": '[{"id": "d", "score": 0.5}]'}),
    ("opentelemetry.instrumentation.openai",
     {"llm.request.type": "chat", "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "hi",
      "gen_ai.completion.0.content": "ho", "gen_ai.usage.prompt_tokens": 4}),
    ("traceloop.sdk", {"traceloop.span.kind": "workflow", "traceloop.entity.input": "{}"}),
    ("openinference.instrumentation.openai",
     {"openinference.span.kind": "LLM", "llm.model_name": "m", "llm.token_count.prompt": 4,
      "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "hi",
      "input.value": '{"model": "m"}', "output.value": '{"id": "a", "usage": {"prompt_tokens": 4}}',
      "retrieval.documents.0.document.id": "d", "metadata": '{"user_id": "u"}'}),
    ("litellm", {"gen_ai.operation.name": "acompletion", "gen_ai.request.model": "m",
                 "metadata.usage_object": "{'prompt_tokens': 4, 'completion_tokens': 2}",
                 "metadata.requester_metadata": "{'session_id': 's'}",
                 "hidden_params": '{"response_cost": 0.1}'}),
    ("ai", {"ai.operationId": "ai.generateText.doGenerate", "ai.model.id": "m",
            "ai.usage.promptTokens": 4, "ai.prompt.messages": '[{"role":"user","content":"hi"}]',
            "ai.response.toolCalls": '[{"toolName":"t","input":{}}]'}),
    ("pydantic-ai", chat(events='[{"event.name":"gen_ai.user.message","content":"hi"}]')),
    ("langfuse-sdk", {"langfuse.observation.type": "generation",
                      "langfuse.observation.usage_details": '{"input": 4, "output": 2}',
                      "langfuse.observation.model.parameters": '{"temperature": 1}',
                      "langfuse.observation.completion_start_time": '"2026-11-29T09:17:05Z"'}),
    ("http", {"http.request.method": "POST", "user.id": "u"}),
)  # fmt: skip

ODD_TEXTS = (
    "", "x", "0", "-1", "1e400", "NaN", "true", "9" * 400, "[", "{", "[]", "{}", '"x"', "null",
    "[[[[[[]]]]]]", "[" * 200 + "]" * 200, '[{"role": {}}]', '[{"parts": 3}]', '[{"parts": [3]}]',
    '[{"content": {"type": "text"}}]', '{"usage": {"prompt_tokens": -1}}', '{"usage": []}',
    '{"id": {}, "model": []}', "{'a': 1}", "{'a': {1: 2}}", "{'prompt_tokens': 1e999}",
    '[{"type": "tool_call", "name": 3, "arguments": 99999999999999999999999}]',
    '[{"tool_calls": [null, {"function": "f"}, {"function": {"name": []}}]}]',
    '{"total": "x", "input": [1]}', "\x00", "\U0001f600" * 300, "gen_ai.choice", "LLM", "generation",
)  # fmt: skip
KEYS = [
    "",
    "0",
    "arguments",
    "content",
    "function",
    "id",
    "input",
    "message",
    "messages",
    "name",
    "output",
    "parts",
    "prompt_tokens",
    "role",
    "text",
    "tool_calls",
    "total",
    "type",
    "usage",
]

ODD = (
    st.none()
    | st.booleans()
    | st.sampled_from([0, -1, 2**63 - 1, -(2**63), 1e300, -0.0, 1e-300, 10**12, 10**12 + 1])
    | st.sampled_from(ODD_TEXTS)
    | st.recursive(
        st.sampled_from(ODD_TEXTS) | st.integers(-5, 5) | st.none(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(KEYS),
                inner,
                max_size=3,
            )
        ),
        max_leaves=6,
    )
)
NAMES = sorted({name for _, attributes in SAMPLES for name in attributes} | {
    "gen_ai.prompt.0.role.x", "gen_ai.prompt.00.content", "gen_ai.prompt.999999999.content",
    "llm.input_messages.0.message.tool_calls.0.tool_call.function", "llm.openai.usage",
    "error.type", "http.response.status_code", "gen_ai.usage.odd_tokens", "gen_ai.tool.definitions",
})  # fmt: skip


@st.composite
def spans(draw: st.DrawFn, odd: bool = True) -> list[Span]:
    """A few traces whose spans are of any dialect and hang together in any way."""
    found = []
    for number in range(1, draw(st.integers(1, 8)) + 1):
        scope, attributes = draw(st.sampled_from(SAMPLES))
        if odd:
            changes = draw(st.dictionaries(st.sampled_from(NAMES), ODD, max_size=3))
            attributes = {**attributes, **changes}
        start = draw(st.integers(0, 50))
        events = draw(st.lists(st.sampled_from(EVENTS), max_size=2)) if odd else []
        found.append(
            span(
                number,
                attributes,
                parent=draw(st.integers(0, 9)),
                scope=scope,
                at_ms=(start, start + draw(st.integers(-5, 50))),
                status=draw(st.sampled_from(["unset", "ok", "error"])),
                name=draw(st.sampled_from(["", "raw_gen_ai_request", "n" * 300])),
                events=events,
                resource=draw(st.sampled_from([{}, {"service.name": "shop"}, {"tenant": None}])),
                trace=draw(st.sampled_from(["a" * 32, "b" * 32])),
            )
        )
    return found


EVENTS = [
    SpanEvent("exception", BEGAN_NS, {"exception.type": 3}),
    SpanEvent("gen_ai.choice", BEGAN_NS, {"index": "x", "message": "[]"}),
    SpanEvent("gen_ai.user.message", BEGAN_NS, {"content": {"a": [1]}}),
    SpanEvent("gen_ai.content.prompt", BEGAN_NS, {"gen_ai.prompt": "{"}),
    SpanEvent("gen_ai..message", BEGAN_NS, {}),
]


@st.composite
def log_records(draw: st.DrawFn) -> list[LogRecord]:
    names = [
        "gen_ai.user.message",
        "gen_ai.choice",
        "gen_ai.client.inference.operation.details",
        "",
    ]
    return [
        log(draw(st.integers(0, 9)), draw(st.sampled_from(names)), draw(ODD))
        for _ in range(draw(st.integers(0, 4)))
    ]


def told(found: Resolved) -> list[TracedCall]:
    return [*found.calls, *found.steps]


@given(spans(), log_records())
def test_whatever_is_given_the_events_are_such_as_the_topics_take(
    given_spans: list[Span], logs: list[LogRecord]
) -> None:
    for call in told(resolve(given_spans, logs, DEFAULT)):
        for kind, value in zip(("requests", "responses"), call.encoded(), strict=True):
            event, extra = decode_with_unknown(kind, value)
            assert extra is None or extra.odd_fields == []
            assert event.event_id.startswith(call.request.request_id)


@given(spans(), log_records(), st.data())
def test_order_pieces_and_repeats_change_nothing(
    given_spans: list[Span], logs: list[LogRecord], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(given_spans), max_size=4))
    logs_again = data.draw(st.lists(st.sampled_from(logs), max_size=2)) if logs else []

    arrived = data.draw(st.permutations([*given_spans, *again]))
    logs_arrived = data.draw(st.permutations([*logs, *logs_again]))

    assert resolve(arrived, logs_arrived, DEFAULT) == resolve(given_spans, logs, DEFAULT)


@given(spans(), st.data())
def test_two_spans_under_one_id_are_one_whichever_comes_first(
    given_spans: list[Span], data: st.DataObject
) -> None:
    other = data.draw(st.sampled_from(SAMPLES))[1]
    first = given_spans[0]
    both = [*given_spans, span(int(first.span_id, 16), other, trace=first.trace_id)]
    assert resolve(both, [], DEFAULT) == resolve(both[::-1], [], DEFAULT)


@given(spans(odd=False))
def test_each_span_tells_of_one_thing_and_each_innermost_call_is_told(
    given_spans: list[Span],
) -> None:
    found = resolve(given_spans, [], DEFAULT)
    named = [name for call in told(found) for name in call.span_ids]
    models = [s for s in given_spans if understand(s).kind in MODEL_CALLS]

    assert len(named) == len(set(named))
    assert len(found.calls) <= len(models)
    parents = {(s.trace_id, s.parent_id) for s in given_spans}
    apart = [s for s in models if (s.trace_id, s.span_id) not in parents]
    assert {f"{s.trace_id}-{s.span_id}" for s in apart} <= set(named)


@given(spans(), log_records())
def test_what_is_trimmed_away_is_read_by_nobody(
    given_spans: list[Span], logs: list[LogRecord]
) -> None:
    trimmed = [trim(s, DEFAULT.all()) for s in given_spans]
    assert resolve(trimmed, logs, DEFAULT) == resolve(given_spans, logs, DEFAULT)


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.input.messages": '[{"type": [], "parts": [{"type": {}}]}]'},
        {"gen_ai.output.messages": '[{"message": {"content": [{"type": []}]}}]'},
        {"gen_ai.usage.input_tokens": 10**12, "gen_ai.usage.cache_read_input_tokens": 10**12,
         "gen_ai.usage.total_tokens": 2 * 10**12},
        {"langfuse.observation.type": "generation",
         "langfuse.observation.usage_details": '{"input": 1000000000000, "input_cached_tokens": 9}'},
    ],
)  # fmt: skip
def test_what_was_once_found_by_chance(attributes: dict[str, Any]) -> None:
    [call] = resolve([span(1, chat(**attributes))], [], DEFAULT).calls
    _, extra = decode_with_unknown("responses", call.encoded()[1])
    assert extra is None or extra.odd_fields == []


def test_vectors_and_what_is_no_business_of_ours_are_trimmed() -> None:
    http = span(1, {"http.route": "/", "user.id": "u"}, resource={"host": "h", "service.name": "s"})
    embedding = span(2, {"openinference.span.kind": "EMBEDDING",
                         "embedding.embeddings.0.embedding.vector": [0.1] * 1_000,
                         "embedding.embeddings.0.embedding.text": "hi"})  # fmt: skip
    assert trim(http, DEFAULT.all()).attributes == {"user.id": "u"}
    assert trim(http, DEFAULT.all()).resource == {"service.name": "s"}
    assert len(trim(embedding, DEFAULT.all()).attributes) == 2
