"""Usage as providers' SDKs return it, published as it is: from the topic to the tables."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.installation import Installation, Sent, request, response

CAPTURED = json.loads((Path(__file__).parents[1] / "usages" / "captured.json").read_text("utf-8"))
USAGE: dict[str, dict[str, Any]] = {item["name"]: item["usage"] for item in CAPTURED}

# Captured usage, whose model it was, and what that costs in USD by the providers' price pages (per
# million tokens).
CALLS = {
    # 12 x 3 + 1,500 x 3.75 + 500 x 6 + 50,000 x 0.3 + 500 x 15, and three searches of 0.01
    "messages": ("anthropic", "claude-sonnet-4-5", "0.061161", "computed"),
    "js-messages": ("anthropic", "claude-sonnet-4-5", "0.061161", "computed"),
    "litellm-anthropic": ("anthropic", "claude-sonnet-4-5", "0.061161", "computed"),
    # 86 x 2.5 + 1,920 x 1.25 + 300 x 10
    "js-chat": ("openai", "gpt-4o-2024-08-06", "0.005615", "computed"),
    "ai-sdk-openai": ("openai", "gpt-4o-2024-08-06", "0.005615", "computed"),
    # 36 x 2.5 + 200 x 40 of audio, 50 x 10 + 400 x 80 of audio
    "chat-openai-audio": ("openai", "gpt-4o-audio-preview", "0.04059", "computed"),
    # 119 of text, of which 64 cached at 0.4, else 4; 13 x 32 of audio; 30 x 16 + 91 x 64 of audio
    "realtime": ("openai", "gpt-realtime", "0.0069656", "computed"),
    # 340 x 0.3 + 1,000 x 0.03 + 650 x 2.5
    "js-gemini": ("google", "gemini-2.5-flash", "0.001757", "computed"),
    # 7 x 1 + 400 x 1.25 + 200 x 2 + 885 x 0.1 + 313 x 5
    "bedrock-cache": (
        "aws.bedrock",
        "global.anthropic.claude-haiku-4-5-20251001-v1:0",
        "0.0025605",
        "computed",
    ),
    # 16 x 0.5 + 34 x 1.5, of which 8 at a tenth
    "mistral": ("mistral_ai", "mistral-large-2512", "0.0000554", "computed"),
    # 17 x 2.5 + 12 x 10
    "cohere-v2": ("cohere", "command-r-plus-08-2024", "0.0001625", "computed"),
    # what was said in seconds is not among the tokens: 4 x 0.5 + 635 x 1.5
    "mistral-audio": ("mistral_ai", "mistral-large-2512", "0.0009545", "partial"),
}


def test_the_usage_an_sdk_returned_is_stored_and_priced_whole(mirante: Installation) -> None:
    # Given services that publish what their SDK returned, without a look at it
    sent = []
    for name, (provider, model, _, _) in CALLS.items():
        common = {"tenant": "raw-usage", "session_id": f"s-{name}"}
        sent.append(
            Sent("requests", request(name, provider=provider, model=model, **common), f"s-{name}")
        )
        sent.append(
            Sent("responses", response(name, usage=USAGE[name], model=model, **common), f"s-{name}")
        )
    # When they are published
    mirante.publish(sent)
    # Then every call costs what its provider bills, and where that is not all, it says so and why
    columns = "request_id, toString(cost_usd), cost_source, usage_unknown"
    expected = [
        (
            name,
            cost,
            source,
            ["prompt_audio_seconds", "total_tokens"] if source == "partial" else [],
        )
        for name, (_, _, cost, source) in sorted(CALLS.items())
    ]
    of_answers = "FROM mirante.interactions WHERE tenant = 'raw-usage' AND outcome != 'unanswered'"
    mirante.eventually(f"SELECT {columns} {of_answers} ORDER BY request_id", expected)
    # And the row holds what was used, where it was served, and the windows count what is a lower
    # bound
    whole = (
        "SELECT input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, "
        "output_tokens, reasoning_tokens, "
        "usage_requests, service_tier, region FROM mirante.interactions WHERE tenant = "
        "'raw-usage' AND request_id = 'messages'"
    )
    mirante.eventually(
        whole, [(52012, 50000, 2000, 500, 500, 120, {"web_search": 3}, "standard", "global")]
    )
    windows = (
        "SELECT sum(requests), sum(partial_requests), sum(unpriced_requests), "
        "toString(sum(cost_usd)) FROM mirante.cost_windows "
        "WHERE tenant = 'raw-usage' AND window_seconds = 60"
    )
    total = sum(Decimal(cost) for _, _, cost, _ in CALLS.values())
    mirante.eventually(windows, [(len(CALLS), 1, 0, str(total))])
