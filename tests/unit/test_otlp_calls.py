"""One call is one call, whoever tells of it; and whose it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.otlp.calls import TracedCall, resolve
from agents.otlp.names import DEFAULT, AttributeNames
from schemas.decoding import decode_with_unknown
from schemas.events import ErrorInfo
from tests.unit.otlp_spans import TRACE, chat, counts, hex_id, resolved, span, used

AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup"}
STEP = {"gen_ai.operation.name": "agent_step"}


def numbers(calls: list[TracedCall]) -> list[int]:
    """The numbers of the spans that name the calls."""
    return [int(call.request.span_id or "", 16) for call in calls]


def answered(response_id: str, **more: Any) -> dict[str, Any]:
    return chat(gen_ai__response__id=response_id, **more)


# --- several spans tell of one call --------------------------------------------------------------


def test_ids_are_those_of_trace_and_span() -> None:
    [call] = resolved(span(7, chat(), parent=3)).calls
    name = f"{TRACE}-{hex_id(7)}"
    assert call.request.event_id == call.request.request_id == name
    assert call.response.request_id == call.response.response_id == name
    assert call.response.event_id == f"{name}-end"
    assert (call.request.trace_id, call.request.span_id) == (TRACE, hex_id(7))
    assert call.request.parent_span_id == hex_id(3)
    assert call.span_ids == [name]


def test_the_innermost_gives_times_and_usage_the_others_what_it_does_not_say() -> None:
    """A gateway around an instrumentation around the provider's own library."""
    gateway = answered("a", **used(40, 5), gen_ai__request__temperature=0.2)
    library = answered(
        "a", **used(40, 5), gen_ai__input__messages='[{"role": "user", "content": "hi"}]'
    )
    wire = answered("a", **used(40, 5, cache_read__input_tokens=8))

    found = resolved(
        span(1, gateway, at_ms=(0, 100)),
        span(2, library, parent=1, at_ms=(10, 90)),
        span(3, wire, parent=2, at_ms=(20, 80)),
    )

    [call] = found.calls
    assert call.span_ids == [f"{TRACE}-{hex_id(number)}" for number in (3, 2, 1)]
    assert (call.response.latency_ms, counts(call.response)["cache_read"]) == (60.0, 8)
    assert [m.content for m in call.request.messages or []] == ["hi"]
    assert call.request.params == {"temperature": 0.2}
    assert call.request.parent_span_id is None
    assert found.steps == []


def test_usage_that_the_innermost_does_not_know_comes_from_the_span_around_it() -> None:
    found = resolved(span(1, answered("a", **used(40, 5))), span(2, answered("a"), parent=1))
    assert numbers(found.calls) == [2]
    assert counts(found.calls[0].response) == {"input": 40, "output": 5}


def test_a_gateway_may_give_the_answer_an_id_of_its_own() -> None:
    outer = answered("gw-1", **used(40, 5), gen_ai__request__temperature=0.2)
    found = resolved(span(1, outer), span(2, answered("a", **used(40, 5)), parent=1))
    assert numbers(found.calls) == [2]
    assert found.calls[0].request.params == {"temperature": 0.2}
    assert found.calls[0].provider_response_id == "a"


def test_a_span_around_another_call_gives_it_nothing() -> None:
    """Its usage is another: the sum of two calls, of which one has not arrived."""
    outer = chat(**used(90, 12), gen_ai__input__messages='[{"role": "user", "content": "hi"}]')
    found = resolved(span(1, outer), span(2, chat(**used(50, 7)), parent=1))
    assert numbers(found.calls) == [2]
    assert found.calls[0].request.messages is None
    assert counts(found.calls[0].response) == {"input": 50, "output": 7}


def test_a_span_around_several_calls_is_no_call() -> None:
    outer = answered("b", **used(90, 12), gen_ai__request__seed=1)
    found = resolved(
        span(1, outer, at_ms=(0, 100)),
        span(2, answered("a", **used(40, 5)), parent=1, at_ms=(10, 40)),
        span(3, answered("b", **used(50, 7)), parent=1, at_ms=(50, 90)),
    )
    assert numbers(found.calls) == [2, 3]
    assert [counts(call.response)["input"] for call in found.calls] == [40, 50]
    # it says of the answer it returned what that call does not say itself
    assert [call.request.params for call in found.calls] == [None, {"seed": 1}]


def test_a_provider_that_repeats_ids_gets_what_the_last_call_was_asked() -> None:
    found = resolved(
        span(1, answered("a", **used(90, 12), gen_ai__request__seed=1), at_ms=(0, 100)),
        span(2, answered("a", **used(40, 5)), parent=1, at_ms=(10, 40)),
        span(3, answered("a", **used(50, 7)), parent=1, at_ms=(50, 90)),
    )
    assert [call.request.params for call in found.calls] == [None, {"seed": 1}]


def test_of_two_spans_under_one_id_the_one_that_ended_later_counts() -> None:
    longer, shorter = (span(1, chat(), at_ms=(0, ended)) for ended in (90, 50))
    for spans in ((longer, shorter), (shorter, longer)):
        [call] = resolved(*spans).calls
        assert call.response.latency_ms == 90


def test_a_failed_try_and_the_one_that_worked_are_two_calls() -> None:
    found = resolved(
        span(1, answered("b", **used(50, 7)), at_ms=(0, 100)),
        span(2, chat(error__type="429"), parent=1, at_ms=(1, 20), status="error"),
        span(3, answered("b", **used(50, 7)), parent=1, at_ms=(30, 90)),
    )
    assert [call.response.status for call in found.calls] == ["error", "ok"]
    assert found.calls[0].response.error == ErrorInfo(type="429")


@pytest.mark.parametrize("between", [STEP, {}, {"http.request.method": "POST"}])
def test_spans_between_do_not_hide_that_it_is_one_call(between: dict[str, Any]) -> None:
    found = resolved(
        span(1, answered("a", **used(40, 5))),
        span(2, between, parent=1),
        span(3, answered("a", **used(40, 5)), parent=2),
    )
    assert numbers(found.calls) == [3]


@pytest.mark.parametrize("between", [TOOL, AGENT])
def test_a_model_called_by_a_tool_is_another_call(between: dict[str, Any]) -> None:
    found = resolved(
        span(1, answered("a", **used(40, 5)), at_ms=(0, 100)),
        span(2, between, parent=1, at_ms=(10, 90)),
        span(3, answered("b", **used(50, 7)), parent=2, at_ms=(20, 80)),
    )
    assert numbers(found.calls) == [1, 3]


@pytest.mark.parametrize("outer", [AGENT, STEP, {"traceloop.span.kind": "workflow"}])
def test_agents_and_workflows_never_cost(outer: dict[str, Any]) -> None:
    """Whether the calls under them are known or not."""
    summed = {**outer, **used(90, 12), "gen_ai.request.model": "m", "gen_ai.usage.cost": 1.0}
    alone, around = resolved(span(1, summed)), resolved(span(1, summed), span(2, chat(), parent=1))
    assert (alone.calls, numbers(around.calls)) == ([], [2])
    for step in (*alone.steps, *around.steps):
        assert step.response.usage is step.response.cost_usd is None
        assert step.usage_rest == {}


def test_two_libraries_that_do_not_know_of_each_other() -> None:
    """Their spans share no parent, perhaps no trace; the answer has one id, and one lies within
    the other in time."""
    outer = span(1, answered("a", **used(40, 5)), scope="one", at_ms=(0, 100), trace="b" * 32)
    inner = span(2, answered("a", **used(40, 5)), scope="two", at_ms=(10, 90))
    [call] = resolved(outer, inner).calls
    assert call.span_ids == [f"{TRACE}-{hex_id(2)}", f"{'b' * 32}-{hex_id(1)}"]


def test_of_a_stream_one_library_may_count_the_output_that_it_began_with_as_well() -> None:
    """OpenLLMetry adds what Anthropic says at the start of a stream and at its end; Anthropic's own
    client does not."""
    outer = span(1, answered("a", **used(40, 6)), scope="one", at_ms=(0, 100), trace="b" * 32)
    inner = span(2, answered("a", **used(40, 5)), scope="two", at_ms=(10, 90))
    [call] = resolved(outer, inner).calls
    assert counts(call.response) == {"input": 40, "output": 5}


@pytest.mark.parametrize(
    ("scope", "at_ms", "usage"),
    [
        ("one", (10, 90), used(40, 5)),  # one library tells of one call once
        ("two", (110, 190), used(40, 5)),  # an answer served again from a provider that repeats ids
        ("two", (10, 110), used(40, 5)),
        ("two", (10, 90), used(41, 5)),
    ],
)
def test_calls_with_the_same_id_are_not_always_one(
    scope: str, at_ms: tuple[float, float], usage: dict[str, Any]
) -> None:
    first = span(1, answered("a", **used(40, 5)), scope="one", at_ms=(0, 100))
    found = resolved(first, span(2, answered("a", **usage), scope=scope, at_ms=at_ms))
    assert len(found.calls) == 2


# --- place in the trace --------------------------------------------------------------------------


def test_the_parent_is_the_nearest_span_that_is_told_of() -> None:
    found = resolved(
        span(1, AGENT),
        span(2, STEP, parent=1),
        span(3, {}, parent=2),
        span(4, answered("a"), parent=3),
        span(5, answered("a"), parent=4),
        span(6, TOOL, parent=4),
        span(7, TOOL, parent=99),
    )
    around = {n: c.request.parent_span_id for c in [*found.calls, *found.steps]
              for n in numbers([c])}  # fmt: skip
    assert around == {1: None, 5: hex_id(1), 6: hex_id(1), 7: hex_id(99)}


def test_calls_and_steps_come_in_the_order_of_their_start() -> None:
    found = resolved(
        span(3, chat(), at_ms=(30, 40)),
        span(1, chat(), at_ms=(10, 90)),
        span(2, chat(), at_ms=(20, 30)),
    )
    assert numbers(found.calls) == [1, 2, 3]


@pytest.mark.parametrize("parents", [(1, 0), (2, 1), (2, 3, 1)])
def test_spans_that_are_their_own_ancestors_are_calls_all_the_same(
    parents: tuple[int, ...],
) -> None:
    spans = [span(n, chat(), parent=parent) for n, parent in enumerate(parents, start=1)]
    assert numbers(resolved(*spans).calls) == list(range(1, len(parents) + 1))


def test_a_long_chain_of_spans_is_followed() -> None:
    chain = [span(n, {"session.id": "s"} if n == 1 else {}, parent=n - 1) for n in range(1, 5_000)]
    found = resolved(*chain, span(5_000, chat(), parent=4_999))
    assert found.calls[0].request.session_id == "s"


# --- whose it was --------------------------------------------------------------------------------


def test_what_a_span_does_not_say_is_said_around_it() -> None:
    found = resolved(
        span(1, {"session.id": "outer", "user.id": 42, "tenant": "acme"}),
        span(2, AGENT, parent=1),
        span(
            3,
            chat(session__id="inner", prompt__sha="abc"),
            parent=2,
            resource={"service.name": "shop", "deployment.environment": "prod"},
        ),
    )
    asked = found.calls[0].request
    assert (asked.session_id, asked.user_id, asked.tenant) == ("inner", "42", "acme")
    assert (asked.feature, asked.environment) == ("shop", "prod")
    assert asked.prompt is not None and asked.prompt.sha == "abc"
    assert found.steps[0].request.session_id == "outer"


def test_a_service_without_a_name_is_no_feature() -> None:
    [call] = resolved(span(1, chat(), resource={"service.name": "unknown_service:python"})).calls
    assert (call.request.feature, call.request.tenant) == (None, "default")


def test_the_names_can_be_chosen() -> None:
    names = AttributeNames(session=("chat.thread",), feature=("area", "app"))
    given = chat(session__id="not asked for", chat__thread="t-1", app="shop")
    [call] = resolve([span(1, given)], [], names).calls
    assert (call.request.session_id, call.request.feature) == ("t-1", "shop")
    assert names.user == DEFAULT.user


def test_names_that_are_too_long_are_cut_and_ids_left_out() -> None:
    given = chat(tenant="t" * 300, session__id="s" * 600, user__id="u" * 600)
    [call] = resolved(span(1, {**given, "gen_ai.request.model": "m" * 300})).calls
    assert call.request.tenant == "t" * 256
    assert call.request.model == "m" * 256
    assert call.request.session_id is call.request.user_id is None


# --- what is published ---------------------------------------------------------------------------


def test_the_json_of_a_call_is_what_the_topics_of_events_take() -> None:
    given = answered("a", **used(40, 5, video__input_tokens=3), gen_ai__response__model="m-1")
    [call] = resolved(span(1, given)).calls

    request, response = call.encoded()

    event, extra = decode_with_unknown("requests", request)
    assert (event, extra) == (call.request, None)
    event, extra = decode_with_unknown("responses", response)
    assert event == call.response
    assert extra is not None
    assert extra.usage_unknown == ["other.video.input_tokens"]
    assert json.loads(extra.text or b"")["provider_response_id"] == "a"


def test_a_call_without_a_model_has_one_of_that_name() -> None:
    [call] = resolved(span(1, {"gen_ai.operation.name": "chat"})).calls
    assert call.request.model == "unknown"
