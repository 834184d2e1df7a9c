"""Load for benchmarks and exactness checks: pre-serialised pairs of about 1 kB an event, and what they must add up to.

Pair number i is a closed formula of i (`Load.tokens`, `Load.series_of`), so the truth per series and per window is
computed here without reading what was published.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from deploy.traffic.record import REQUESTS, RESPONSES, TimedRecord, in_time_order, rfc3339

MODELS = (
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4.1"),
    ("anthropic", "claude-sonnet-4-5"),
    ("google", "gemini-2.5-flash"),
)
TENANTS = 3
_FILL = "The quick brown fox jumps over the lazy dog while the customer waits for an answer about the order. "


class Series(NamedTuple):
    """What tells one series of the load from another; everything else is equal."""

    tenant: str
    feature: str
    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over interactions."""

    requests: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Load:
    """`pairs` requests, each with its response, the first at `start_us`, `rate` pairs per second of event time.

    The same `run` gives the same ids. `session_pairs` consecutive pairs of a series share a session (and so a key).
    """

    pairs: int
    run: str
    start_us: int
    rate: float = 1000.0
    series: int = 12
    session_pairs: int = 4
    event_bytes: int = 1000

    def series_of(self, pair: int) -> Series:
        """The series of a pair: `series` different ones in turn."""
        number = pair % self.series
        provider, model = MODELS[number % len(MODELS)]
        return Series(f"load-{number % TENANTS}", f"bench-{number}", provider, model)

    def tokens(self, pair: int) -> tuple[int, int]:
        """(input tokens, output tokens) of a pair."""
        return 200 + pair * 7919 % 3001, 20 + pair * 104_729 % 701

    def time_us(self, pair: int) -> int:
        """When the request is made, microseconds since the epoch."""
        return self.start_us + int(pair * 1e6 / self.rate)

    def latency_ms(self, pair: int) -> int:
        """How long the answer takes: 300 to 1299 ms."""
        return 300 + pair * 613 % 1000

    def records(self) -> Iterator[TimedRecord]:
        """Requests and responses in time order: 2 x `pairs` records, all ids distinct."""
        return in_time_order(self._pairs())

    def _pairs(self) -> Iterator[tuple[TimedRecord, TimedRecord]]:
        requests, responses = zip(*(self._templates(number) for number in range(self.series)), strict=True)
        run, group = self.run, self.series * self.session_pairs
        for pair in range(self.pairs):
            number = pair % self.series
            at_us, latency = self.time_us(pair), self.latency_ms(pair)
            ended_us = at_us + latency * 1000
            ident = f"{run}-{pair:08x}"
            session = f"{run}-{pair // group:x}.{number:x}"
            used_in, used_out = self.tokens(pair)
            key = session.encode()
            request = requests[number] % (ident, rfc3339(at_us), session, ident)
            response = responses[number] % (
                ident, rfc3339(ended_us), session, ident, ident, used_in, used_out, latency, latency // 4
            )  # fmt: skip
            yield (
                TimedRecord(at_us / 1e6, REQUESTS, key, request.encode()),
                TimedRecord(ended_us / 1e6, RESPONSES, key, response.encode()),
            )

    def _templates(self, number: int) -> tuple[str, str]:
        tenant, feature, provider, model = self.series_of(number)
        request = (
            '{"event_id":"q-%s","time":"%s","session_id":"%s","request_id":"req-%s",'
            f'"tenant":"{tenant}","feature":"{feature}","environment":"production","operation":"chat",'
            f'"provider":"{provider}","model":"{model}","prompt":{{"name":"{feature}","sha":"{number:040x}"}},'
            '"params":{"temperature":0.2,"max_tokens":1024},"messages":[{"role":"user","content":"@"}]}'
        )
        response = (
            '{"event_id":"a-%s","time":"%s","session_id":"%s","request_id":"req-%s","response_id":"resp-%s",'
            f'"tenant":"{tenant}","model":"{model}","status":"ok","finish_reason":"stop",'
            '"usage":{"input_tokens":%d,"output_tokens":%d},"latency_ms":%d,"ttft_ms":%d,"output":"@"}'
        )
        return self._filled(request), self._filled(response)

    def _filled(self, template: str) -> str:
        """The template with text in place of @, so that an event has about `event_bytes` bytes."""
        missing = self.event_bytes - len(template) - 150
        text = (_FILL * (missing // len(_FILL) + 1))[:missing] if missing > 0 else ""
        return template.replace("@", text)

    def totals(self) -> Totals:
        """What all pairs add up to."""
        return self._sum(np.arange(self.pairs))

    def by_series(self) -> dict[Series, Totals]:
        """What each series adds up to."""
        return {
            self.series_of(number): self._sum(np.arange(number, self.pairs, self.series))
            for number in range(min(self.series, self.pairs))
        }

    def by_window(self, seconds: int) -> dict[tuple[int, Series], Totals]:
        """Totals per (window start in epoch seconds, series); a pair belongs to the window of its request's time."""
        result: dict[tuple[int, Series], Totals] = {}
        for number in range(min(self.series, self.pairs)):
            pairs = np.arange(number, self.pairs, self.series)
            # The same expression as `time_us`, so that a pair on a window's edge falls on the same side.
            times = self.start_us + (pairs * 1e6 / self.rate).astype(np.int64)
            windows = times // (seconds * 1_000_000) * seconds
            for window in np.unique(windows):
                result[int(window), self.series_of(number)] = self._sum(pairs[windows == window])
        return result

    def _sum(self, pairs: np.ndarray) -> Totals:
        return Totals(
            len(pairs),
            int((200 + pairs * 7919 % 3001).sum()),
            int((20 + pairs * 104_729 % 701).sum()),
        )
