"""A provider on loopback that writes down what it served: what Mirante must know of each call."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from genai_prices import Usage, calc_price

from tests.sdk.fakes import Provider

VERSIONS = {
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
}
"""Asked for -> the model that answers."""


class Served(NamedTuple):
    """One answer. Tokens as OpenTelemetry counts them: input with what came from caches, output
    with reasoning. Cost in USD, at today's list price."""

    operation: str
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: Decimal
    is_streamed: bool = False


class ServingProvider(Provider):
    """Each client calls it under a path of its own, `/CLIENT/...`; `served`: by client. No two
    answers have the same usage."""

    def __init__(self) -> None:
        self.served: dict[str, list[Served]] = {}
        super().__init__()

    def answered_by(self, document: dict[str, Any]) -> str:
        return VERSIONS.get(document["model"], document["model"])

    def usage(self, interface: str, number: int) -> dict[str, Any]:
        if interface == "embeddings":
            return {"prompt_tokens": 100 + number, "total_tokens": 100 + number}
        if interface == "messages":
            return {
                "input_tokens": 100 + number,
                "cache_read_input_tokens": 4_000 + number,
                "cache_creation_input_tokens": 30 + number,
                "output_tokens": 200 + number,
            }
        asked, answered = 2_000 + number, 300 + number
        return {
            "prompt_tokens": asked,
            "completion_tokens": answered,
            "total_tokens": asked + answered,
            "prompt_tokens_details": {"cached_tokens": 1_024 + number, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 64 + number, "audio_tokens": 0},
        }

    def wants_tool(self, document: dict[str, Any]) -> bool:
        """Once: not when it has been told the result."""
        content = document["messages"][-1]["content"]
        told = isinstance(content, list) and content[0].get("type") == "tool_result"
        return (
            bool(document.get("tools")) and document["messages"][-1]["role"] == "user" and not told
        )

    def _serve(
        self,
        handler: BaseHTTPRequestHandler,
        document: dict[str, Any],
        whole: dict[str, Any],
        events: Iterator[tuple[str | None, Any]],
        done: bytes = b"",
    ) -> None:
        client = handler.path.split("/")[1]
        answer = served(whole)._replace(is_streamed=bool(document.get("stream")))
        self.served.setdefault(client, []).append(answer)
        super()._serve(handler, document, whole, events, done)


def served(whole: dict[str, Any]) -> Served:
    """What an answer says of itself."""
    usage, model = whole["usage"], whole["model"]
    if whole["object" if "object" in whole else "type"] == "message":
        read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
        asked = usage["input_tokens"] + read + written
        counts = (asked, usage["output_tokens"], read, written, 0)
        return Served("chat", "anthropic", model, *counts, _cost("anthropic", model, *counts))
    operation = "embeddings" if whole["object"] == "list" else "chat"
    read = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
    reasoned = usage.get("completion_tokens_details", {}).get("reasoning_tokens", 0)
    counts = (usage["prompt_tokens"], usage.get("completion_tokens", 0), read, 0, reasoned)
    return Served(operation, "openai", model, *counts, _cost("openai", model, *counts))


def _cost(provider: str, model: str, *counts: int) -> Decimal:
    asked, answered, read, written, _ = counts
    usage = Usage(
        input_tokens=asked,
        output_tokens=answered,
        cache_read_tokens=read,
        cache_write_tokens=written,
    )
    return Decimal(calc_price(usage, model, provider_id=provider).total_price)
