"""What published records must lead to, derived from them alone.

It knows the public contract and nothing of the product: not how it joins, forwards, counts or prices. Prices come from ``genai-prices``
itself: one price per model and kind of token, asked for once and then multiplied exactly.

It speaks of traffic in which every call has a request_id of its own and no answer comes after the time in which it is accepted.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from genai_prices import Usage, calc_price

from tests.chaos.records import Stored

WINDOWS = (10, 60, 3_600, 86_400)
"""Seconds, as the table says."""

REQUIRED = {
    "requests": ("event_id", "time", "request_id", "model"),
    "responses": ("event_id", "time", "request_id", "response_id", "status"),
    "feedback": ("event_id", "time", "kind"),
    "evaluations": ("event_id", "time", "response_id", "name", "score"),
}

Event = dict[str, Any]


class Prices(NamedTuple):
    """Picodollars per token."""

    input: int
    cached: int
    output: int


@cache
def prices(provider: str, model: str, day: str) -> Prices:
    """Of an ordinary call on a day (ISO), as genai-prices says."""
    at = datetime.fromisoformat(f"{day}T12:00:00+00:00")

    def pico(usage: Usage) -> int:
        total = calc_price(usage, model, provider_id=provider, genai_request_timestamp=at).total_price.scaleb(12) / 1_000
        assert total == int(total), f"{model}: {total} picodollars a token"
        return int(total)

    return Prices(
        pico(Usage(input_tokens=1_000)), pico(Usage(input_tokens=1_000, cache_read_tokens=1_000)), pico(Usage(output_tokens=1_000))
    )


class Series(NamedTuple):
    """What a window is about."""

    tenant: str
    feature: str
    provider: str
    model: str


@dataclass
class Interaction:
    """A call as its row must be. ``cost``: picodollars; None if nothing was said."""

    request_id: str
    request_event_id: str
    tenant: str
    time: float
    series: Series
    response_event_id: str = ""
    response_id: str = ""
    outcome: str = "unanswered"
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost: int | None = None


class Totals(NamedTuple):
    """Sums over interactions; ``cost`` in picodollars."""

    requests: int = 0
    ok: int = 0
    unanswered: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost: int = 0


Position = tuple[str, int, int]
"""Topic, partition, offset."""


@dataclass
class Expected:
    """What the tables must hold."""

    interactions: dict[str, Interaction] = field(default_factory=dict)
    """By request_id."""
    feedback: set[str] = field(default_factory=set)
    evaluations: set[str] = field(default_factory=set)
    dead: set[Position] = field(default_factory=set)
    """Records that are no event, whatever else there is."""
    orphans: dict[str, set[Position]] = field(default_factory=dict)
    """event_id -> where the responses lie that answer nothing: one of them is a dead letter, the others are its repeats."""
    records: Counter[str] = field(default_factory=Counter)
    repeats: Counter[str] = field(default_factory=Counter)
    """By topic."""

    def windows(self, seconds: int) -> Mapping[tuple[int, Series], Totals]:
        """By window start, epoch seconds, and series; a call belongs to the window of its request's time."""
        sums: defaultdict[tuple[int, Series], list[int]] = defaultdict(lambda: [0] * len(Totals._fields))
        for call in self.interactions.values():
            window = sums[int(call.time // seconds * seconds), call.series]
            amounts = (
                1, call.outcome == "ok", call.outcome == "unanswered", call.input_tokens, call.output_tokens, call.cached_tokens, call.cost,
            )  # fmt: skip
            for at, amount in enumerate(amounts):
                window[at] += amount or 0
        return {key: Totals(*amounts) for key, amounts in sums.items()}

    def spent(self) -> Mapping[str, int]:
        """Picodollars by tenant."""
        sums: Counter[str] = Counter()
        for call in self.interactions.values():
            sums[call.tenant] += call.cost or 0
        return sums


def expected(records: Iterable[Stored]) -> Expected:
    """What these records imply, in whatever order they are read."""
    result = Expected()
    events: dict[str, dict[str, Event]] = {kind: {} for kind in REQUIRED}
    places: defaultdict[str, set[Position]] = defaultdict(set)
    for record in records:
        result.records[record.topic] += 1
        place = record.topic, record.partition, record.offset
        event = read(record.topic, record.value)
        if event is None:
            result.dead.add(place)
            continue
        places[event["event_id"]].add(place)
        if event["event_id"] in events[record.topic]:
            result.repeats[record.topic] += 1
        else:
            events[record.topic][event["event_id"]] = event
    for event in events["requests"].values():
        call = _asked(event)
        result.interactions[call.request_id] = call
    for event in events["responses"].values():
        answered = result.interactions.get(event["request_id"])
        if answered is None:
            result.orphans[event["event_id"]] = places[event["event_id"]]
        else:
            _answer(answered, event)
    result.feedback, result.evaluations = set(events["feedback"]), set(events["evaluations"])
    return result


def read(topic: str, value: bytes | None) -> Event | None:
    """The event in a value, as far as the contract says that it is one; None if it is none."""
    value = value or b""
    if value[:1] == b"\x00":
        value = value[5:]  # the frame of a schema registry's serializer
    try:
        event = json.loads(value.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or not all(isinstance(event.get(name), str | float) for name in REQUIRED[topic]):
        return None
    try:
        at = datetime.fromisoformat(event["time"])
    except ValueError:
        return None
    return event if at.tzinfo is not None else None


def _asked(event: Event) -> Interaction:
    tenant = event.get("tenant", "default")
    series = Series(tenant, event["feature"], event["provider"], event["model"])
    at = datetime.fromisoformat(event["time"]).timestamp()
    return Interaction(event["request_id"], event["event_id"], tenant, at, series)


def _answer(call: Interaction, event: Event) -> None:
    call.response_event_id, call.response_id = event["event_id"], event["response_id"]
    call.outcome = "ok"
    usage = event.get("usage", {})
    call.input_tokens, call.output_tokens = int(usage["input_tokens"]), int(usage["output_tokens"])
    call.cached_tokens = usage.get("cache_read_tokens")
    if "cost_usd" in event:
        call.cost = int(Decimal(str(event["cost_usd"])).scaleb(12))
        return
    day = datetime.fromisoformat(event["time"]).date().isoformat()
    each, cached = prices(call.series.provider, call.series.model, day), call.cached_tokens or 0
    call.cost = (call.input_tokens - cached) * each.input + cached * each.cached + call.output_tokens * each.output
