"""Microseconds to decode one event: the usual one, and those that take the careful way.

`python -m tests.bench.decode [--smoke]`. The second figure is how many times the usual event's that is.
"""

from __future__ import annotations

import argparse
import json
from timeit import repeat
from typing import Any

from schemas.decoding import DECODERS
from tests.bench import smoke

TIME = "2026-03-01T12:00:00.250Z"
EVENTS: dict[str, dict[str, Any]] = {
    "requests": {
        "event_id": "q-0123456789", "time": TIME, "request_id": "r-0123456789", "tenant": "acme",
        "session_id": "s-0123456789", "feature": "support", "environment": "prod", "user_id": "u1",
        "operation": "chat", "provider": "openai", "model": "gpt-4o-mini",
        "prompt": {"name": "support", "sha": "3f786850"}, "timeout_ms": 30000,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant. " * 10},
            {"role": "user", "content": "Onde está meu pedido? " * 12},
        ],
        "params": {"temperature": 0.2, "max_tokens": 500},
    },
    "responses": {
        "event_id": "a-0123456789", "time": TIME, "request_id": "r-0123456789", "tenant": "acme",
        "response_id": "p-0123456789", "status": "ok", "session_id": "s-0123456789",
        "model": "gpt-4o-mini-2024-07-18", "finish_reason": "stop", "latency_ms": 1399.5, "ttft_ms": 211.5,
        "output": "Seu pedido está a caminho. " * 20,
        "usage": {"input_tokens": 1000, "output_tokens": 100, "cache_read_tokens": 0},
    },
}  # fmt: skip
ODD: dict[str, dict[str, Any]] = {"requests": {"timeout_ms": 0}, "responses": {"latency_ms": -1}}


USAGE: dict[str, dict[str, Any]] = {
    "OpenAI's usage": {
        "prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    },
    "Anthropic's usage": {
        "input_tokens": 1000, "output_tokens": 100,
        "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "service_tier": "standard",
    },
    "Gemini's usage": {
        "promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1000}],
    },
}  # fmt: skip


def variants(kind: str) -> dict[str, bytes]:
    event = EVENTS[kind]
    usual = json.dumps(event).encode()
    raw = USAGE if kind == "responses" else {}
    return {
        "usual": usual,
        "unknown field": json.dumps(event | {"novelty": 1}).encode(),
        "odd field": json.dumps(event | ODD[kind]).encode(),
        "half surrogate": usual.replace(b'"acme"', b'"acme \\ud83d"'),
        "Confluent framing": b"\x00\x00\x00\x00\x11" + usual,
        **{name: json.dumps(event | {"usage": usage}).encode() for name, usage in raw.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    number, times = (10, 1) if smoke.parse(parser).smoke else (3_000, 15)
    for kind in EVENTS:
        decode, usual = DECODERS[kind], 0.0
        for name, value in variants(kind).items():
            took = min(repeat(lambda d=decode, v=value: d(v), number=number, repeat=times))
            micros = took / number * 1e6
            usual = usual or micros
            print(f"{kind:10} {name:18} {micros:6.2f} us  {micros / usual:5.1f}")


if __name__ == "__main__":
    main()
