"""Traffic as the outside world sends it: services of all languages, with their retries, codecs, clocks, partitioners and defects.

What it must lead to, tests/chaos/oracle.py says of the records alone.
"""

from __future__ import annotations

import gzip
import heapq
import json
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tests.chaos.records import CODECS, Outgoing

DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0

MODELS = (("openai", "gpt-4o-mini"), ("anthropic", "claude-sonnet-4-5"), ("google", "gemini-2.5-flash"))

SERVICES = 40
SHIFTED = {3: HOUR, 13: HOUR, 23: -HOUR, 33: -HOUR, 17: DAY - MINUTE, 37: -DAY}
"""Service -> seconds by which its clock is wrong: a tenth by an hour, some by a day (Mirante accepts a day ahead, and no more)."""
WRONG_HOSTS = {13, 33, 37}
"""Of these the whole host is wrong, so Kafka's CreateTime as well; the others are wrong in the event alone, as by a time zone."""
FAR = "far"
"""Tenant of the services that are off by a day, and of pairs that come a day late: no budget counts a day and the next together."""

POISON_EVERY, FEEDBACK_EVERY, SCORE_EVERY, ORPHAN_EVERY, WRONG_KEY_EVERY = 100, 20, 50, 150, 37

BOM, FRAME = b"\xef\xbb\xbf", b"\x00\x00\x00\x00\x07"
"""What some clients put before the JSON: a byte order mark; what a schema registry's serializer writes, with the schema's number."""

TEXT = "The quick brown fox jumps over the lazy dog while the customer waits for an answer about the order. " * 3


class Service(NamedTuple):
    """One of the services; what it does wrong it does always."""

    number: int
    tenant: str
    feature: str
    provider: str
    model: str
    codec: str | None
    clock: float
    wrong_host: bool
    crc32: bool
    """Partitions as librdkafka does unless told otherwise."""


def service(number: int) -> Service:
    provider, model = MODELS[number % len(MODELS)]
    clock = SHIFTED.get(number, 0.0)
    tenant = FAR if abs(clock) > HOUR else f"tenant-{number % 4}"
    return Service(
        number, tenant, f"feature-{number % 10}", provider, model, CODECS[number % len(CODECS)], clock,
        number in WRONG_HOSTS, number % 8 == 6,
    )  # fmt: skip


def poison(number: int) -> bytes | None:
    """Values that are no event. ``number``: which kind."""
    event = {"event_id": f"poison-{number}", "time": "2026-03-01T12:00:00Z", "request_id": "x", "model": "m"}
    event |= {"response_id": "y", "status": "ok"}
    text = json.dumps(event)
    kinds: tuple[bytes | None, ...] = (
        text.encode()[:-9],  # cut off
        json.dumps({**event, "event_id": None}).encode(),
        json.dumps({**event, "time": "yesterday"}).encode(),
        json.dumps({name: value for name, value in event.items() if name != "time"}).encode(),
        json.dumps([event]).encode(),
        b"17",
        b"",
        None,  # a tombstone
        text.encode().replace(b"poison", b"\xff\xfe"),
        text.encode("utf-16"),
        FRAME + b"\x06abc\x02",  # Avro
        gzip.compress(text.encode(), mtime=0),
        b"\x80\x04N.",
        b"{" * 5_000,
    )
    return kinds[number % len(kinds)]


@dataclass(frozen=True)
class ChaosTraffic:
    """``pairs`` calls and what comes with them, ``rate`` calls per second from ``start`` (epoch seconds) on; the same for the same seed."""

    run: str
    pairs: int
    rate: float
    start: float
    partitions: int
    seed: int = 1
    shifted: bool = True
    """Whether there are wrong clocks, and pairs that come a day late."""

    @property
    def end(self) -> float:
        """When the last call begins."""
        return self.start + self.pairs / self.rate

    def records(self) -> Iterator[Outgoing]:
        """Everything to publish, in the order of publishing."""
        waiting: list[tuple[float, int, Outgoing]] = []
        count = 0
        for pair in range(self.pairs):
            at = self.start + pair / self.rate
            while waiting and waiting[0][0] <= at:
                yield heapq.heappop(waiting)[2]
            for record in _Call(self, pair, at).records():
                heapq.heappush(waiting, (record.at, count, record))
                count += 1
        while waiting:
            yield heapq.heappop(waiting)[2]


class _Call:
    """One call, with what a service publishes of it and what it does wrong."""

    def __init__(self, traffic: ChaosTraffic, pair: int, at: float) -> None:
        self.traffic, self.pair, self.at = traffic, pair, at
        self.dice = random.Random(f"{traffic.seed}-{pair}")
        self.service = service(pair % SERVICES)
        self.ident = f"{traffic.run}-{pair:08x}"
        session = pair // (4 * SERVICES)
        self.session = None if self.dice.random() < 0.1 else f"{traffic.run}-{session:x}.{self.service.number:x}"
        if not traffic.shifted:
            self.service = self.service._replace(clock=0.0, wrong_host=False)
        self.tenant = self.service.tenant
        self.clock = self.service.clock
        self.latency = 0.3 + pair * 613 % 1000 / 1000
        self.out: list[Outgoing] = []

    def records(self) -> list[Outgoing]:
        dice, at = self.dice, self.at
        asked_at, said_at, ended = at, at + self.latency, at + self.latency
        timeout, kind = 15_000, dice.random()
        with_session = True
        if self.clock > 0:  # what looks for its counterpart when its time has come, would do so in an hour
            kind = max(kind, 0.09)
        if kind < 0.01:  # unanswered
            timeout = 2_000
        elif kind < 0.02:  # answered long after it counts as unanswered
            timeout, said_at, ended = 2_000, at + 25, at + 25
        elif kind < 0.035 and self.traffic.shifted:  # both come a day late, together
            self.clock, self.tenant = self.clock - DAY, FAR
            asked_at, said_at = at + self.latency, at + self.latency
        elif kind < 0.04:  # the answer comes first
            asked_at = at + self.latency + 3
        elif kind < 0.09:
            with_session = False
        self._write("requests", asked_at, self._request(timeout))
        if kind >= 0.01:
            self._write("responses", said_at, self._response(ended, with_session))
        if self.pair % FEEDBACK_EVERY == 0:
            signal = self._about("f", said_at + 1, kind="copy", session_id=self.session or f"free-{self.ident}")
            self._write("feedback", said_at + 1, signal)
        if self.pair % SCORE_EVERY == 7:
            score = self._about("e", said_at + 2, name="helpfulness", score=0.5, session_id=self.session)
            self._write("evaluations", said_at + 2, score)
        if self.pair % ORPHAN_EVERY == 11 and self.clock <= 0:
            orphan = self._response(ended, True) | {"event_id": f"o-{self.ident}", "request_id": f"never-{self.ident}"}
            self._write("responses", said_at, orphan)
        if self.pair % POISON_EVERY == 3:
            value, topic = poison(self.pair // POISON_EVERY), dice.choice(["requests", "responses", "feedback", "evaluations"])
            self.out.append(Outgoing(at, topic, b"k-%d" % self.pair, value, codec=self.service.codec))
        return self.out

    def _request(self, timeout: int) -> dict[str, Any]:
        of = self.service
        return {
            "event_id": f"q-{self.ident}", "time": self._time(self.at), "session_id": self.session, "request_id": f"req-{self.ident}",
            "tenant": self.tenant, "feature": of.feature, "environment": "production", "operation": "chat", "provider": of.provider,
            "model": of.model, "prompt": {"name": of.feature, "sha": f"{of.number:040x}"}, "timeout_ms": timeout,
            "messages": [{"role": "user", "content": TEXT}],
        }  # fmt: skip

    def _response(self, ended: float, with_session: bool) -> dict[str, Any]:
        pair, dice = self.pair, self.dice
        used_in, used_out = 200 + pair * 7919 % 3001, 20 + pair * 104_729 % 701
        usage: dict[str, Any] = {"input_tokens": used_in, "output_tokens": used_out}
        if pair % 3 == 0:
            usage["cache_read_tokens"] = used_in // 2
        said = {
            "event_id": f"a-{self.ident}", "time": self._time(ended), "session_id": self.session, "request_id": f"req-{self.ident}",
            "response_id": f"resp-{self.ident}", "tenant": self.tenant, "model": self.service.model, "status": "ok",
            "finish_reason": "stop", "usage": usage, "latency_ms": round(self.latency * 1000), "ttft_ms": 80, "output": TEXT,
        }  # fmt: skip
        if not with_session:
            del said["session_id"]
        odd = dice.random()
        if odd < 0.01:
            said["latency_ms"] = -3.5
        elif odd < 0.02:
            said["output"] = TEXT[:80] + "\ud83d"  # half of an emoji: JSON.stringify writes its escape, as json.dumps does
        elif odd < 0.03:
            said["usage"] = {**usage, "input_tokens": float(used_in)}
        elif odd < 0.035:
            said["cost_usd"] = 0.00123
        return said

    def _about(self, prefix: str, at: float, **fields: Any) -> dict[str, Any]:
        event = {"event_id": f"{prefix}-{self.ident}", "time": self._time(at), "tenant": self.tenant, "response_id": f"resp-{self.ident}"}
        return event | {name: value for name, value in fields.items() if value is not None}

    def _time(self, at: float) -> str:
        return datetime.fromtimestamp(round(at + self.clock, 6), UTC).isoformat()

    def _write(self, topic: str, at: float, event: dict[str, Any]) -> None:
        """Publish it, and perhaps again: a retry under another key, through another client, at once or a minute later."""
        dice, of = self.dice, self.service
        event = {name: value for name, value in event.items() if value is not None}
        key = (event.get("session_id") or event.get("request_id") or event["response_id"]).encode()
        if self.pair % WRONG_KEY_EVERY == 0:
            key = b"wrong-%d" % self.pair
        value = json.dumps(event, separators=(",", ":")).encode()
        if dice.random() < 0.01:
            value = dice.choice([FRAME, BOM]) + value
        partition = zlib.crc32(key) % self.traffic.partitions if of.crc32 else None
        created = at + of.clock if of.wrong_host else None
        record = Outgoing(at, topic, key, value, partition, of.codec, created)
        self.out.append(record)
        while dice.random() < 0.05:
            later, anywhere = dice.choice([0.0, 0.0, 0.2, 5.0, 60.0]), dice.randrange(self.traffic.partitions)
            later = min(later, max(5.0, self.traffic.end - at))
            self.out.append(
                record._replace(
                    at=at + later,
                    key=dice.choice([key, b"retry", None]),
                    partition=dice.choice([partition, anywhere]),
                    codec=dice.choice(CODECS),
                    created=None if created is None else created + later,
                )
            )
