"""Usage of every shape, as the SDKs return it (tests/usages) and as the providers document it, and
what Mirante counts of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from genai_prices.data import providers
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Usage
from schemas.usage import COUNTS, SHAPES, contradictions, normalise

CAPTURED = {
    item["name"]: item
    for item in json.loads(
        (Path(__file__).parents[1] / "usages" / "captured.json").read_text("utf-8")
    )
}


def counts(usage: dict[str, Any]) -> dict[str, int]:
    """The counts above zero, by short names."""
    return {
        name.removesuffix("_tokens"): count
        for name, count in normalise(usage).counts.items()
        if count
    }


def tokens(**expected: int) -> dict[str, int]:
    return expected


# What the numbers of tests/usages/capture.py mean by the providers' documentation.
OPENAI = tokens(input=2006, output=300, cache_read=1920, reasoning=192)
CLAUDE = tokens(
    input=52012, output=500, cache_read=50000, cache_write=2000, cache_write_1h=500, reasoning=120
)
GEMINI = tokens(input=1340, output=650, cache_read=1000, reasoning=450, input_image=258)
BEDROCK = tokens(input=1492, output=313, cache_read=885, cache_write=600, cache_write_1h=200)

EXPECTED: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "chat-openai": (OPENAI, {}),
    "chat-openai-unset": (OPENAI, {}),
    "js-chat": (OPENAI, {}),
    "litellm-openai": (OPENAI, {}),
    "langchain-openai": (OPENAI, {}),
    "ai-sdk-openai": (OPENAI, {}),
    "chat-openai-audio": (tokens(input=236, output=450, input_audio=200, output_audio=400), {}),
    "chat-deepseek": (tokens(input=1000, output=240, cache_read=640, reasoning=200), {}),
    "chat-xai": (tokens(input=32, output=103, cache_read=6, reasoning=94), {}),
    "chat-groq": (tokens(input=18, output=556), {}),
    "chat-openrouter": (tokens(input=10339, output=60, cache_read=10318), {"web_search": 2}),
    "chat-perplexity": (tokens(input=33, output=7163), {"web_search": 21}),
    "responses": (tokens(input=328, output=52, cache_read=128, cache_write=64, reasoning=30), {}),
    "js-responses": (
        tokens(input=328, output=52, cache_read=128, cache_write=64, reasoning=30),
        {},
    ),
    "embeddings": (tokens(input=8), {}),
    "images": (tokens(input=50, output=4160, input_image=40, output_image=4160), {}),
    "transcription": (tokens(input=14, output=45, input_audio=14), {}),
    "transcription-duration": ({}, {}),
    "realtime": (tokens(input=132, output=121, cache_read=64, input_audio=13, output_audio=91), {}),
    "messages": (CLAUDE, {"web_search": 3}),
    "messages-beta": (CLAUDE, {"web_search": 3}),
    "js-messages": (CLAUDE, {"web_search": 3}),
    "litellm-anthropic": (CLAUDE, {"web_search": 3}),
    "langchain-anthropic": (CLAUDE, {}),
    "ai-sdk-anthropic": (CLAUDE, {"web_search": 3}),
    "messages-compaction": (tokens(input=203000, output=4500), {}),
    "gemini": (GEMINI, {}),
    "gemini-json": (GEMINI, {}),
    "js-gemini": (GEMINI, {}),
    "mistral": (tokens(input=16, output=34, cache_read=8), {}),
    "js-mistral": (tokens(input=16, output=34, cache_read=8), {}),
    "mistral-audio": (tokens(input=4, output=635), {}),
    "cohere-v2": (tokens(input=17, output=12), {}),
    "js-cohere-v2": (tokens(input=17, output=12), {}),
    "cohere-v1": (tokens(input=5, output=418), {}),
    "cohere-rerank": ({}, {"search_units": 1}),
    "bedrock": (tokens(input=30, output=628), {}),
    "bedrock-cache": (BEDROCK, {}),
    "js-bedrock-cache": (BEDROCK, {}),
}

NOT_UNDERSTOOD = {
    "chat-perplexity": ["citation_tokens"],
    "transcription-duration": ["seconds"],  # by the minute
    "mistral-audio": ["prompt_audio_seconds", "total_tokens"],
}


@pytest.mark.parametrize("name", CAPTURED)
def test_what_an_sdk_returns_is_counted_as_its_provider_documents(name: str) -> None:
    usage = CAPTURED[name]["usage"]
    assert (counts(usage), normalise(usage).requests) == EXPECTED[name]
    assert normalise(usage).not_understood == NOT_UNDERSTOOD.get(name, [])
    assert normalise(usage).odd == []


ORACLE = {
    "chat-openai": ("openai", "chat", "usage"),
    "chat-openai-audio": ("openai", "chat", "usage"),
    "js-chat": ("openai", "chat", "usage"),
    "responses": ("openai", "responses", "usage"),
    "embeddings": ("openai", "embeddings", "usage"),
    "chat-deepseek": ("deepseek", "chat", "usage"),
    "chat-xai": ("x-ai", "chat", "usage"),
    "chat-groq": ("groq", "default", "usage"),
    "chat-openrouter": ("openrouter", "chat", "usage"),
    "messages": ("anthropic", "default", "usage"),
    "js-messages": ("anthropic", "default", "usage"),
    "js-gemini": ("google", "default", "usageMetadata"),
    "bedrock-cache": ("aws", "default", "usage"),
    "cohere-v2": ("cohere", "default", "usage"),
}
THEIRS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "reasoning": "output_reasoning_tokens",
    "input_audio": "input_audio_tokens",
    "output_audio": "output_audio_tokens",
    "input_image": "input_image_tokens",
}


@pytest.mark.parametrize("name", ORACLE)
def test_another_library_counts_the_same(name: str) -> None:
    """genai-prices reads usage by provider and API; Mirante is told neither."""
    provider, flavor, root = ORACLE[name]
    usage = CAPTURED[name]["usage"]
    (seller,) = (found for found in providers if found.id == provider)
    _, theirs = seller.extract_usage(
        {"model": "m", "modelVersion": "m", root: usage}, api_flavor=flavor
    )
    ours = counts(usage)
    for short, name_there in THEIRS.items():
        given = getattr(theirs, name_there, None)
        if given is not None:
            assert ours.get(short, 0) == given, short


@pytest.mark.parametrize(
    ("usage", "expected", "not_understood"),
    [
        # Our own shape, also with what people leave in of the provider's
        ({"input_tokens": 10, "output_tokens": 2}, tokens(input=10, output=2), []),
        (
            {
                "input_tokens": 110_000,
                "output_tokens": 1000,
                "cache_read_tokens": 0,
                "cache_write_tokens": 100_000,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 0,
                    "ephemeral_1h_input_tokens": 100_000,
                },
            },
            tokens(input=110_000, output=1000, cache_write=100_000, cache_write_1h=100_000),
            [],
        ),
        (
            {"input_tokens": 2, "output_tokens": 1, "total_tokens": 9},
            tokens(input=2, output=1),
            ["total_tokens"],
        ),
        (
            {"input_tokens": 2, "output_tokens": 1, "video_tokens": 9},
            tokens(input=2, output=1),
            ["video_tokens"],
        ),
        (
            {"input_tokens": 2, "output_tokens": 1, "latency_ms": 9, "cost": 0.1},
            tokens(input=2, output=1),
            [],
        ),
        # Anthropic (docs.anthropic.com, prompt caching: total input is the sum of the three)
        (
            {
                "input_tokens": 50,
                "output_tokens": 503,
                "cache_read_input_tokens": 100_000,
                "cache_creation_input_tokens": 248,
            },
            tokens(input=100_298, output=503, cache_read=100_000, cache_write=248),
            [],
        ),
        (
            {"input_tokens": 50, "output_tokens": 5, "cache_read_input_tokens": 9},
            tokens(input=59, output=5, cache_read=9),
            [],
        ),
        (
            {
                "input_tokens": 1,
                "output_tokens": 1,
                "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
            },
            tokens(input=8, output=1, cache_write=7, cache_write_1h=4),
            [],
        ),
        (
            {
                "input_tokens": 1,
                "output_tokens": 1,
                "cache_creation_input_tokens": 5,
                "cache_creation": {"ephemeral_1h_input_tokens": 8},
            },
            tokens(input=9, output=1, cache_write=8, cache_write_1h=8),
            ["cache_write_tokens"],
        ),
        (
            {
                "input_tokens": 1,
                "output_tokens": 1,
                "cache_read_input_tokens": 0,
                "iterations": [
                    {"type": "advisor_message", "model": "x", "input_tokens": 7, "output_tokens": 8}
                ],
            },
            tokens(input=1, output=1),
            [
                "iterations[advisor_message].input_tokens",
                "iterations[advisor_message].output_tokens",
            ],
        ),
        # OpenAI
        (
            {
                "prompt_tokens": 19,
                "completion_tokens": 10,
                "total_tokens": 29,
                "completion_tokens_details": {
                    "accepted_prediction_tokens": 3,
                    "rejected_prediction_tokens": 4,
                    "reasoning_tokens": 0,
                },
            },
            tokens(input=19, output=10),
            [],
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 99},
            tokens(input=9, output=1),
            ["total_tokens"],
        ),  # Gemini through OpenAI's protocol: its thoughts are in the total alone
        (
            {
                "input_tokens": 9,
                "output_tokens": 1,
                "input_tokens_details": {
                    "cached_tokens": 0,
                    "cache_write_tokens": 5,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 2, "ttl_12h_tokens": 3},
                },
            },
            tokens(input=9, output=1, cache_write=5),
            ["input_tokens_details.cache_write_tokens_details.ttl_12h_tokens"],
        ),
        (
            {
                "input_tokens": 99,
                "output_tokens": 1,
                "input_token_details": {
                    "audio_tokens": 80,
                    "cached_tokens": 64,
                    "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 64},
                },
            },
            tokens(input=99, output=1, input_audio=80, cache_read=64, cache_read_audio=64),
            [],
        ),
        # LangChain says by duration what was written, and then nothing of the whole
        (
            {
                "input_tokens": 9,
                "output_tokens": 1,
                "total_tokens": 10,
                "input_token_details": {"cache_creation": 0, "ephemeral_1h_input_tokens": 4},
            },
            tokens(input=9, output=1, cache_write=4, cache_write_1h=4),
            [],
        ),
        # DeepSeek: hit + miss are the prompt
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 1,
                "prompt_cache_hit_tokens": 6,
                "prompt_cache_miss_tokens": 3,
            },
            tokens(input=9, output=1, cache_read=6),
            [],
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 1,
                "prompt_cache_hit_tokens": 6,
                "prompt_tokens_details": {"cached_tokens": 5},
            },
            tokens(input=9, output=1, cache_read=6),
            ["prompt_tokens_details.cached_tokens"],
        ),
        # Gemini: audio, and a modality without a price of its own
        (
            {
                "promptTokenCount": 100,
                "candidatesTokenCount": 9,
                "totalTokenCount": 109,
                "promptTokensDetails": [
                    {"modality": "AUDIO", "tokenCount": 60},
                    {"modality": "DOCUMENT", "tokenCount": 40},
                ],
            },
            tokens(input=100, output=9, input_audio=60, input_image=40),
            [],
        ),
        (
            {
                "prompt_token_count": 100,
                "candidates_token_count": 9,
                "total_token_count": 109,
                "prompt_tokens_details": [{"modality": "VIDEO", "token_count": 100}],
            },
            tokens(input=100, output=9),
            ["prompt_tokens_details[VIDEO].token_count"],
        ),
        (
            {
                "promptTokenCount": 100,
                "candidatesTokenCount": 9,
                "cachedContentTokenCount": 70,
                "promptTokensDetails": [
                    {"modality": "AUDIO", "tokenCount": 60},
                    {"modality": "TEXT", "tokenCount": 40},
                ],
                "cacheTokensDetails": [
                    {"modality": "AUDIO", "tokenCount": 50},
                    {"modality": "TEXT", "tokenCount": 20},
                ],
            },
            tokens(input=100, output=9, input_audio=60, cache_read=70, cache_read_audio=50),
            [],
        ),
        ({"promptTokenCount": 5, "totalTokenCount": 5}, tokens(input=5), []),
        # Gemini's Interactions API
        (
            {
                "total_input_tokens": 100,
                "total_output_tokens": 9,
                "total_thought_tokens": 40,
                "total_tool_use_tokens": 5,
                "total_cached_tokens": 70,
                "total_tokens": 154,
                "input_tokens_by_modality": [
                    {"modality": "text", "tokens": 40},
                    {"modality": "audio", "tokens": 60},
                ],
                "cached_tokens_by_modality": [{"modality": "text", "tokens": 70}],
                "output_tokens_by_modality": [{"modality": "text", "tokens": 9}],
            },
            tokens(input=105, output=49, reasoning=40, cache_read=70, input_audio=60),
            [],
        ),
        # OpenAI's Agents SDK counts calls; pydantic-ai names what it does not know
        (
            {
                "requests": 1,
                "input_tokens": 9,
                "output_tokens": 1,
                "total_tokens": 10,
                "input_tokens_details": {"cached_tokens": 4},
                "output_tokens_details": {"reasoning_tokens": 0},
                "request_usage_entries": [{"input_tokens": 9, "output_tokens": 1}],
            },
            tokens(input=9, output=1, cache_read=4),
            [],
        ),
        (
            {
                "input_tokens": 9,
                "output_tokens": 3,
                "cache_read_tokens": 4,
                "input_audio_tokens": 0,
                "cache_audio_read_tokens": 0,
                "details": {"reasoning_tokens": 2},
            },
            tokens(input=9, output=3, cache_read=4, reasoning=2),
            [],
        ),
        # Bedrock: either total
        (
            {"inputTokens": 4, "outputTokens": 2, "totalTokens": 6, "cacheReadInputTokens": 9},
            tokens(input=13, output=2, cache_read=9),
            [],
        ),
        (
            {"inputTokens": 4, "outputTokens": 2, "totalTokens": 15, "cacheReadInputTokens": 9},
            tokens(input=13, output=2, cache_read=9),
            [],
        ),
        (
            {"inputTokens": 4, "outputTokens": 2, "totalTokens": 7, "cacheReadInputTokens": 9},
            tokens(input=13, output=2, cache_read=9),
            ["totalTokens"],
        ),
        # Cohere
        ({"tokens": {"input_tokens": 9.0, "output_tokens": 1.0}}, tokens(input=9, output=1), []),
        ({"billed_units": {"images": 2}}, {}, ["billed_units.images"]),
        # Vercel's AI SDK 5 does not say whose way of counting it is
        (
            {"inputTokens": 9, "outputTokens": 1, "totalTokens": 10, "cachedInputTokens": 4},
            tokens(input=9, output=1, cache_read=4),
            ["cachedInputTokens"],
        ),
        # Values that make no sense
        (
            {"prompt_tokens": -1, "completion_tokens": "7"},
            {},
            ["prompt_tokens", "completion_tokens"],
        ),
        ({"input_tokens": 1.5, "output_tokens": True}, {}, ["input_tokens", "output_tokens"]),
        (
            {"input_tokens": 1000.0, "output_tokens": 1, "requests": {"web_search": -2}},
            tokens(input=1000, output=1),
            ["requests.web_search"],
        ),
    ],
)
def test_documented_cases(
    usage: dict[str, Any], expected: dict[str, int], not_understood: list[str]
) -> None:
    assert counts(usage) == expected
    assert normalise(usage).not_understood == not_understood


def test_the_tier_and_the_region_that_served_are_taken_from_where_the_sdks_put_them() -> None:
    assert normalise(CAPTURED["messages"]["usage"])[3:5] == ("standard", "global")
    assert normalise(CAPTURED["js-gemini"]["usage"]).service_tier == "ON_DEMAND"
    fast = {
        "input_tokens": 1,
        "output_tokens": 1,
        "service_tier": "standard",
        "speed": "fast",
        "inference_geo": "not_available",
    }
    assert normalise(fast)[3:5] == ("fast", None)


def test_times_and_rates_are_kept_and_cost_nothing() -> None:
    """As SambaNova and Azure add them."""
    measured = {
        "total_latency": 0.9,
        "time_to_first_token": 0.1,
        "completion_tokens_per_sec": 210.5,
        "acceptance_rate": 3.1,
        "latency_checkpoint": {"engine_ttft_ms": 12, "total_duration_ms": 80},
    }
    found = normalise({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, **measured})
    assert (found.not_understood, found.rest) == ([], measured)


def test_a_service_may_add_what_is_charged_by_the_piece() -> None:
    searched = {**CAPTURED["js-chat"]["usage"], "requests": {"web_search": 2}}
    assert normalise(searched).requests == {"web_search": 2}
    assert normalise({**CAPTURED["messages"]["usage"], "requests": {"x": 1}}).requests == {
        "web_search": 3,
        "x": 1,
    }
    mistral = {"prompt_tokens": 1, "completion_tokens": 1, "connectors": {"web_search": 1}}
    assert normalise(mistral).requests == {"web_search": 1}


def test_names_that_could_be_personal_data_are_not_shown() -> None:
    found = normalise({"input_tokens": 1, "ana@example.org": 2, "requests": {"ana@example.org": 1}})
    assert found.not_understood == ["*", "requests.*"]
    assert found.requests == {}


def test_what_no_count_holds_is_kept() -> None:
    rest = normalise(CAPTURED["chat-groq"]["usage"]).rest
    assert rest["queue_time"] == 0.037493756
    assert normalise({"input_tokens": 1, "output_tokens": 1, "note": "batch 7"}).rest == {
        "note": "batch 7"
    }
    assert normalise(CAPTURED["responses"]["usage"]).rest == {}


OWN = st.fixed_dictionaries({}, optional=dict.fromkeys(COUNTS, st.none() | st.integers(0, 10**9)))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**13), 10**13)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
)
KEYS = st.sampled_from(
    sorted(
        {
            step.partition("[")[0]
            for shape in SHAPES
            for path in shape.fields
            for step in path.split(".")
        }
        | {"x", "raw", "modality"}
    )
)
ANYTHING = st.dictionaries(
    KEYS,
    st.recursive(
        LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
    ),
)


@given(OWN)
def test_our_own_shape_stays_as_it_is(usage: dict[str, int | None]) -> None:
    given = {name: count for name, count in usage.items() if count is not None}
    assert normalise(usage).counts == given


@given(ANYTHING)
def test_whatever_comes_is_read_and_reading_it_again_changes_nothing(usage: dict[str, Any]) -> None:
    found = normalise(usage)
    assert set(found.counts) <= set(COUNTS)
    assert all(0 <= count <= 10**12 for count in found.counts.values())
    assert set(found.odd) <= set(found.not_understood) or len(found.not_understood) == 20
    again = normalise({**found.counts, "requests": found.requests})
    assert (again.counts, again.requests, again.not_understood) == (
        found.counts,
        found.requests,
        [],
    )


COUNT = st.integers(0, 10**6)


@given(COUNT, COUNT, COUNT, COUNT, COUNT)
def test_one_call_is_counted_the_same_in_every_shape(
    uncached: int, read: int, short: int, hour: int, out: int
) -> None:
    """Given a call's true tokens, when each provider tells of it in its way, then no token is lost
    and none counted twice."""
    written, total = short + hour, uncached + read + short + hour
    shapes = [
        {
            "input_tokens": uncached,
            "output_tokens": out,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "cache_creation": {
                "ephemeral_5m_input_tokens": short,
                "ephemeral_1h_input_tokens": hour,
            },
        },
        {
            "inputTokens": uncached,
            "outputTokens": out,
            "totalTokens": total + out,
            "cacheReadInputTokens": read,
            "cacheWriteInputTokens": written,
            "cacheDetails": [
                {"ttl": "5m", "inputTokens": short},
                {"ttl": "1h", "inputTokens": hour},
            ],
        },
        {
            "input_tokens": total,
            "output_tokens": out,
            "total_tokens": total + out,
            "input_token_details": {
                "cache_read": read,
                "cache_creation": 0,
                "ephemeral_5m_input_tokens": short,
                "ephemeral_1h_input_tokens": hour,
            },
        },
        {
            "prompt_tokens": total,
            "completion_tokens": out,
            "total_tokens": total + out,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "cache_creation": {"ephemeral_1h_input_tokens": hour},
        },
        {
            "input_tokens": total,
            "output_tokens": out,
            "cache_read_tokens": read,
            "cache_write_tokens": written,
            "cache_write_1h_tokens": hour,
        },
    ]
    parts = tokens(
        input=total, output=out, cache_read=read, cache_write=written, cache_write_1h=hour
    )
    expected = {name: count for name, count in parts.items() if count}
    for usage in shapes:
        assert counts(usage) == expected, usage
        assert normalise(usage).not_understood == [], usage


@given(COUNT, COUNT, COUNT, COUNT)
def test_thoughts_are_output_once(prompt: int, answer: int, thoughts: int, tools: int) -> None:
    gemini = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": answer,
        "thoughtsTokenCount": thoughts,
        "toolUsePromptTokenCount": tools,
        "totalTokenCount": prompt + answer + thoughts + tools,
    }
    chat = {
        "prompt_tokens": prompt + tools,
        "completion_tokens_details": {"reasoning_tokens": thoughts},
    }
    openai = {
        **chat,
        "completion_tokens": answer + thoughts,
        "total_tokens": prompt + tools + answer + thoughts,
    }
    xai = {**chat, "completion_tokens": answer, "total_tokens": prompt + tools + answer + thoughts}
    parts = tokens(input=prompt + tools, output=answer + thoughts, reasoning=thoughts)
    for usage in (gemini, openai, xai):
        assert counts(usage) == {name: count for name, count in parts.items() if count}
        assert normalise(usage).not_understood == []


def test_parts_that_exceed_their_whole_are_named() -> None:
    assert (
        contradictions(
            Usage(input_tokens=5, output_tokens=5, cache_read_tokens=5, reasoning_tokens=5)
        )
        == []
    )
    assert contradictions(Usage(input_tokens=5, cache_read_tokens=6)) == ["cache_read_tokens"]
    assert contradictions(Usage(input_tokens=5, cache_write_tokens=6)) == ["cache_write_tokens"]
    heard = Usage(input_tokens=5, cache_read_tokens=1, cache_read_audio_tokens=2)
    assert contradictions(heard) == ["cache_read_audio_tokens"]
    assert contradictions(Usage(output_tokens=5, reasoning_tokens=6)) == ["reasoning_tokens"]
    assert contradictions(Usage(input_tokens=5, cache_write_tokens=1, cache_write_1h_tokens=2)) == [
        "cache_write_1h_tokens"
    ]
    assert contradictions(Usage(input_tokens=5, input_audio_tokens=3, input_image_tokens=3)) == [
        "input_audio_tokens"
    ]
    assert contradictions(Usage(output_tokens=5, output_image_tokens=6)) == ["output_image_tokens"]


def test_every_shape_names_its_source_and_is_recognised_by_what_it_knows() -> None:
    for shape in SHAPES:
        assert shape.source
        tops = {path.partition(".")[0].partition("[")[0] for path in shape.fields}
        snake = {mark for mark in shape.marks if mark.islower()}
        assert snake <= tops | {"citation_tokens"}, shape.name
