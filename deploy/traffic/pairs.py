"""One request and its response from token counts: what a trace of inference requests lets one say, and no more.

The traces record no latency, so it is modelled: the time to first token grows with the tokens that had to be
read (cached ones excepted), then every token takes its time; both with a jitter of +-20 % taken from the row's
id, so that the same row always gets the same latency. No text is invented: `messages` is empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from deploy.traffic.record import REQUESTS, RESPONSES, TimedRecord, rfc3339


@dataclass(frozen=True, slots=True)
class Profile:
    """What a trace does not say about its calls, chosen once per file."""

    tenant: str
    feature: str
    provider: str
    model: str
    ttft_ms: float = 180.0
    """Time to first token of an empty prompt."""
    input_ms_per_token: float = 0.05
    output_ms_per_token: float = 11.0
    timeout_ms: int = 120_000


def interaction(
    profile: Profile,
    ident: str,
    session: str,
    at_us: int,
    input_tokens: int,
    output_tokens: int,
    cache_read_tokens: int = 0,
) -> tuple[TimedRecord, TimedRecord]:
    """The request at `at_us` and its response `latency_ms` later. `ident`: 32 hexadecimal digits, unique."""
    jitter = 0.8 + int(ident[:4], 16) / 65535 * 0.4
    ttft_ms = round((profile.ttft_ms + profile.input_ms_per_token * (input_tokens - cache_read_tokens)) * jitter)
    latency_ms = ttft_ms + round(profile.output_ms_per_token * output_tokens * jitter)
    ended_us = at_us + latency_ms * 1000
    request_id = f"req-{ident}"
    key = session.encode()
    request = {
        "event_id": f"{ident}-q",
        "time": rfc3339(at_us),
        "session_id": session,
        "request_id": request_id,
        "tenant": profile.tenant,
        "feature": profile.feature,
        "environment": "production",
        "operation": "chat",
        "provider": profile.provider,
        "model": profile.model,
        "messages": [],
        "timeout_ms": profile.timeout_ms,
    }
    usage = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    if cache_read_tokens:
        usage["cache_read_tokens"] = cache_read_tokens
    response = {
        "event_id": f"{ident}-a",
        "time": rfc3339(ended_us),
        "session_id": session,
        "request_id": request_id,
        "response_id": f"resp-{ident}",
        "tenant": profile.tenant,
        "model": profile.model,
        "status": "ok",
        "finish_reason": "stop",
        "usage": usage,
        "latency_ms": latency_ms,
        "ttft_ms": ttft_ms,
    }
    return (
        TimedRecord(at_us / 1e6, REQUESTS, key, orjson.dumps(request)),
        TimedRecord(ended_us / 1e6, RESPONSES, key, orjson.dumps(response)),
    )
