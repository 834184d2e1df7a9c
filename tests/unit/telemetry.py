"""Spans as exporters write them, and a model of the agent ``otlp`` over all its partitions, for tests of what it makes of them.

Times are seconds after ``EPOCH``.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from math import inf
from typing import Any

import msgspec

from agents.inspection.masking import Masking
from agents.otlp.agent import names_of
from agents.otlp.state import OtlpContext, OtlpState
from streams.effects import Effects
from streams.settings import OtlpSettings, Settings
from streams.topics import Topics
from tests.unit.builders import EPOCH, SOURCE, Json, Logs

SPANS, LOGS = "otlp_spans", "otlp_logs"


def trace_id(n: int | str) -> str:
    return blake2b(f"{n}".encode(), digest_size=16).hexdigest()


def span_id(n: int | str) -> str:
    return blake2b(f"{n}".encode(), digest_size=8).hexdigest()


def span(name: str, parent: str = "", *, trace: int | str = 1, at: float = 0.0, took: float = 1.0, **attributes: Any) -> Json:
    """A span in OTLP's JSON. ``name`` and ``parent`` stand for ids; two underscores in the name of an attribute, for a dot."""
    begin = EPOCH.timestamp() + at
    return {
        "traceId": trace_id(trace),
        "spanId": span_id(f"{name}{trace}"),
        "parentSpanId": span_id(f"{parent}{trace}") if parent else "",
        "name": name,
        "kind": 3,
        "startTimeUnixNano": str(round(begin * 1e9)),
        "endTimeUnixNano": str(round((begin + took) * 1e9)),
        "attributes": [{"key": key.replace("__", "."), "value": _value(value)} for key, value in attributes.items()],
    }


def _value(value: Any) -> Json:
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"stringValue": value if isinstance(value, str) else json.dumps(value)}


def chat(name: str, parent: str = "", *, tokens: int = 100, answer: str = "", **fields: Any) -> Json:
    """A call of a model. ``answer``: the provider's id of it."""
    own = {
        "gen_ai__operation__name": "chat", "gen_ai__provider__name": "openai", "gen_ai__request__model": "gpt-4o-mini",
        "gen_ai__response__model": "gpt-4o-mini", "gen_ai__usage__input_tokens": tokens, "gen_ai__usage__output_tokens": 10,
    }  # fmt: skip
    return span(name, parent, **own, **({"gen_ai__response__id": answer} if answer else {}), **fields)


def agent(name: str, parent: str = "", **fields: Any) -> Json:
    return span(name, parent, gen_ai__operation__name="invoke_agent", gen_ai__agent__name=name, **fields)


def tool(name: str, parent: str = "", **fields: Any) -> Json:
    return span(name, parent, gen_ai__operation__name="execute_tool", gen_ai__tool__name=name, **fields)


def message(spans: Iterable[Json], *, service: str = "shop", scope: str = "test") -> bytes:
    """A record's value."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return json.dumps(
        {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}]}]}
    ).encode()


def otlp_context(partitions: int, **options: Any) -> OtlpContext:
    settings = Settings(partitions=partitions, otlp=OtlpSettings(enabled=True, **options))
    return OtlpContext(Topics.of(settings), settings.otlp, names_of(settings), Masking(b"test"), SOURCE, 1_000, wall=lambda: inf)


class Telemetry:
    """The agent over all partitions, with their changelogs. Processing time is ``now``; records are written when the test says."""

    def __init__(self, partitions: int = 3, **options: Any) -> None:
        self.context = otlp_context(partitions, **options)
        self.topics = self.context.topics
        self.partitions = range(partitions)
        self.logs = Logs()
        self.rows: defaultdict[str, dict[tuple[str, str], Json]] = defaultdict(dict)
        self.letters: dict[tuple[str, int, int], str] = {}
        self.counts: Counter[str] = Counter()
        self.now = 1_000.0
        self.pieces: list[list[bytes]] = [[] for _ in self.partitions]
        self.stored: list[dict[str, int]] = [{} for _ in self.partitions]
        self.inputs = (*self.topics.telemetry, self.topics.traces)
        self.states: list[OtlpState] = []
        self.read: list[dict[str, int]] = []
        self.effects: list[Effects] = []
        self.heard: list[dict[str, float]] = []
        for p in self.partitions:
            for kept in (self.states, self.read, self.effects, self.heard):
                kept.append(None)  # type: ignore[arg-type]
            self.restore(p)

    def write(self, spans: Iterable[Json] | bytes, *, partition: int = 0, at: float = 0.0, topic: str = SPANS, **of: Any) -> None:
        """A record is written at a moment."""
        value = spans if isinstance(spans, bytes) else message(spans, **of)
        self.logs.append(topic, partition, value, timestamp=round((EPOCH.timestamp() + at) * 1_000))

    # One partition

    def restore(self, p: int) -> None:
        """A worker dies, and another one takes the partition over."""
        self.states[p] = OtlpState(p, self.context)
        for piece in self.pieces[p]:
            self.states[p].load(piece)
        self.read[p] = dict(self.stored[p])
        self.effects[p] = Effects()
        self.heard[p] = dict.fromkeys(self.inputs, self.now)

    def unread(self, p: int) -> list[str]:
        return [t for t in self.inputs if self.read[p].get(t, 0) < self.logs.end(t, p) and t not in self.states[p].ahead()]

    def step(self, p: int, topic: str, size: int = 1_000) -> None:
        batch = self.logs.batch(topic, p, self.read[p].get(topic, 0), size)
        self.states[p].apply(batch, self.effects[p])
        while self.states[p].proceed(self.effects[p]):
            pass
        self.read[p][topic], self.heard[p][topic] = batch.next_offset, self.now

    def checkpoint(self, p: int, *, dies_before_state: bool = False, snapshot: bool = False) -> None:
        silent = {
            t: self.now - heard
            for t, heard in self.heard[p].items()
            if self.now - heard > 3.0 and self.read[p].get(t, 0) >= self.logs.end(t, p) and t not in self.states[p].ahead()
        }
        self.states[p].tick(self.now, silent, self.effects[p])
        self.states[p].close_interval(self.effects[p])
        changes = self.states[p].changes()
        self._carry_out(self.effects[p])
        self.effects[p] = Effects()
        if dies_before_state:
            self.restore(p)
            return
        if snapshot:
            self.pieces[p] = list(self.states[p].snapshot())
        elif changes is not None:
            self.pieces[p].append(changes)
        self.stored[p] = dict(self.read[p])

    def _carry_out(self, effects: Effects) -> None:
        for topic, partition, key, value, headers in effects.messages:
            self.logs.append(topic, partition, value, key=key, headers=headers, timestamp=0)
        for lines in effects.rows.values():
            for line in lines:
                row = json.loads(line)
                known = self.rows["steps"].setdefault((row["trace_id"], row["span_id"]), row)
                assert known == row, "a repeat is identical"
        for letter in effects.letters:
            self.letters[letter.topic, letter.partition, letter.offset] = letter.reason
        for (name, label), by in effects.counts.items():
            self.counts[f"{name} {label}".strip()] += by

    # All of them

    def settle(self, seconds: float = 60.0) -> None:
        """Nothing more is written, for so long."""
        until = self.now + seconds
        while self.now < until:
            for p in self.partitions:
                for topic in self.unread(p):
                    self.step(p, topic)
                self.checkpoint(p)
            self.now += 1.0

    def requests(self) -> dict[str, Json]:
        """event_id -> request. Fails if two say different things."""
        return self._events(self.topics.requests)

    def responses(self) -> dict[str, Json]:
        return self._events(self.topics.responses)

    def _events(self, topic: str) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for p in self.partitions:
            for record in self.logs.logs[topic, p]:
                event = msgspec.json.decode(record.value or b"")
                assert found.setdefault(event["event_id"], event) == event, "a repeat is identical"
        return found

    def calls(self, *names: str, trace: int | str = 1) -> list[str]:
        """Of these spans, those that are calls."""
        counted = {request["span_id"] for request in self.requests().values()}
        return [name for name in names if span_id(f"{name}{trace}") in counted]

    def published(self) -> tuple[Any, ...]:
        """All that a reader could see."""
        return self.requests(), self.responses(), dict(self.rows["steps"]), self.letters


def shuffled(rng: random.Random, spans: Sequence[Json], pieces: int) -> list[list[Json]]:
    """Spans in any order, in so many messages."""
    order = list(spans)
    rng.shuffle(order)
    parts: list[list[Json]] = [[] for _ in range(pieces)]
    for one in order:
        rng.choice(parts).append(one)
    return [part for part in parts if part]
