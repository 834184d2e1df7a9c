"""How fast one worker turns spans of OpenTelemetry into rows, beside plain events in the same run. `python -m tests.bench.otlp`.

Traces of an agent, two calls of models, a tool and a span that says nothing of AI: protobuf, 100 spans a message, so traces are split over
messages and partitions. They come

1. *through Kafka*, as the Collector's exporter writes them: no key, written long ago at the pace of their times. A backlog, in which
   settling costs no time but at the end: the rate is that of the first nine tenths of the rows, the last wait for those that may come;
2. *through HTTP*, posted to `mirante ingest` over four connections; how fast it answers is a figure of its own. All were written within
   seconds, so all are read, then all wait for `otlp.settle`, then all are told: the rate is that of reading and telling.

Every call, token, cent and step is compared with the oracle, which knows nothing of Mirante's code.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from rich.console import Console
from rich.table import Table

from deploy.embedded.stack import Stack
from deploy.traffic.publisher import MAX_SPEED, publish
from streams.clickhouse import connect
from streams.kafka import client_options
from tests.bench import smoke
from tests.bench.ingest import PROTOBUF, post
from tests.bench.throughput import START_US, check, fresh_stack, run_worker, say, start_worker
from tests.bench.worker_status import durable_records
from tests.load import Load

SPANS_A_TRACE, SPANS_A_MESSAGE, TRACES_A_SECOND = 5, 100, 40
TEXT = "The quick brown fox jumps over the lazy dog while the customer waits for an answer about the order. "
PRICES = Decimal("0.15e-6"), Decimal("0.60e-6")
"""Of gpt-4o-mini: USD per token in and out."""


class Written(NamedTuple):
    """A span, and when the Collector has it, in milliseconds."""

    at: int
    span: Span


def tokens(call: int) -> tuple[int, int]:
    return 200 + call * 7919 % 3001, 20 + call * 104_729 % 701


def trace(number: int) -> Iterator[Written]:
    """The spans of a trace in the order in which they end."""
    begin = START_US * 1_000 + number * 1_000_000_000 // TRACES_A_SECOND
    trace_id = (number + 1).to_bytes(16)

    def span(n: int, parent: int, start_ms: int, took_ms: int, name: str, **attributes: str | int) -> Written:
        start = begin + start_ms * 1_000_000
        one = Span(
            trace_id=trace_id, span_id=(number * 16 + n).to_bytes(8), parent_span_id=(number * 16 + parent).to_bytes(8) if parent else b"",
            name=name, start_time_unix_nano=start, end_time_unix_nano=start + took_ms * 1_000_000,
        )  # fmt: skip
        for key, value in attributes.items():
            item = one.attributes.add(key=key.replace("__", "."))
            if isinstance(value, int):
                item.value.int_value = value
            else:
                item.value.string_value = value
        return Written((start // 1_000_000) + took_ms, one)

    for n in (0, 1):
        used_in, used_out = tokens(2 * number + n)
        yield span(
            3 + n, 2, 50 + 500 * n, 400, "chat gpt-4o-mini", gen_ai__operation__name="chat", gen_ai__provider__name="openai",
            gen_ai__request__model="gpt-4o-mini", gen_ai__response__model="gpt-4o-mini", gen_ai__response__id=f"chatcmpl-{number}-{n}",
            gen_ai__usage__input_tokens=used_in, gen_ai__usage__output_tokens=used_out,
            gen_ai__input__messages=json.dumps([{"role": "user", "parts": [{"type": "text", "content": TEXT * 3}]}]),
            gen_ai__output__messages=json.dumps(
                [{"role": "assistant", "parts": [{"type": "text", "content": TEXT * 2}], "finish_reason": "stop"}]
            ),
        )  # fmt: skip
    yield span(5, 2, 500, 30, "execute_tool", gen_ai__operation__name="execute_tool", gen_ai__tool__name="search")
    yield span(2, 1, 20, 1_000, "invoke_agent", gen_ai__operation__name="invoke_agent", gen_ai__agent__name="support")
    yield span(1, 0, 0, 1_100, "POST /chat", session__id=f"s{number // 4}", user__id=f"u{number % 97}")


def messages(traces: int) -> Iterator[tuple[int, bytes]]:
    """Kafka time and value of each record."""
    spans = sorted((written for number in range(traces) for written in trace(number)), key=lambda written: written.at)
    for first in range(0, len(spans), SPANS_A_MESSAGE):
        some = spans[first : first + SPANS_A_MESSAGE]
        message = ExportTraceServiceRequest()
        resource = message.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = "bench"
        resource.scope_spans.add().spans.extend(written.span for written in some)
        yield some[-1].at, message.SerializeToString()


async def write(stack: Stack, traces: int) -> None:
    chance = random.Random(1)
    async with AIOKafkaProducer(**client_options(stack.settings), linger_ms=20) as producer:
        sent = [
            await producer.send("otlp_spans", value, partition=chance.randrange(stack.settings.partitions), timestamp_ms=at)
            for at, value in messages(traces)
        ]
        await asyncio.gather(*sent)


class Rates(NamedTuple):
    """Seconds. ``answered``: until the ingest had acknowledged everything; 0 through Kafka. ``worked``: of the worker, for all.
    ``last``: from its first checkpoint to the last row."""

    answered: float
    worked: float
    last: float


async def spans(traces: int, *, http: bool) -> Rates:
    os.environ["MIRANTE_OTLP"] = json.dumps({"enabled": True})
    try:
        async with fresh_stack(ingest=http, otlp={"enabled": True}) as stack:
            answered = 0.0
            if http:
                bodies = [value for _, value in messages(traces)]
                answered = await post(stack, "/v1/traces", bodies, 4, PROTOBUF)
            else:
                await write(stack, traces)
            process, port, log = await start_worker(stack, [sys.executable, "-m", "deploy.cli", "worker"])
            try:
                followed = await follow(stack, traces, process, port, str(log))
            finally:
                process.terminate()
                await process.wait()
    finally:
        del os.environ["MIRANTE_OTLP"]
    worked = followed.reading + followed.telling if http else followed.most
    return Rates(answered, worked, followed.last)


class Followed(NamedTuple):
    """Seconds. ``reading``: for all messages, from the first checkpoint on. ``telling``: from the first row to the last. ``most``: for
    nine tenths of the rows, as if for all. ``last``: from the first checkpoint to the last row."""

    reading: float
    telling: float
    most: float
    last: float


async def follow(stack: Stack, traces: int, process: asyncio.subprocess.Process, port: int, log: str) -> Followed:
    client = connect(stack.settings.clickhouse_url)
    rows = "SELECT (SELECT uniqExact(request_id) FROM mirante.interactions_data) + (SELECT uniqExact(span_id) FROM mirante.steps_data)"
    wanted, records = 4 * traces, -(-traces * SPANS_A_TRACE // SPANS_A_MESSAGE)
    deadline, said = time.monotonic() + 60 + traces / 20, time.monotonic()
    read: list[tuple[float, int]] = []
    told: list[tuple[float, int]] = []
    while not told or told[-1][1] < wanted:
        now, done = time.monotonic(), int(await asyncio.to_thread(client.command, rows))
        if now > deadline or process.returncode is not None:
            raise SystemExit(f"{done:,} of {wanted:,} rows; the worker's log: {log}")
        if (not read or read[-1][1] < records) and (count := await asyncio.to_thread(durable_records, port, "otlp_spans")):
            read.append((now, count))
        if done:
            told.append((now, done))
        if now - said > 5:
            said = now
            say(f"{done:,} of {wanted:,} rows")
        await asyncio.sleep(0.1)
    await asyncio.sleep(3)  # whatever would come beyond
    compare(stack, traces)
    most = next(one for one in told if one[1] >= 0.9 * wanted)
    return Followed(
        reading=_as_if_for_all(read[0], read[-1], records), telling=told[-1][0] - told[0][0],
        most=_as_if_for_all(told[0], most, wanted), last=told[-1][0] - read[0][0],
    )  # fmt: skip


def _as_if_for_all(begin: tuple[float, int], end: tuple[float, int], number: int) -> float:
    """Seconds for ``number``, at the rate between two moments and how many there were then."""
    return (end[0] - begin[0]) * number / max(1, end[1] - begin[1])


def compare(stack: Stack, traces: int) -> None:
    """With what was written."""
    client = connect(stack.settings.clickhouse_url)
    used = [tokens(call) for call in range(2 * traces)]
    total_in, total_out = sum(one for one, _ in used), sum(other for _, other in used)
    cost = total_in * PRICES[0] + total_out * PRICES[1]
    found = client.query(
        "SELECT count(), uniqExact(span_id), sum(input_tokens), sum(output_tokens), sum(cost_usd), uniqExact(session_id), "
        "countIf(user_id = '' OR session_id = '') FROM mirante.interactions"
    ).result_rows[0]
    expected = (2 * traces, 2 * traces, total_in, total_out, cost, -(-traces // 4), 0)
    steps = client.query("SELECT kind, count() FROM mirante.steps GROUP BY kind ORDER BY kind").result_rows
    windows = client.query(
        "SELECT sum(requests), sum(input_tokens), sum(output_tokens), sum(cost_usd) FROM mirante.cost_windows WHERE window_seconds = 60"
    ).result_rows[0]
    if found != expected or windows != expected[:1] + expected[2:5] or steps != [("agent", traces), ("tool", traces)]:
        raise SystemExit(f"wrong result: {found}, {windows}, {steps}; expected {expected}")
    say(f"exact: {2 * traces:,} calls, {total_in:,} + {total_out:,} tokens, ${cost}, {2 * traces:,} steps")


async def plain(events: int) -> float:
    load = Load(pairs=events // 2, run="plain", start_us=START_US, rate=1_000.0)
    async with fresh_stack() as stack:
        await publish(load.records(), speed=MAX_SPEED, **client_options(stack.settings))
        run = await run_worker(stack, [sys.executable, "-m", "deploy.cli", "worker"], events)
        check(stack, load)
    return run.seconds


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=50_000)
    args = smoke.parse(parser, spans=smoke.EVENTS)
    count = args.spans // SPANS_A_TRACE * SPANS_A_TRACE
    events = await plain(count)
    kafka, http = await spans(count // SPANS_A_TRACE, http=False), await spans(count // SPANS_A_TRACE, http=True)
    table = Table("", "records", "seconds", "per second", "of plain events", title="One worker process")
    for name, seconds in (("plain events", events), ("spans through Kafka", kafka.worked), ("spans through HTTP", http.worked)):
        table.add_row(name, f"{count:,}", f"{seconds:.1f}", f"{count / seconds:,.0f}", f"{events / seconds:.2f}")
    console = Console(width=100)
    console.print(table)
    console.print(f"aim: at least 0.33 of plain events. The ingest acknowledged {count / http.answered:,.0f} spans per second")
    console.print(f"the last row after {kafka.last:.1f} s through Kafka, {http.last:.1f} s through HTTP")


if __name__ == "__main__":
    asyncio.run(main())
