"""How much `mirante ingest` takes in a second, beside a plain Kafka producer in the same run.

Run it: `python -m tests.bench.ingest`. The same 1 kB events, all acknowledged by all replicas:

1. *producer*: `mirante replay`'s own, whole batches per partition, from one process;
2. *HTTP*: JSON lines, `--batch` events a request, over four connections; then gzipped; then one
   event a request over 32 connections;
3. *OTLP*: spans of about 1 kB in protobuf, as many a request.

Sender and ingest share the machine; records and bodies are made before the clock starts. What is in Kafka
afterwards is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from aiohttp import ClientSession, TCPConnector
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from rich.console import Console
from rich.table import Table

from deploy.embedded.stack import Stack, StackOptions
from deploy.traffic.publisher import MAX_SPEED, publish
from streams.kafka import client_options
from tests.bench import smoke
from tests.kafka_clients import read_all
from tests.load import Load

START_US = 1_790_000_000_000_000
LINES, PROTOBUF = "application/x-ndjson", "application/x-protobuf"


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--single", type=int, default=5_000, help="events sent one by one")
    parser.add_argument("--spans", type=int, default=50_000)
    parser.add_argument("--batch", type=int, default=500, help="events or spans a request")
    args = smoke.parse(parser, events=2_000, single=100, spans=1_000)
    table = Table("", "events", "seconds", "events/s", "of the producer's")
    folder = Path(tempfile.mkdtemp(prefix="mirante-bench-"))
    try:
        options = StackOptions(folder, workers=0, ingest=True)
        async with Stack(options, say=lambda text: None) as stack:
            await measure(stack, args, table)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    Console(width=100).print(table)


async def measure(stack: Stack, args: argparse.Namespace, table: Table) -> None:
    records = list(load("plain", args.events).records())
    plain = await publish(records, speed=MAX_SPEED, **client_options(stack.settings))
    table.add_row("producer", f"{plain.total:,}", f"{plain.seconds:.1f}", f"{plain.rate:,.0f}", "1.00")

    def row(name: str, number: int, seconds: float) -> None:
        rate = number / seconds
        share = f"{rate / plain.rate:.2f}"
        table.add_row(name, f"{number:,}", f"{seconds:.1f}", f"{rate:,.0f}", share)

    bodies = json_lines(load("lines", args.events), args.batch)
    row("HTTP", args.events, await post(stack, "/v1/events", bodies, 4, LINES))
    packed = [gzip.compress(body, 5) for body in json_lines(load("gzip", args.events), args.batch)]
    row("HTTP, gzip", args.events, await post(stack, "/v1/events", packed, 4, LINES, encoding="gzip"))
    single = json_lines(load("single", args.single), 1)
    row("HTTP, one by one", args.single, await post(stack, "/v1/events", single, 32, LINES))
    spans = exports(args.spans, args.batch)
    row("OTLP", args.spans, await post(stack, "/v1/traces", spans, 4, PROTOBUF))

    bootstrap = stack.settings.kafka_bootstrap
    found = [len(await read_all(bootstrap, f"llm.{name}")) for name in ("requests", "responses")]
    expected = 3 * args.events + args.single
    if sum(found) != expected:
        raise SystemExit(f"{sum(found):,} events in Kafka, {expected:,} were acknowledged")
    written = {record.value for record in await read_all(bootstrap, "otlp_spans")}
    if written != set(spans):
        raise SystemExit("otlp_spans does not hold what was acknowledged")


def load(run: str, events: int) -> Load:
    return Load(pairs=events // 2, run=run, start_us=START_US)


def json_lines(load: Load, batch: int) -> list[bytes]:
    entries = (
        b'{"topic":"%s","value":%s}' % (record.topic.encode(), record.value) for record in load.records()
    )
    return [b"\n".join(lines) for lines in batched(entries, batch)]


def batched(entries: Iterator[bytes], size: int) -> list[list[bytes]]:
    return list(iter(lambda: list(itertools.islice(entries, size)), []))


def exports(spans: int, batch: int) -> list[bytes]:
    """OTLP requests of chats with a prompt and an answer."""
    found = []
    for first in range(1, spans + 1, batch):
        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = "bench"
        scope = resource.scope_spans.add()
        for number in range(first, min(first + batch, spans + 1)):
            span = scope.spans.add(
                trace_id=number.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), name="chat"
            )
            for name, text in (("gen_ai.request.model", "gpt-4o-mini"), ("gen_ai.input.messages", "x" * 850)):
                span.attributes.add(key=name).value.string_value = text
        found.append(request.SerializeToString())
    return found


async def post(
    stack: Stack, path: str, bodies: Sequence[bytes], connections: int, kind: str, encoding: str = ""
) -> float:
    """Seconds until all are answered."""
    headers = {"Content-Type": kind, **({"Content-Encoding": encoding} if encoding else {})}
    waiting = iter(bodies)

    async def send(session: ClientSession) -> None:
        for body in waiting:
            async with session.post(stack.ingest_url + path, data=body, headers=headers) as answer:
                if answer.status not in (200, 202):
                    raise SystemExit(f"{path}: {answer.status} {await answer.text()}")
                await answer.read()

    async with ClientSession(connector=TCPConnector(limit=connections)) as session:
        begun = time.perf_counter()
        await asyncio.gather(*(send(session) for _ in range(connections)))
        return time.perf_counter() - begun


if __name__ == "__main__":
    asyncio.run(main())
