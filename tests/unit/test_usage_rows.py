"""From a published response to its row: usage in providers' shapes, the tier and region that
served, and what it cost.

Amounts are computed by hand from the providers' price pages of November 2026, in USD per million
tokens.
"""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given

from agents.interactions.join import WaitingResponse
from schemas.aggregates import Aggregate, Contribution
from schemas.decoding import decode_request_with_unknown, decode_response_with_unknown
from schemas.rows import InteractionRow
from streams.deadletters import Origin
from tests.unit.builders import priced
from tests.unit.test_usage import ANYTHING

TIME = "2026-11-20T10:00:00Z"


def call(
    provider: str, model: str, params: dict[str, Any] | None = None, **response: Any
) -> tuple[InteractionRow, Contribution]:
    ids = {"time": TIME, "request_id": "q"}
    asked = {**ids, "event_id": "e1", "provider": provider, "model": model, "params": params}
    said = {**ids, "event_id": "e2", "response_id": "a", "status": "ok", "output": "hi", **response}
    row, item, _ = priced(
        *decode_request_with_unknown(json.dumps(asked).encode()),
        *decode_response_with_unknown(json.dumps(said).encode()),
    )
    return row, item


def usd(row: InteractionRow) -> Decimal | None:
    return None if row.cost_usd is None else Decimal(row.cost_usd).normalize()


@pytest.mark.parametrize(
    ("provider", "model", "usage", "expected"),
    [
        # Claude Haiku 4.5: input 1, cache read 0.1, write 1.25 (1 h: 2), output 5; a web search
        # 0.01
        (
            "anthropic",
            "claude-haiku-4-5",
            {
                "input_tokens": 10,
                "output_tokens": 200,
                "cache_creation_input_tokens": 3000,
                "cache_read_input_tokens": 40_000,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 1000,
                    "ephemeral_1h_input_tokens": 2000,
                },
                "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 4},
                "service_tier": "standard",
            },
            # 10 x 1 + 1000 x 1.25 + 2000 x 2 + 40000 x 0.1 + 200 x 5, and two searches of 0.01
            "0.03026",
        ),
        (
            "anthropic",
            "claude-haiku-4-5",
            {
                "input_tokens": 3010,
                "output_tokens": 0,
                "cache_write_tokens": 3000,
                "cache_creation": {"ephemeral_1h_input_tokens": 3000},
            },
            "0.00601",
        ),
        # GPT-4o: input 2.5, cached 1.25, output 10
        (
            "openai",
            "gpt-4o-2024-08-06",
            {
                "prompt_tokens": 2000,
                "completion_tokens": 100,
                "total_tokens": 2100,
                "prompt_tokens_details": {"cached_tokens": 1000, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0},
            },
            "0.00475",
        ),
        # GPT-5: input 1.25, cached 0.125, output 10
        (
            "openai",
            "gpt-5",
            {
                "input_tokens": 2000,
                "output_tokens": 300,
                "total_tokens": 2300,
                "input_tokens_details": {"cached_tokens": 1000},
                "output_tokens_details": {"reasoning_tokens": 200},
            },
            "0.004375",
        ),
        # gpt-realtime: text 4 and 16, audio 32 and 64
        (
            "openai",
            "gpt-realtime",
            {
                "input_tokens": 1000,
                "output_tokens": 500,
                "total_tokens": 1500,
                "input_token_details": {
                    "text_tokens": 100,
                    "audio_tokens": 900,
                    "cached_tokens": 0,
                },
                "output_token_details": {"text_tokens": 100, "audio_tokens": 400},
            },
            "0.0564",
        ),
        # and cached: text 0.4, audio 0.4
        (
            "openai",
            "gpt-realtime",
            {
                "input_tokens": 1000,
                "output_tokens": 0,
                "total_tokens": 1000,
                "input_token_details": {
                    "text_tokens": 200,
                    "audio_tokens": 800,
                    "cached_tokens": 600,
                    "cached_tokens_details": {"text_tokens": 100, "audio_tokens": 500},
                },
            },
            "0.01024",  # 100 x 4 + 300 x 32 + 600 x 0.4
        ),
        # Gemini 2.5 Flash: text 0.3, audio 1, output with thoughts 2.5
        (
            "google",
            "gemini-2.5-flash",
            {
                "promptTokenCount": 1000,
                "candidatesTokenCount": 100,
                "thoughtsTokenCount": 300,
                "totalTokenCount": 1400,
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 400},
                    {"modality": "AUDIO", "tokenCount": 600},
                ],
            },
            "0.00172",
        ),
        # Mistral Large 3: 0.5 and 1.5
        (
            "mistral",
            "mistral-large-2512",
            {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200},
            "0.0008",
        ),
        # Command R+ 08-2024: 2.5 and 10; what is billed, not what was processed
        (
            "cohere",
            "command-r-plus-08-2024",
            {
                "billed_units": {"input_tokens": 1000.0, "output_tokens": 100.0},
                "tokens": {"input_tokens": 1200.0, "output_tokens": 102.0},
            },
            "0.0035",
        ),
    ],
)
def test_what_the_sdk_returned_is_priced_whole(
    provider: str, model: str, usage: dict[str, Any], expected: str
) -> None:
    row, item = call(provider, model, usage=usage)
    assert (usd(row), row.cost_source, row.usage_unknown) == (Decimal(expected), "computed", [])
    assert item.picodollars == Decimal(expected).scaleb(12)
    assert not item.partial


def test_what_is_not_understood_makes_the_cost_a_lower_bound_and_is_named() -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "hologram_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    row, item = call("openai", "gpt-4o-2024-08-06", usage=usage)
    assert (usd(row), row.cost_source, row.usage_unknown) == (
        Decimal("0.0035"),
        "partial",
        ["hologram_tokens"],
    )
    assert json.loads(row.extra) == {"response": {"usage": {"hologram_tokens": 5}}}
    sums = Aggregate()
    sums.add(item)
    assert (sums.partial, sums.unpriced, sums.cost) == (1, 0, Decimal("0.0035"))


def test_parts_that_exceed_the_whole_make_the_cost_a_lower_bound() -> None:
    row, _ = call(
        "openai",
        "gpt-4o-2024-08-06",
        usage={"input_tokens": 10, "output_tokens": 5, "cache_read_tokens": 90},
    )
    assert (row.cost_source, row.usage_unknown) == ("partial", ["cache_read_tokens"])


def test_an_odd_count_is_null_and_named_and_what_is_left_is_a_lower_bound() -> None:
    row, _ = call(
        "openai", "gpt-4o-2024-08-06", usage={"prompt_tokens": -10, "completion_tokens": 100}
    )
    assert (row.input_tokens, row.output_tokens, row.odd_fields) == (
        None,
        100,
        ["usage.prompt_tokens"],
    )
    assert (usd(row), row.cost_source, row.usage_unknown) == (
        Decimal("0.001"),
        "partial",
        ["prompt_tokens"],
    )


def test_the_tier_that_served_is_what_is_billed() -> None:
    usage = {"input_tokens": 100_000, "output_tokens": 10_000}
    asked = {"service_tier": "priority"}
    served, _ = call("openai", "gpt-5", params=asked, usage=usage, service_tier="default")
    unsaid, _ = call("openai", "gpt-5", params=asked, usage=usage)
    within, _ = call(
        "openai",
        "gpt-5",
        params=asked,
        usage={"prompt_tokens": 100_000, "completion_tokens": 10_000, "service_tier": "flex"},
    )
    assert [(usd(row), row.service_tier) for row in (served, unsaid, within)] == [
        (Decimal("0.225"), "default"),
        (Decimal("0.45"), ""),
        (Decimal("0.1125"), "flex"),
    ]


def test_the_response_says_more_surely_than_its_usage_where_it_was_served() -> None:
    usage = {
        "input_tokens": 1,
        "output_tokens": 1,
        "inference_geo": "us",
        "service_tier": "standard",
    }
    assert call("anthropic", "claude-haiku-4-5", usage=usage)[0].region == "us"
    row, _ = call(
        "anthropic", "claude-haiku-4-5", usage=usage, region="global", service_tier="batch"
    )
    assert (row.region, row.service_tier) == ("global", "batch")


def test_a_reported_cost_is_trusted_unless_it_is_nothing_for_something() -> None:
    usage = {"input_tokens": 1000, "output_tokens": 0}
    assert (
        call("openai", "gpt-4o-2024-08-06", usage=usage, cost_usd=0.5)[0].cost_source == "reported"
    )
    row, _ = call("openai", "gpt-4o-2024-08-06", usage=usage, cost_usd=0)
    assert (usd(row), row.cost_source) == (Decimal("0.0025"), "computed")
    row, item = call("openai", "a-model-nobody-sells", usage=usage, cost_usd=0)
    assert (usd(row), row.cost_source, item.unpriced) == (None, "unknown", True)
    assert call("openai", "gpt-4o-2024-08-06", cost_usd=0)[0].cost_source == "reported"
    assert (
        call("openai", "gpt-4o-2024-08-06", cost_usd=0, usage=usage, cache="hit")[0].cost_source
        == "reported"
    )


def test_what_a_waiting_response_says_of_its_usage_survives_a_checkpoint() -> None:
    value = json.dumps(
        {
            "event_id": "e",
            "time": TIME,
            "request_id": "q",
            "response_id": "a",
            "status": "ok",
            "usage": {"promptTokenCount": 5, "totalTokenCount": 9, "trafficType": "ON_DEMAND"},
        }
    ).encode()
    response, extra = decode_response_with_unknown(value)
    origin = Origin("t", 0, 1, 2, None, None, ())
    waiting = WaitingResponse(response, extra, 1.0, origin)
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(waiting), type=WaitingResponse)
    assert restored.response == response
    assert restored.response.service_tier == "ON_DEMAND"
    assert restored.extra is not None
    assert restored.extra.usage_unknown == ["totalTokenCount"]


@given(ANYTHING)
def test_usage_is_read_the_same_by_the_short_way_and_by_the_long_one(usage: dict[str, Any]) -> None:
    """An unknown field beside the usage makes the decoder take the whole event apart."""
    said = {
        "event_id": "e",
        "time": TIME,
        "request_id": "q",
        "response_id": "a",
        "status": "ok",
        "usage": usage,
    }
    short, beyond = decode_response_with_unknown(json.dumps(said).encode())
    long, further = decode_response_with_unknown(json.dumps({**said, "zone": 1}).encode())
    assert short == long
    assert further is not None
    text = json.loads(further.text or b"{}")
    assert text.pop("zone") == 1
    assert text == json.loads((beyond and beyond.text) or b"{}")
    assert (further.odd_fields, further.usage_unknown) == (
        (beyond.odd_fields, beyond.usage_unknown) if beyond else ([], [])
    )
