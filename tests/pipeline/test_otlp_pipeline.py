"""Spans of real instrumentations, published as the OpenTelemetry Collector's Kafka exporter would, to rows: each call once."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from base64 import b64decode
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from google.protobuf.json_format import MessageToJson, ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from typer.testing import CliRunner

from deploy.cli.app import app
from deploy.embedded.broker_api import Broker
from tests.installation import Installation, unique

CAPTURED = Path(os.environ.get("MIRANTE_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "data" / "otlp_spans"
PARTITIONS = 4

pytestmark = pytest.mark.skipif(not CAPTURED.is_dir(), reason=f"no captured spans at {CAPTURED}")


def captured() -> list[bytes]:
    """Each request that an instrumentation exported, as protobuf."""
    lines = [json.loads(line) for file in sorted(CAPTURED.glob("*.jsonl")) for line in file.read_text().splitlines()]
    return [ParseDict(line["body"], ExportTraceServiceRequest()).SerializeToString() for line in lines if line["path"] == "/v1/traces"]


def pieces(value: bytes) -> Iterator[bytes]:
    """A request of one span each, the last span first: children come before their parents, or after."""
    whole = ExportTraceServiceRequest.FromString(value)
    for of_resource in whole.resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in reversed(of_scope.spans):
                one = ExportTraceServiceRequest()
                resource = one.resource_spans.add(resource=of_resource.resource)
                resource.scope_spans.add(scope=of_scope.scope).spans.append(span)
                yield one.SerializeToString()


def as_json(value: bytes) -> bytes:
    """As the exporter's encoding `otlp_json` has it: ids are hexadecimal."""
    whole = json.loads(MessageToJson(ExportTraceServiceRequest.FromString(value)))
    for span in (s for r in whole["resourceSpans"] for scope in r["scopeSpans"] for s in scope["spans"]):
        for name in {"traceId", "spanId", "parentSpanId"} & span.keys():
            span[name] = b64decode(span[name]).hex()
    return json.dumps(whole).encode()


def installation(broker: Broker, directory: Path, settle: float, **options: Any) -> Installation:
    """With topics of its own for spans."""
    own = {"enabled": True, "spans": unique("spans"), "logs": unique("logs"), "settle": settle}
    return Installation(broker.bootstrap, directory, otlp=own, **options)


async def publish(mirante: Installation, values: Iterable[bytes], seed: int = 7) -> None:
    """Without a key, to any partition."""
    topic, chance = mirante.stack.settings.otlp.spans, random.Random(seed)
    async with AIOKafkaProducer(bootstrap_servers=mirante.bootstrap, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=chance.randrange(PARTITIONS))


OPENAI = ("gpt-4o-mini-2024-07-18", 412, 9, 256, Decimal("0.000048"))
ANTHROPIC = ("claude-sonnet-4-5-20250929", 442, 9, 400, Decimal("0.0004035"))
"""What the provider served: model, tokens in, out and cached, and the cost by the prices of 2026-11."""

CALLS = (
    "SELECT model, input_tokens, output_tokens, cache_read_tokens, cost_usd, count(), uniq(span_id) FROM mirante.interactions "
    "WHERE outcome = 'ok' GROUP BY ALL ORDER BY model"
)
SERVED = [(*ANTHROPIC, 3, 3), (*OPENAI, 14, 14)]
SESSIONS = "SELECT session_id FROM mirante.interactions WHERE session_id != '' ORDER BY session_id"
STEPS = "SELECT kind, count() FROM mirante.steps GROUP BY kind ORDER BY kind"
COSTS = "SELECT sum(requests), sum(cost_usd) FROM mirante.cost_windows WHERE window_seconds = 60"
WHOLE = [(17, 3 * ANTHROPIC[-1] + 14 * OPENAI[-1])]


def test_every_call_of_every_instrumentation_counts_once(broker: Broker, tmp_path: Path) -> None:
    with installation(broker, tmp_path, settle=2.0) as mirante:
        # Given what nine instrumentations exported, and a message that is none
        asyncio.run(publish(mirante, [*captured(), b"no spans"]))
        # Then each call has one row with the tokens and the cost of what the provider served
        mirante.eventually(CALLS, SERVED, within=90)
        mirante.eventually(COSTS, WHOLE)
        # and the sessions that were named, and what is around the calls
        assert mirante.query(SESSIONS) == [("01a226a3-e955-766b-803d-19b9e86ea403",), ("s-1",)]
        assert mirante.query(STEPS) == [("agent", 2), ("part", 4), ("workflow", 2)]
        [(topic, stage)] = mirante.query("SELECT topic, stage FROM mirante.deadletter")
        assert (topic, stage) == (mirante.stack.settings.otlp.spans, "otlp")
        # and `mirante trace` shows them in a tree
        [(call, trace)] = mirante.query("SELECT response_id, trace_id FROM mirante.interactions WHERE session_id LIKE '01a2%'")
        shown = CliRunner().invoke(app, ["trace", call, "--url", mirante.stack.settings.clickhouse_url, "--json"])
        [root] = json.loads(shown.output)["steps"]
        assert (root["operation"], root["model"], root["trace_id"]) == ("agent", "support", trace)
        assert [child["response_id"] for child in root["children"]] == [call]


@pytest.mark.slow
def test_in_pieces_twice_and_with_workers_that_die_it_is_the_same(broker: Broker, tmp_path: Path) -> None:
    with installation(broker, tmp_path, settle=12.0, workers=2) as mirante:
        # Given each span in a message of its own, children before their parents, as protobuf and again as JSON
        values = [piece for value in captured() for piece in pieces(value)]
        random.Random(3).shuffle(values)
        half = len(values) // 2
        asyncio.run(publish(mirante, values[:half]))
        # When a worker is killed in the middle of it, and another one when all has been written
        kill(mirante, 0)
        asyncio.run(publish(mirante, values[half:], seed=8))
        asyncio.run(publish(mirante, map(as_json, values), seed=9))
        kill(mirante, 1)
        # Then each call counts once
        mirante.eventually(CALLS, SERVED, within=120)
        mirante.eventually(COSTS, WHOLE)
        mirante.eventually(STEPS, [("agent", 2), ("part", 4), ("workflow", 2)])


def kill(mirante: Installation, number: int) -> None:
    worker = mirante.stack.workers[number]
    worker.signal(signal.SIGKILL)
    asyncio.run(worker.kill())
    asyncio.run(worker.start())
