"""The providers' real clients, wrapped, against a provider on loopback: what the caller gets, and
which events appear.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import mirante
import openai
import pytest
from pydantic import BaseModel

from tests.sdk.fakes import ANTHROPIC_USAGE, CHAT_USAGE, RESPONSES_USAGE, Ingest, Provider

NewClient = Callable[..., mirante.Client]
NewAsyncClient = Callable[..., mirante.AsyncClient]

REPLY = "It is sunny in Recife."
MESSAGES: list[Any] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Weather in Recife?"},
]
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
RESPONSES_TOOL: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}
ANTHROPIC_TOOL: dict[str, Any] = {
    "name": "weather",
    "input_schema": {"type": "object", "properties": {}},
}


class City(BaseModel):
    city: str


def openai_client(provider: Provider, client: Any, **defaults: Any) -> openai.OpenAI:
    return mirante.openai.wrap(
        openai.OpenAI(base_url=provider.openai_url, api_key="k"), client, **defaults
    )


def async_openai(provider: Provider, client: Any, **defaults: Any) -> openai.AsyncOpenAI:
    return mirante.openai.wrap(
        openai.AsyncOpenAI(base_url=provider.openai_url, api_key="k"), client, **defaults
    )


def anthropic_client(provider: Provider, client: Any, **defaults: Any) -> anthropic.Anthropic:
    return mirante.anthropic.wrap(
        anthropic.Anthropic(base_url=provider.url, api_key="k"), client, **defaults
    )


def async_anthropic(provider: Provider, client: Any, **defaults: Any) -> anthropic.AsyncAnthropic:
    return mirante.anthropic.wrap(
        anthropic.AsyncAnthropic(base_url=provider.url, api_key="k"), client, **defaults
    )


def without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_none(item) for name, item in value.items() if item is not None}
    return value


def assert_usage(found: dict[str, Any], served: dict[str, Any]) -> None:
    assert {name: without_none(found.get(name)) for name in served} == served


def chat(wrapped: openai.OpenAI, provider: Provider) -> str:
    return (
        wrapped.chat.completions.create(
            model="gpt-4o", messages=MESSAGES, temperature=0.2, mirante={"session_id": "s1"}
        )
        .choices[0]
        .message.content
        or ""
    )  # type: ignore[call-overload,no-any-return]


def chat_stream(wrapped: openai.OpenAI, provider: Provider) -> str:
    stream = wrapped.chat.completions.create(
        model="gpt-4o",
        messages=MESSAGES,
        temperature=0.2,
        stream=True,
        mirante={"session_id": "s1"},
    )  # type: ignore[call-overload]
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def chat_helper(wrapped: openai.OpenAI, provider: Provider) -> str:
    with wrapped.chat.completions.stream(
        model="gpt-4o", messages=MESSAGES, temperature=0.2, mirante={"session_id": "s1"}
    ) as stream:  # type: ignore[call-arg]
        return "".join(event.delta for event in stream if event.type == "content.delta")


def chat_raw(wrapped: openai.OpenAI, provider: Provider) -> str:
    raw = wrapped.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=MESSAGES, temperature=0.2, mirante={"session_id": "s1"}
    )  # type: ignore[call-overload]
    assert raw.headers["content-type"] == "application/json"
    return raw.parse().choices[0].message.content or ""


def responses(wrapped: openai.OpenAI, provider: Provider) -> str:
    return wrapped.responses.create(
        model="gpt-4o", input=MESSAGES, temperature=0.2, mirante={"session_id": "s1"}
    ).output_text  # type: ignore[call-overload,no-any-return]


def responses_stream(wrapped: openai.OpenAI, provider: Provider) -> str:
    stream = wrapped.responses.create(
        model="gpt-4o", input=MESSAGES, temperature=0.2, stream=True, mirante={"session_id": "s1"}
    )  # type: ignore[call-overload]
    return "".join(event.delta for event in stream if event.type == "response.output_text.delta")


def responses_helper(wrapped: openai.OpenAI, provider: Provider) -> str:
    with wrapped.responses.stream(
        model="gpt-4o", input=MESSAGES, temperature=0.2, mirante={"session_id": "s1"}
    ) as stream:  # type: ignore[call-overload]
        for _ in stream:
            pass
        return stream.get_final_response().output_text  # type: ignore[no-any-return]


CHAT_FIELDS = {
    "finish_reason": "stop",
    "usage": CHAT_USAGE,
    "streams": False,
    "system_fingerprint": "fp_1",
}
OPENAI_WAYS: dict[str, tuple[Callable[..., str], dict[str, Any]]] = {
    "chat": (chat, CHAT_FIELDS),
    "chat stream": (chat_stream, {**CHAT_FIELDS, "streams": True}),
    "chat .stream()": (chat_helper, {**CHAT_FIELDS, "streams": True}),
    "chat raw": (chat_raw, CHAT_FIELDS),
    "responses": (
        responses,
        {"finish_reason": "completed", "usage": RESPONSES_USAGE, "streams": False},
    ),
    "responses stream": (
        responses_stream,
        {"finish_reason": "completed", "usage": RESPONSES_USAGE, "streams": True},
    ),
    "responses .stream()": (
        responses_helper,
        {"finish_reason": "completed", "usage": RESPONSES_USAGE, "streams": True},
    ),
}


@pytest.mark.parametrize("way", OPENAI_WAYS)
def test_a_call_of_openais_client_gives_what_it_gave_and_two_events(
    way: str, provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    ask, expected = OPENAI_WAYS[way]
    client = new_client(feature="weather", tenant="acme")
    assert ask(openai_client(provider, client), provider) == REPLY
    assert client.flush()

    request, response = ingest.request, ingest.response
    assert (
        request["model"] == "gpt-4o"
        and request["provider"] == "openai"
        and request["operation"] == "chat"
    )
    assert (request["session_id"], request["feature"], request["tenant"]) == (
        "s1",
        "weather",
        "acme",
    )
    assert request["messages"][-1] == {"role": "user", "content": "Weather in Recife?"}
    assert request["params"]["temperature"] == 0.2
    assert request["request_id"] == response["request_id"] and response["session_id"] == "s1"
    assert (
        response["status"] == "ok"
        and response["output"] == REPLY
        and response["model"] == "gpt-4o-2026"
    )
    assert response["finish_reason"] == expected["finish_reason"]
    assert response.get("system_fingerprint") == expected.get("system_fingerprint")
    assert_usage(response["usage"], expected["usage"])
    assert ("ttft_ms" in response) is expected["streams"]
    assert response["latency_ms"] >= response.get("ttft_ms", 0) >= 0
    assert len(provider.requests) == 1 and client.stats.errors == 0


async def achat(wrapped: openai.AsyncOpenAI) -> str:
    return (await wrapped.chat.completions.create(model="gpt-4o", messages=MESSAGES)).choices[
        0
    ].message.content or ""


async def achat_stream(wrapped: openai.AsyncOpenAI) -> str:
    stream = await wrapped.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def achat_helper(wrapped: openai.AsyncOpenAI) -> str:
    async with wrapped.chat.completions.stream(model="gpt-4o", messages=MESSAGES) as stream:
        return "".join([event.delta async for event in stream if event.type == "content.delta"])


async def aresponses(wrapped: openai.AsyncOpenAI) -> str:
    return (await wrapped.responses.create(model="gpt-4o", input=MESSAGES)).output_text


async def aresponses_stream(wrapped: openai.AsyncOpenAI) -> str:
    stream = await wrapped.responses.create(model="gpt-4o", input=MESSAGES, stream=True)
    return "".join(
        [event.delta async for event in stream if event.type == "response.output_text.delta"]
    )


async def aresponses_helper(wrapped: openai.AsyncOpenAI) -> str:
    async with wrapped.responses.stream(model="gpt-4o", input=MESSAGES) as stream:
        return (await stream.get_final_response()).output_text


@pytest.mark.parametrize(
    "ask", [achat, achat_stream, achat_helper, aresponses, aresponses_stream, aresponses_helper]
)
async def test_a_call_of_the_asynchronous_client_does_the_same(
    ask: Any, provider: Provider, ingest: Ingest, new_async_client: NewAsyncClient
) -> None:
    client = new_async_client()
    async with async_openai(provider, client, feature="weather") as wrapped:
        assert await ask(wrapped) == REPLY
    assert await client.flush()
    assert ingest.request["feature"] == "weather"
    assert ingest.response["output"] == REPLY and ingest.response["usage"]
    assert client.stats.errors == 0


def message(wrapped: anthropic.Anthropic) -> str:
    return (
        wrapped.messages.create(
            model="claude", max_tokens=50, system="Be brief.", messages=MESSAGES[1:]
        )
        .content[0]
        .text
    )  # type: ignore[union-attr]


def message_stream(wrapped: anthropic.Anthropic) -> str:
    stream = wrapped.messages.create(
        model="claude", max_tokens=50, system="Be brief.", messages=MESSAGES[1:], stream=True
    )
    return "".join(
        e.delta.text
        for e in stream
        if e.type == "content_block_delta" and e.delta.type == "text_delta"
    )


def message_helper(wrapped: anthropic.Anthropic) -> str:
    with wrapped.messages.stream(
        model="claude", max_tokens=50, system="Be brief.", messages=MESSAGES[1:]
    ) as stream:
        text = "".join(stream.text_stream)
        assert stream.get_final_message().content[0].text == text  # type: ignore[union-attr]
        return text


@pytest.mark.parametrize("ask", [message, message_stream, message_helper])
def test_a_call_of_anthropics_client_gives_what_it_gave_and_two_events(
    ask: Any, provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    client = new_client()
    assert ask(anthropic_client(provider, client)) == REPLY
    assert client.flush()
    request, response = ingest.request, ingest.response
    assert request["system_instructions"] == "Be brief." and request["messages"] == MESSAGES[1:]
    assert request["provider"] == "anthropic" and request["params"]["max_tokens"] == 50
    assert (
        response["output"] == REPLY
        and response["finish_reason"] == "end_turn"
        and response["model"] == "claude-2026"
    )
    assert_usage(response["usage"], ANTHROPIC_USAGE)
    assert client.stats.errors == 0


async def amessage(wrapped: anthropic.AsyncAnthropic) -> str:
    return (
        (await wrapped.messages.create(model="claude", max_tokens=50, messages=MESSAGES[1:]))
        .content[0]
        .text
    )  # type: ignore[union-attr]


async def amessage_stream(wrapped: anthropic.AsyncAnthropic) -> str:
    stream = await wrapped.messages.create(
        model="claude", max_tokens=50, messages=MESSAGES[1:], stream=True
    )
    return "".join(
        [
            e.delta.text
            async for e in stream
            if e.type == "content_block_delta" and e.delta.type == "text_delta"
        ]
    )


async def amessage_helper(wrapped: anthropic.AsyncAnthropic) -> str:
    async with wrapped.messages.stream(
        model="claude", max_tokens=50, messages=MESSAGES[1:]
    ) as stream:
        return "".join([text async for text in stream.text_stream])


@pytest.mark.parametrize("ask", [amessage, amessage_stream, amessage_helper])
async def test_anthropics_asynchronous_client_does_the_same(
    ask: Any, provider: Provider, ingest: Ingest, new_async_client: NewAsyncClient
) -> None:
    client = new_async_client()
    async with async_anthropic(provider, client) as wrapped:
        assert await ask(wrapped) == REPLY
    assert await client.flush()
    assert ingest.response["output"] == REPLY
    assert_usage(ingest.response["usage"], ANTHROPIC_USAGE)


def test_tool_calls_are_published_whichever_way_they_come(
    provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    client = new_client()
    wrapped, claude = openai_client(provider, client), anthropic_client(provider, client)
    for streams in (False, True):
        for made in (
            wrapped.chat.completions.create(
                model="gpt-4o", messages=MESSAGES, tools=[TOOL], stream=streams
            ),  # type: ignore[call-overload]
            wrapped.responses.create(
                model="gpt-4o", input=MESSAGES, tools=[RESPONSES_TOOL], stream=streams
            ),  # type: ignore[call-overload]
            claude.messages.create(
                model="claude",
                max_tokens=9,
                messages=MESSAGES[1:],
                tools=[ANTHROPIC_TOOL],
                stream=streams,
            ),  # type: ignore[call-overload]
        ):
            if streams:
                list(made)
    assert client.flush()
    called = [response["tool_calls"] for response in ingest.of("responses")]
    assert [[call["name"] for call in calls] for calls in called] == [["weather"]] * 6
    assert {str(calls[0]["arguments"]).replace(" ", "").replace("'", '"') for calls in called} == {
        '{"city":"Recife"}'
    }
    assert all(request["tools"] for request in ingest.of("requests"))


def test_embeddings_are_published_with_their_usage(
    provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    client = new_client()
    made = openai_client(provider, client).embeddings.create(model="embed", input=["one", "two"])
    assert len(made.data) == 2
    assert client.flush()
    assert ingest.request["operation"] == "embeddings"
    assert [m["content"] for m in ingest.request["messages"]] == ["one", "two"]
    assert_usage(ingest.response["usage"], {"prompt_tokens": 9, "total_tokens": 9})


def test_structured_output_is_parsed_and_its_schema_published(
    provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    provider.reply = '{"city": "Recife"}'
    client = new_client(output_rails=[mirante.JsonSchema()])
    wrapped = openai_client(provider, client)
    assert wrapped.chat.completions.parse(
        model="gpt-4o", messages=MESSAGES, response_format=City
    ).choices[0].message.parsed == City(city="Recife")
    assert wrapped.responses.parse(
        model="gpt-4o", input=MESSAGES, text_format=City
    ).output_parsed == City(city="Recife")
    assert client.flush()
    assert [request["output_schema"]["required"] for request in ingest.of("requests")] == [
        ["city"],
        ["city"],
    ]
    assert [r["rails"][0]["verdict"] for r in ingest.of("responses")] == ["pass", "pass"]


def test_the_provider_sees_no_personal_data_when_it_is_masked(
    provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    client = new_client(input_rails=[mirante.PersonalData()])
    wrapped, claude = openai_client(provider, client), anthropic_client(provider, client)
    text = "My CPF is 529.982.247-25, write to ana@example.com"
    parts: list[Any] = [{"role": "user", "content": [{"type": "text", "text": text}]}]
    wrapped.chat.completions.create(model="gpt-4o", messages=parts)
    wrapped.responses.create(model="gpt-4o", input=text)
    list(claude.messages.create(model="claude", max_tokens=9, messages=parts, stream=True))
    with claude.messages.stream(model="claude", max_tokens=9, messages=parts) as stream:
        stream.until_done()
    wrapped.embeddings.create(model="embed", input=[text, "nothing"])
    assert client.flush()
    sent = str(provider.bodies())
    assert (
        "529.982" not in sent
        and "ana@example" not in sent
        and sent.count("<CPF>") == 5
        and sent.count("<EMAIL>") == 5
    )
    assert "529.982" not in str(ingest.events)
    assert parts[0]["content"][0]["text"] == text, "what the caller holds stays as it is"
    assert {r["rails"][0]["detail"] for r in ingest.of("responses")} == {"CPF, EMAIL"}


OUTPUT = (
    "Call Ana, CPF 529.982.247-25, at her desk. "
    + "Then wait for her answer and write it down. " * 12
)
MASKED = OUTPUT.replace("529.982.247-25", "<CPF>")


@pytest.mark.parametrize("way", OPENAI_WAYS)
def test_personal_data_in_an_answer_is_masked_also_in_streams(
    way: str, provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    provider.reply = OUTPUT
    client = new_client(output_rails=[mirante.PersonalData()])
    assert OPENAI_WAYS[way][0](openai_client(provider, client), provider) == MASKED
    assert client.flush()
    assert ingest.response["output"] == MASKED and ingest.response["status"] == "ok"
    assert ingest.response["rails"] == [
        {"name": "personal_data", "stage": "output", "verdict": "flag", "detail": "CPF"}
    ]
    assert client.stats.errors == 0


@pytest.mark.parametrize("ask", [message, message_stream, message_helper])
def test_personal_data_in_anthropics_answer_is_masked(
    ask: Any, provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    provider.reply = OUTPUT
    client = new_client(output_rails=[mirante.PersonalData()])
    assert ask(anthropic_client(provider, client)) == MASKED
    assert client.flush()
    assert ingest.response["output"] == MASKED


@pytest.mark.parametrize("way", OPENAI_WAYS)
def test_a_blocked_answer_is_replaced_by_the_fallback_in_the_providers_own_form(
    way: str, provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    provider.reply = "The secret of project falcon is this."
    client = new_client(
        output_rails=[mirante.BannedTerms(["project falcon"], fallback="I cannot say.")]
    )
    assert OPENAI_WAYS[way][0](openai_client(provider, client), provider) == "I cannot say."
    assert client.flush()
    assert ingest.response["status"] == "blocked"
    assert ingest.response["rails"] == [
        {"name": "banned_terms", "stage": "output", "verdict": "block", "detail": "1 banned"}
    ]


@pytest.mark.parametrize("ask", [message, message_stream, message_helper])
def test_anthropics_blocked_answer_too(
    ask: Any, provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    provider.reply = "The secret of project falcon is this."
    client = new_client(
        output_rails=[mirante.BannedTerms(["project falcon"], fallback="I cannot say.")]
    )
    assert ask(anthropic_client(provider, client)) == "I cannot say."


@pytest.mark.parametrize("way", [w for w in OPENAI_WAYS if w != "chat raw"])
def test_a_killed_call_is_answered_by_the_fallback_without_the_provider(
    way: str, provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    ingest.control("feature:weather", "kill", reason="too dear")
    client = new_client(feature="weather", fallback={"kill_switch": "Closed."})
    assert OPENAI_WAYS[way][0](openai_client(provider, client), provider) == "Closed."
    assert client.flush()
    assert provider.requests == []
    assert ingest.response["status"] == "blocked" and "latency_ms" not in ingest.response
    assert ingest.response["rails"] == [
        {
            "name": "kill_switch",
            "stage": "input",
            "verdict": "block",
            "detail": "feature:weather: too dear",
        }
    ]


@pytest.mark.parametrize("ask", [message, message_stream, message_helper])
def test_anthropics_killed_call_too(
    ask: Any, provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    ingest.control("global", "kill")
    client = new_client(fallback="Closed.")
    assert ask(anthropic_client(provider, client)) == "Closed."
    assert provider.requests == []


@pytest.mark.parametrize(
    "ask", [achat, achat_stream, achat_helper, aresponses, aresponses_stream, aresponses_helper]
)
async def test_asynchronous_killed_calls_too(
    ask: Any, provider: Provider, ingest: Ingest, new_async_client: NewAsyncClient
) -> None:
    ingest.control("model:gpt-4o", "kill")
    client = new_async_client(fallback="Closed.")
    assert await ask(async_openai(provider, client)) == "Closed."
    assert provider.requests == []


@pytest.mark.parametrize("ask", [amessage, amessage_stream, amessage_helper])
async def test_anthropics_asynchronous_killed_calls_too(
    ask: Any, provider: Provider, ingest: Ingest, new_async_client: NewAsyncClient
) -> None:
    ingest.control("model:claude", "kill")
    assert await ask(async_anthropic(provider, new_async_client(fallback="Closed."))) == "Closed."
    assert provider.requests == []


def test_the_clients_own_retries_are_one_call(
    provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    client = new_client()
    assert (
        openai_client(provider, client)
        .chat.completions.create(model="flaky", messages=MESSAGES)
        .choices[0]
        .message.content
        == REPLY
    )
    assert client.flush()
    assert len(provider.requests) == 3
    assert (
        ingest.request["request_id"] == ingest.response["request_id"]
        and ingest.response["status"] == "ok"
    )


def test_exceptions_reach_the_caller_as_they_were_and_hold_no_key(
    provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    client = new_client()
    wrapped, claude = openai_client(provider, client), anthropic_client(provider, client)
    with pytest.raises(openai.AuthenticationError):
        wrapped.chat.completions.create(model="denied", messages=MESSAGES)
    with pytest.raises(anthropic.RateLimitError):
        claude.with_options(max_retries=0).messages.create(
            model="limited", max_tokens=5, messages=MESSAGES[1:]
        )
    assert client.flush()
    first, second = ingest.of("responses")
    assert (
        first["status"] == "error"
        and first["error"]["type"] == "openai.AuthenticationError"
        and first["error"]["code"] == 401
    )
    assert "sk-proj-abc" not in str(first) and "<SECRET>" in first["error"]["message"]
    assert second["error"]["code"] == 429 and second["error"]["type"] == "anthropic.RateLimitError"


def test_a_stream_that_breaks_raises_what_the_client_raises(
    provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    client = new_client()
    stream = openai_client(provider, client).chat.completions.create(
        model="break", messages=MESSAGES, stream=True
    )
    with pytest.raises(Exception, match=r".") as raised:
        list(stream)
    assert not isinstance(raised.value, mirante.MiranteError)
    assert client.flush()
    assert ingest.response["status"] == "error" and REPLY.startswith(ingest.response["output"])


def test_a_provider_that_hangs_is_given_up_in_time(
    provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    client = new_client(timeout=0.3)
    wrapped = openai_client(provider, client).with_options(max_retries=0)
    with pytest.raises(TimeoutError):
        wrapped.chat.completions.create(model="hang", messages=MESSAGES)
    stream = wrapped.chat.completions.create(model="drip", messages=MESSAGES, stream=True)
    with pytest.raises(TimeoutError):
        list(stream)
    assert client.flush()
    assert [response["status"] for response in ingest.of("responses")] == ["timeout", "timeout"]


def test_a_call_that_was_given_up_is_not_tried_again_behind_the_callers_back(
    provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    client = new_client(timeout=0.3)
    wrapped, claude = openai_client(provider, client), anthropic_client(provider, client)
    with pytest.raises(TimeoutError):
        wrapped.chat.completions.create(model="hang", messages=MESSAGES)
    with pytest.raises(TimeoutError):
        claude.messages.create(model="hang", max_tokens=5, messages=MESSAGES[1:])
    time.sleep(3)
    assert len(provider.requests) == 2


def test_a_shorter_timeout_of_the_providers_client_stays(
    provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    wrapped = openai_client(provider, new_client(timeout=30)).with_options(
        timeout=0.2, max_retries=0
    )
    with pytest.raises(openai.APITimeoutError):
        wrapped.chat.completions.create(model="hang", messages=MESSAGES)


async def test_a_hanging_provider_is_given_up_in_asyncio_too(
    provider: Provider, ingest: Ingest, new_async_client: NewAsyncClient
) -> None:
    client = new_async_client(timeout=0.3, fallback={"timeout": "Too slow."})
    wrapped = async_openai(provider, client).with_options(max_retries=0)
    assert (await wrapped.chat.completions.create(model="hang", messages=MESSAGES)).choices[
        0
    ].message.content == "Too slow."
    stream = await wrapped.chat.completions.create(model="drip", messages=MESSAGES, stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text.endswith("Too slow.") and REPLY.startswith(text.removesuffix("Too slow."))
    assert await client.flush()
    assert [response["status"] for response in ingest.of("responses")] == ["timeout", "timeout"]


def test_a_stream_left_early_is_cancelled(
    provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    client = new_client()
    with openai_client(provider, client).chat.completions.create(
        model="steady", messages=MESSAGES, stream=True
    ) as stream:
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
    assert client.flush()
    assert ingest.response["status"] == "cancelled" and ingest.response["output"] == REPLY[:7]


def test_the_given_client_stays_as_it_was(
    provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    plain = openai.OpenAI(base_url=provider.openai_url, api_key="k")
    wrapped = mirante.openai.wrap(plain, new_client())
    assert isinstance(wrapped, openai.OpenAI) and wrapped is not plain
    plain.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert ingest.of("requests") == []
    with pytest.raises(TypeError):
        mirante.openai.wrap(object(), new_client())


def test_context_and_defaults_name_the_call(
    provider: Provider, ingest: Ingest, new_client: NewClient
) -> None:
    client = new_client(tenant="acme")
    wrapped = openai_client(provider, client, feature="default")
    with mirante.context(session_id="s2", user_id="u2"), mirante.context(feature="inner"):
        wrapped.chat.completions.create(model="gpt-4o", messages=MESSAGES)
        wrapped.chat.completions.create(
            model="gpt-4o", messages=MESSAGES, user="u3", mirante={"feature": "nearest"}
        )  # type: ignore[call-overload]
    assert client.flush()
    first, second = ingest.of("requests")
    assert [first[n] for n in ("tenant", "session_id", "user_id", "feature")] == [
        "acme",
        "s2",
        "u2",
        "inner",
    ]
    assert [second[n] for n in ("tenant", "session_id", "user_id", "feature")] == [
        "acme",
        "s2",
        "u3",
        "nearest",
    ]


@pytest.fixture(autouse=True)
def no_warning_about_lost_coroutines(recwarn: pytest.WarningsRecorder) -> Iterator[None]:
    yield
    assert not [w for w in recwarn if "never awaited" in str(w.message)]
