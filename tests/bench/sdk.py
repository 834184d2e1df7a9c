"""What a guarded call of the SDK costs beside the model: `make sdk-bench`, or in its environment
`python -m tests.bench.sdk [--smoke]`.

The model is a function that returns at once, so all that is measured is overhead: switches, rails,
the thread that keeps the timeout, and both events up to the queue. Events go to an ingest on
loopback in the same process, which makes the figures worse rather than better.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import time
from typing import Any

import mirante

from tests.sdk.fakes import Ingest

LIMITS_MS = {"without text rails": 0.3, "all rails": 2.0}

PROSE = (
    "Good morning, I would like to know whether my order from last Tuesday has already been sent, "
    "because the tracking page still says that it is being prepared in the warehouse. My number is "
    "(11) 98765-4321, my CPF is 529.982.247-25 and you can write to ana.souza@example.com. "
)
MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant of a shop. Answer briefly."},
    {"role": "user", "content": PROSE},
    {
        "role": "assistant",
        "content": "Good morning! Could you tell me the number of the order? Then I will look.",
    },
    {"role": "user", "content": "It is 4711-B. " + PROSE},
]
SCHEMA = {
    "type": "object",
    "required": ["answer"],
    "properties": {"answer": {"type": "string"}, "order": {"type": ["string", "null"]}},
}
REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-2026",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {
                "role": "assistant",
                "content": '{"answer": "It left on Friday and arrives soon.", "order": "4711-B"}',
            },
        }
    ],
    "usage": {"prompt_tokens": 200, "completion_tokens": 20, "total_tokens": 220},
}
ALL_RAILS: dict[str, Any] = {
    "input_rails": [
        mirante.BannedTerms(["project falcon", "internal only", "price list"]),
        mirante.PersonalData(),
        mirante.Injection(),
    ],
    "output_rails": [
        mirante.JsonSchema(SCHEMA),
        mirante.BannedTerms(["project falcon", "internal only"]),
        mirante.PersonalData(),
    ],
}
FIELDS = {
    "model": "gpt-4o",
    "feature": "support",
    "user_id": "u1",
    "session_id": "s1",
    "messages": MESSAGES,
}


def measure_calls(client: mirante.Client, number: int, **options: Any) -> list[float]:
    """Milliseconds of each call."""

    def model(request: mirante.Request) -> Any:
        return REPLY

    taken = []
    for _ in range(number):
        begun = time.perf_counter()
        client.call(model, **FIELDS, **options)
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


async def measure_async(client: mirante.AsyncClient, number: int) -> list[float]:
    """Milliseconds of each call."""

    async def model(request: mirante.Request) -> Any:
        return REPLY

    taken = []
    for _ in range(number):
        begun = time.perf_counter()
        await client.call(model, **FIELDS)
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


def main() -> None:
    """Print a table; with --smoke few calls."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--smoke", action="store_true")
    number = 300 if arguments.parse_args().smoke else 5000
    ingest = Ingest()
    # A wide linger: what sends and what receives share the interpreter with what is measured.
    common: dict[str, Any] = {
        "endpoint": ingest.url,
        "token": "secret-token",
        "queue_events": 1_000_000,
        "queue_bytes": 1 << 30,
        "linger": 30.0,
    }
    rows: list[tuple[str, list[float], str | None]] = []
    ingest.control("feature:other", "kill")
    ingest.control("global", "throttle", limit=10_000_000)
    for name, rails in (("without text rails", {}), ("all rails", ALL_RAILS)):
        client = mirante.Client(**common, **rails)
        client.wait_for_controls()
        measure_calls(client, 50)
        gc.collect()
        rows.append((f"call, {name}", measure_calls(client, number), name))
        rows.append(
            (f"call without a timeout, {name}", measure_calls(client, number, timeout=None), name)
        )
        client.close(30)
        asynchronous = mirante.AsyncClient(**common, **rails)
        asynchronous._core.switches.wait(5)
        rows.append((f"async call, {name}", asyncio.run(measure_async(asynchronous, number)), name))
        asynchronous._finish(30)
    ingest.close()
    print(f"{number} calls each, two messages of 270 characters; milliseconds of overhead\n")
    print(f"{'':46}{'median':>8}{'p95':>8}{'p99':>8}{'aim':>8}")
    missed = []
    for label, taken, kind in rows:
        cuts = statistics.quantiles(taken, n=100)
        aim = LIMITS_MS[kind or ""]
        print(f"{label:46}{statistics.median(taken):8.3f}{cuts[94]:8.3f}{cuts[98]:8.3f}{aim:8.1f}")
        if statistics.median(taken) > aim:
            missed.append(label)
    print("\nmedian above the aim: " + (", ".join(missed) or "none"))


if __name__ == "__main__":
    main()
