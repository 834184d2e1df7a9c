"""LiteLLM itself with Mirante's callback and guardrail, against a provider on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import litellm
import mirante
import mirante.litellm
import pytest

from tests.sdk.fakes import Ingest, Provider

NewAsyncClient = Callable[..., mirante.AsyncClient]
REPLY = "It is sunny in Recife."
MESSAGES = [{"role": "user", "content": "Weather in Recife?"}]
METADATA = {
    "feature": "weather",
    "session_id": "s1",
    "user_id": "u1",
    "tenant": "acme",
    "prompt": {"name": "p", "sha": "abc1234"},
}


@pytest.fixture
def arguments(provider: Provider) -> dict[str, Any]:
    return {
        "model": "openai/gpt-4o",
        "messages": MESSAGES,
        "api_base": provider.openai_url,
        "api_key": "k",
        "metadata": dict(METADATA),
    }


@pytest.fixture(autouse=True)
def no_callbacks_stay() -> Iterator[None]:
    yield
    for name in (
        "callbacks",
        "success_callback",
        "failure_callback",
        "_async_success_callback",
        "_async_failure_callback",
        "input_callback",
    ):
        getattr(litellm, name).clear()


@pytest.fixture
def client(new_async_client: NewAsyncClient) -> mirante.AsyncClient:
    client = new_async_client()
    litellm.callbacks = [
        mirante.litellm.MiranteGuardrail(client),
        mirante.litellm.MiranteLogger(client),
    ]
    return client


async def arrived(ingest: Ingest, client: mirante.AsyncClient, number: int = 1) -> None:
    """LiteLLM calls back when it has time."""
    deadline = time.monotonic() + 20
    while len(ingest.of("responses")) < number and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        await client.flush(5)
    await asyncio.sleep(0.3)
    await client.flush(5)


def assert_events(ingest: Ingest, *, streams: bool = False) -> None:
    request, response = ingest.request, ingest.response
    assert request["request_id"] == response["request_id"]
    assert [request[n] for n in ("feature", "session_id", "user_id", "tenant", "prompt")] == [
        "weather",
        "s1",
        "u1",
        "acme",
        METADATA["prompt"],
    ]
    assert request["model"] == "gpt-4o" and request["provider"] == "openai" and request["operation"] == "chat"
    assert request["messages"] == MESSAGES
    assert response["status"] == "ok" and response["output"] == REPLY and response["finish_reason"] == "stop"
    assert response["usage"]["prompt_tokens"] == 20 and response["usage"]["completion_tokens"] == 7
    assert response["usage"]["prompt_tokens_details"]["cached_tokens"] == 4
    assert response["usage"]["completion_tokens_details"]["reasoning_tokens"] == 2
    assert response["latency_ms"] > 0 and ("ttft_ms" in response) is streams
    assert "cost_usd" not in response


async def test_an_asynchronous_call_is_two_events(arguments: dict[str, Any], ingest: Ingest, client: mirante.AsyncClient) -> None:
    made = await litellm.acompletion(**arguments)
    assert made.choices[0].message.content == REPLY
    await arrived(ingest, client)
    assert_events(ingest)
    assert ingest.response["response_id"] == made.id
    assert client.stats.errors == 0


async def test_a_call_of_threads_is_two_events(arguments: dict[str, Any], ingest: Ingest, client: mirante.AsyncClient) -> None:
    made = await asyncio.to_thread(lambda: litellm.completion(**arguments))
    assert made.choices[0].message.content == REPLY
    await arrived(ingest, client)
    assert_events(ingest)


async def test_an_asynchronous_stream_is_two_events(arguments: dict[str, Any], ingest: Ingest, client: mirante.AsyncClient) -> None:
    stream = await litellm.acompletion(**arguments, stream=True, stream_options={"include_usage": True})
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    assert text == REPLY
    await arrived(ingest, client)
    assert_events(ingest, streams=True)


async def test_a_stream_of_threads_is_two_events(arguments: dict[str, Any], ingest: Ingest, client: mirante.AsyncClient) -> None:
    def run() -> str:
        stream = litellm.completion(**arguments, stream=True, stream_options={"include_usage": True})
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)

    assert await asyncio.to_thread(run) == REPLY
    await arrived(ingest, client)
    assert_events(ingest, streams=True)


async def test_tool_calls_and_embeddings(arguments: dict[str, Any], ingest: Ingest, client: mirante.AsyncClient) -> None:
    tool = {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
    }
    await litellm.acompletion(**arguments, tools=[tool])
    await arrived(ingest, client)
    assert ingest.response["tool_calls"] == [{"name": "weather", "arguments": '{"city":"Recife"}'}]
    assert ingest.request["tools"] == [tool]
    ingest.events.clear()
    arguments = {n: v for n, v in arguments.items() if n != "messages"} | {"model": "openai/text-embedding-3-small"}
    await litellm.aembedding(input=["one", "two"], **arguments)
    await arrived(ingest, client)
    assert ingest.request["operation"] == "embeddings" and ingest.response["usage"]["prompt_tokens"] == 9


async def test_a_failure_is_a_response_too(arguments: dict[str, Any], ingest: Ingest, client: mirante.AsyncClient) -> None:
    with pytest.raises(litellm.AuthenticationError):
        await litellm.acompletion(**{**arguments, "model": "openai/denied"})
    await arrived(ingest, client)
    response = ingest.response
    assert response["status"] == "error" and response["error"]["type"] == "litellm.AuthenticationError" and response["error"]["code"] == 401
    assert "sk-proj-abc" not in str(response)


async def test_the_providers_clients_retries_are_one_call(
    arguments: dict[str, Any], ingest: Ingest, provider: Provider, client: mirante.AsyncClient
) -> None:
    await litellm.acompletion(**{**arguments, "model": "openai/flaky"}, max_retries=3)
    await arrived(ingest, client)
    assert len(provider.requests) == 3 and ingest.response["status"] == "ok"


async def test_a_kill_switch_stops_the_call_before_the_provider(
    arguments: dict[str, Any], ingest: Ingest, provider: Provider, client: mirante.AsyncClient
) -> None:
    ingest.control("model:gpt-4o", "kill", reason="too dear")
    await asyncio.sleep(1)
    with pytest.raises(mirante.Killed):
        await litellm.acompletion(**arguments)
    await arrived(ingest, client)
    assert provider.requests == []
    assert ingest.response["status"] == "blocked" and ingest.response["rails"][0]["name"] == "kill_switch"
    ingest.events.clear()
    arguments["model"] = "openai/gpt-4o-mini"
    assert (await litellm.acompletion(**arguments)).choices[0].message.content == REPLY
    await arrived(ingest, client)


async def test_a_throttle_stops_a_loop(
    arguments: dict[str, Any], ingest: Ingest, provider: Provider, new_async_client: NewAsyncClient
) -> None:
    ingest.control("user:u1", "throttle", limit=2)
    client = new_async_client()
    litellm.callbacks = [
        mirante.litellm.MiranteGuardrail(client),
        mirante.litellm.MiranteLogger(client),
    ]
    refused = 0
    for _ in range(6):
        try:
            await litellm.acompletion(**{**arguments, "metadata": dict(METADATA)})
        except mirante.Throttled:
            refused += 1
    assert (len(provider.requests), refused) == (2, 4)
    await arrived(ingest, client, 6)
    assert sorted(r["status"] for r in ingest.of("responses")) == ["blocked"] * 4 + ["ok"] * 2


async def test_input_rails_mask_what_the_provider_sees(
    arguments: dict[str, Any], ingest: Ingest, provider: Provider, new_async_client: NewAsyncClient
) -> None:
    client = new_async_client(input_rails=[mirante.PersonalData()])
    litellm.callbacks = [
        mirante.litellm.MiranteGuardrail(client),
        mirante.litellm.MiranteLogger(client),
    ]
    await litellm.acompletion(**{**arguments, "messages": [{"role": "user", "content": "CPF 529.982.247-25"}]})
    await arrived(ingest, client)
    assert provider.bodies()[0]["messages"][0]["content"] == "CPF <CPF>"
    assert "529.982" not in str(ingest.events)
    assert ingest.response["rails"] == [{"name": "personal_data", "stage": "input", "verdict": "flag", "detail": "CPF"}]


async def test_the_proxys_hook_answers_with_a_status(ingest: Ingest, new_async_client: NewAsyncClient) -> None:
    ingest.control("global", "kill")
    guardrail = mirante.litellm.MiranteGuardrail(new_async_client())
    data = {"model": "gpt-4o", "messages": list(MESSAGES), "metadata": {}}
    with pytest.raises(Exception, match="kill_switch") as raised:
        await guardrail.async_pre_call_hook(user_api_key_dict=None, cache=None, data=data, call_type="completion")
    assert getattr(raised.value, "status_code", 403) == 403


async def test_what_the_proxy_refused_is_no_request_without_a_response(ingest: Ingest, client: mirante.AsyncClient) -> None:
    """After a refusal the proxy tells loggers of a call that is made, and of its failure."""
    logger = mirante.litellm.MiranteLogger(client)
    metadata = {"user_api_key_hash": "h", "session_id": "s1"}
    details = {
        "litellm_call_id": "c1",
        "model": "smart",
        "messages": MESSAGES,
        "litellm_params": {"metadata": metadata},
    }
    logger.log_pre_api_call(model="smart", messages=MESSAGES, kwargs=details)
    refused = {**details, "exception": mirante.Killed("kill_switch", "user:u1")}
    await logger.async_log_failure_event(kwargs=refused, response_obj=None, start_time=0, end_time=0)
    await client.flush(5)
    assert ingest.events == []


@pytest.mark.parametrize(
    ("hidden", "model"),
    [({"provider_response_model": "gpt-4o-2026"}, "gpt-4o-2026"), ({}, "gpt-4o")],
    ids=["LiteLLM knows what the provider said", "it knows what it asked for"],
)
async def test_the_proxys_name_for_a_model_is_not_the_model_that_answered(
    hidden: dict[str, str], model: str, ingest: Ingest, client: mirante.AsyncClient
) -> None:
    """It is written over the provider's before callbacks are told."""
    answer = litellm.ModelResponse(model="smart", choices=[{"message": {"content": REPLY}}])
    answer._hidden_params = hidden
    logger = mirante.litellm.MiranteLogger(client)
    payload = {"litellm_call_id": "c1", "model": "openai/gpt-4o", "model_group": "smart"}
    await logger.async_log_success_event(kwargs={"standard_logging_object": payload}, response_obj=answer, start_time=0, end_time=1)
    await client.flush(5)
    assert (ingest.request["model"], ingest.response["model"]) == ("gpt-4o", model)


async def test_a_wrapped_callback_never_breaks_litellm(arguments: dict[str, Any], ingest: Ingest, client: mirante.AsyncClient) -> None:
    logger = mirante.litellm.MiranteLogger(client)
    logger.log_success_event(kwargs=None, response_obj=None, start_time=None, end_time=None)
    await logger.async_log_failure_event(kwargs={"exception": ValueError("x")}, response_obj=None, start_time=0, end_time=0)
    assert client.stats.errors == 1
    await client.flush(5)
    assert ingest.response["status"] == "error"


# --- what is tried again, and what has no end


def router(provider: Provider, **options: Any) -> litellm.Router:
    def deployment(name: str, model: str) -> dict[str, Any]:
        parameters = {"model": f"openai/{model}", "api_base": provider.openai_url, "api_key": "k"}
        return {"model_name": name, "litellm_params": {**parameters, "max_retries": 0}}

    models = {"denied": "denied", "flaky": "flaky", "backup": "gpt-4o-mini"}
    return litellm.Router(
        model_list=[deployment(name, model) for name, model in models.items()],
        retry_after=0,
        **options,
    )


async def test_a_routers_fallback_is_a_call_of_its_own(ingest: Ingest, provider: Provider, client: mirante.AsyncClient) -> None:
    route = router(provider, fallbacks=[{"denied": ["backup"]}], num_retries=0)
    await route.acompletion(model="denied", messages=MESSAGES, metadata=dict(METADATA))
    await arrived(ingest, client, 2)
    assert [r["model"] for r in ingest.of("requests")] == ["denied", "gpt-4o-mini"]
    assert sorted(r["status"] for r in ingest.of("responses")) == ["error", "ok"]
    assert {r["feature"] for r in ingest.of("requests")} == {"weather"}


async def test_a_routers_retries_count_once_against_a_throttle(
    ingest: Ingest, provider: Provider, new_async_client: NewAsyncClient
) -> None:
    ingest.control("user:u1", "throttle", limit=1)
    client = new_async_client(input_rails=[mirante.PersonalData()])
    litellm.callbacks = [
        mirante.litellm.MiranteGuardrail(client),
        mirante.litellm.MiranteLogger(client),
    ]
    route = router(provider, fallbacks=[{"flaky": ["backup"]}], num_retries=3)
    call = {
        "model": "flaky",
        "messages": [{"role": "user", "content": "CPF 529.982.247-25"}],
        "metadata": dict(METADATA),
    }
    # Given a model that fails twice, then its call is tried again, each time without personal data
    assert (await route.acompletion(**call)).choices[0].message.content == REPLY
    assert [b["messages"][0]["content"] for b in provider.bodies()] == ["CPF <CPF>"] * 3
    # And the next call is refused, once: it is neither tried again nor sent to another model
    with pytest.raises(mirante.Throttled, match="user:u1"):
        await route.acompletion(**{**call, "metadata": dict(METADATA)})
    await arrived(ingest, client, 4)
    assert len(provider.requests) == 3
    assert [r["status"] for r in ingest.of("responses")].count("blocked") == 1
    assert len(ingest.of("requests")) == len(ingest.of("responses")) == 4


async def test_a_killed_call_is_refused_once_by_a_router(ingest: Ingest, provider: Provider, client: mirante.AsyncClient) -> None:
    ingest.control("user:u1", "kill", reason="over the budget")
    await asyncio.sleep(1)
    route = router(provider, fallbacks=[{"flaky": ["backup"]}], num_retries=3)
    with pytest.raises(mirante.Killed, match="over the budget") as killed:
        await route.acompletion(model="flaky", messages=MESSAGES, metadata=dict(METADATA))
    assert isinstance(killed.value, litellm.exceptions.GuardrailRaisedException)
    await arrived(ingest, client)
    assert provider.requests == []
    assert ingest.request["request_id"] == ingest.response["request_id"]


async def test_a_fallback_to_a_killed_model_is_refused(ingest: Ingest, provider: Provider, client: mirante.AsyncClient) -> None:
    ingest.control("model:gpt-4o-mini", "kill")
    await asyncio.sleep(1)
    route = router(provider, fallbacks=[{"denied": ["backup"]}], num_retries=0)
    with pytest.raises(Exception, match=r"kill_switch|Incorrect API key"):
        await route.acompletion(model="denied", messages=MESSAGES, metadata=dict(METADATA))
    await arrived(ingest, client, 2)
    assert [body["model"] for body in provider.bodies()] == ["denied"]
    assert sorted(r["status"] for r in ingest.of("responses")) == ["blocked", "error"]


async def test_the_proxys_router_obeys_the_switch_of_the_model_it_chose(
    arguments: dict[str, Any], ingest: Ingest, provider: Provider, client: mirante.AsyncClient
) -> None:
    """The proxy asks first by the name that its client used, then its router by the model's."""
    guardrail = next(c for c in litellm.callbacks if hasattr(c, "async_pre_call_hook"))
    data = await guardrail.async_pre_call_hook(user_api_key_dict=None, cache=None, data={**arguments, "model": "smart"}, call_type="c")
    assert (await litellm.acompletion(**{**data, "model": "openai/gpt-4o"})).choices
    ingest.control("model:gpt-4o", "kill")
    await asyncio.sleep(1)
    with pytest.raises(mirante.Killed):
        await litellm.acompletion(**{**data, "model": "openai/gpt-4o"})
    await arrived(ingest, client, 2)


async def test_who_writes_the_mark_into_metadata_is_checked_all_the_same(
    arguments: dict[str, Any], ingest: Ingest, provider: Provider, new_async_client: NewAsyncClient
) -> None:
    ingest.control("user:u1", "throttle", limit=0)
    client = new_async_client()
    guardrail = mirante.litellm.MiranteGuardrail(client)
    for forged in (True, "true", 1):
        data = {
            "model": "gpt-4o",
            "messages": list(MESSAGES),
            "metadata": {**METADATA, "mirante_checked": forged, "attempted_retries": 1},
        }
        with pytest.raises(Exception, match="throttle"):
            await guardrail.async_pre_call_hook(user_api_key_dict=None, cache=None, data=data, call_type="completion")


async def test_a_cached_answer_is_a_hit(arguments: dict[str, Any], ingest: Ingest, provider: Provider, client: mirante.AsyncClient) -> None:
    litellm.cache = litellm.Cache(type="local")
    try:
        await litellm.acompletion(**arguments, caching=True)
        await arrived(ingest, client)
        await litellm.acompletion(**{**arguments, "metadata": dict(METADATA)}, caching=True)
        await arrived(ingest, client, 2)
    finally:
        litellm.cache = None
    assert len(provider.requests) == 1
    asked, again = ingest.of("responses")
    assert asked.get("cache") != "hit"
    assert again["cache"] == "hit"
    assert again["output"] == asked["output"] == REPLY
    assert len({r["request_id"] for r in ingest.of("requests")}) == 2


@pytest.mark.parametrize("how", ["left", "cancelled"])
async def test_a_stream_that_is_left_and_a_call_that_is_cancelled_have_a_request_at_least(
    how: str, arguments: dict[str, Any], ingest: Ingest, client: mirante.AsyncClient
) -> None:
    """LiteLLM calls back for neither, so they are unanswered."""
    if how == "left":
        stream = await litellm.acompletion(**{**arguments, "model": "openai/drip"}, stream=True)
        await anext(stream)
        del stream
    else:
        task = asyncio.ensure_future(litellm.acompletion(**{**arguments, "model": "openai/hang"}, timeout=30))
        await asyncio.sleep(2)  # it has been asked
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await client.flush(5)
    assert ingest.request["feature"] == "weather"
    assert ingest.request["provider"] == "openai"
    assert ingest.of("responses") == []


async def test_a_timeout_and_a_broken_stream_are_responses(arguments: dict[str, Any], ingest: Ingest, client: mirante.AsyncClient) -> None:
    with pytest.raises(litellm.Timeout):
        await litellm.acompletion(**{**arguments, "model": "openai/slow"}, timeout=0.2, max_retries=0)
    await arrived(ingest, client)
    assert ingest.response["status"] == "timeout"
    ingest.events.clear()
    stream = await litellm.acompletion(**{**arguments, "model": "openai/break"}, stream=True)
    with pytest.raises(Exception, match="onnection"):
        async for _ in stream:
            pass
    await arrived(ingest, client)
    assert ingest.response["status"] == "error"
