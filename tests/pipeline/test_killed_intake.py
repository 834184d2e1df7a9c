"""`kill -9` of the ingest and of workers while services post spans and events: nothing acknowledged is lost, nothing counts twice."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from deploy.embedded.broker_api import Broker
from tests.ingests import LINES, PROTOBUF, ask, eventually
from tests.installation import NOW, Installation, request, response, unique

BATCHES = 30
"""Of each sender."""
SENDERS = 2
"""Of spans, and as many of events."""
TRACES, PAIRS = 20, 25
"""In a batch of either."""
GIVES_UP = 3
"""One batch of so many is not sent again if nobody answers."""
PRICES = Decimal("0.15e-6"), Decimal("0.60e-6")
"""Of gpt-4o-mini: USD per token in and out."""


class Post(NamedTuple):
    """A request to the ingest. ``calls`` and ``steps``: span ids of what is in it; of calls published as events, request ids."""

    path: str
    kind: str
    body: bytes
    calls: list[str]
    steps: list[str]


class Became(NamedTuple):
    """What senders know of what they sent: ids of calls and steps."""

    acknowledged: set[str]
    unsure: set[str]
    """Nobody answered, and they were not sent again."""


def tokens(call: str) -> tuple[int, int]:
    """What a call used, so that no two of a batch are alike."""
    number = sum(ord(character) * 31**place for place, character in enumerate(reversed(call)))
    return 100 + number % 997, 10 + number % 499


def exports(sender: int) -> Iterator[Post]:
    """Two calls, a tool, an agent around them and a span that says nothing of AI: each trace in two requests, the children first."""
    for batch in range(BATCHES // 2):
        traces = [(sender * BATCHES + batch) * TRACES + n + 1 for n in range(TRACES)]
        yield export([span(trace, n) for trace in traces for n in (3, 4, 5)])
        yield export([span(trace, n) for trace in traces for n in (2, 1)])


def export(spans: list[Span]) -> Post:
    whole = ExportTraceServiceRequest()
    whole.resource_spans.add().scope_spans.add().spans.extend(spans)
    calls = [one.span_id.hex() for one in spans if one.name == "chat"]
    steps = [one.span_id.hex() for one in spans if one.name in ("execute_tool", "invoke_agent")]
    return Post("/v1/traces", PROTOBUF, whole.SerializeToString(), calls, steps)


def span(trace: int, number: int) -> Span:
    """1: of the server, around 2: an agent, around 3 and 4: calls, and 5: a tool."""
    span_id = (trace * 8 + number).to_bytes(8)
    at = int(NOW.timestamp() * 1e9) + trace * 1_000_000
    parent = {1: 0, 2: 1}.get(number, 2)
    made = Span(trace_id=trace.to_bytes(16), span_id=span_id, start_time_unix_nano=at, end_time_unix_nano=at + 10**9)
    made.parent_span_id = (trace * 8 + parent).to_bytes(8) if parent else b""
    made.name = {1: "POST /chat", 2: "invoke_agent", 5: "execute_tool"}.get(number, "chat")
    if number > 1:
        named(made, "gen_ai.operation.name", made.name)
    if made.name == "chat":
        named(made, "gen_ai.provider.name", "openai")
        named(made, "gen_ai.request.model", "gpt-4o-mini")
        for name, count in zip(("input", "output"), tokens(span_id.hex()), strict=True):
            made.attributes.add(key=f"gen_ai.usage.{name}_tokens").value.int_value = count
    return made


def named(made: Span, name: str, value: str) -> None:
    made.attributes.add(key=name).value.string_value = value


def events(sender: int) -> Iterator[Post]:
    for batch in range(BATCHES):
        calls = [f"{sender}-{batch}-{n}" for n in range(PAIRS)]
        used = {call: dict(zip(("input_tokens", "output_tokens"), tokens(call), strict=True)) for call in calls}
        values = [("requests", request(call)) for call in calls] + [("responses", response(call, usage=used[call])) for call in calls]
        body = b"\n".join(json.dumps({"topic": topic, "value": value}).encode() for topic, value in values)
        yield Post("/v1/events", LINES, body, calls, [])


def send(url: str, posts: Iterator[Post], became: Became) -> None:
    """As a client does: the same request again until it is answered, and now and then not."""
    address = urlsplit(url)
    for number, post in enumerate(posts):
        ids = {*post.calls, *post.steps}
        is_over = False
        while not is_over:
            connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
            try:
                status, _, answer = ask(connection, "POST", post.path, post.body, Content_Type=post.kind)
                assert status in (200, 202, 429, 503), answer
                if is_over := status in (200, 202):
                    became.acknowledged.update(ids)
            except (OSError, http.client.HTTPException):
                if is_over := number % GIVES_UP == 0:
                    became.unsure.update(ids)
            finally:
                connection.close()
            time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_was_acknowledged_counts_once_whoever_is_killed(broker: Broker, tmp_path: Path) -> None:
    own = {"enabled": True, "spans": unique("spans"), "logs": unique("logs"), "settle": 6.0}
    with Installation(broker.bootstrap, tmp_path, workers=2, ingest=True, otlp=own) as mirante:
        became = Became(set(), set())
        [ingest], workers = mirante.stack.pages, mirante.stack.workers
        sources: list[Callable[[int], Iterator[Post]]] = [exports, events]
        sent = [post for posts in sources for sender in range(SENDERS) for post in posts(sender)]
        calls, steps = {i for post in sent for i in post.calls}, {i for post in sent for i in post.steps}
        # A process ends with the thread that started it: these live to the end of the test.
        with ThreadPoolExecutor(2 * SENDERS + len(workers)) as threads:
            # Given services that post spans and events, and send again what nobody acknowledged
            url = mirante.stack.ingest_url
            senders = [threads.submit(send, url, posts(n), became) for posts in sources for n in range(SENDERS)]
            # When in the midst of it the ingest is killed, twice, and both workers
            starting = []
            for share, victim in ((0.1, ingest), (0.3, workers[0]), (0.5, ingest), (0.7, workers[1])):
                least = share * len(calls | steps)
                assert eventually(lambda n=least: len(became.acknowledged) + len(became.unsure) >= n, 120)  # type: ignore[misc]
                asyncio.run(victim.kill())
                starting.append(threads.submit(asyncio.run, victim.start()))
            for each in (*senders, *starting):
                each.result(120)
            # Then every call that was acknowledged is there, once, and else at most what nobody can be sure of
            sure = calls & became.acknowledged
            mirante.eventually("SELECT count() >= {n:UInt64} FROM mirante.interactions", [(1,)], within=120, n=len(sure))
            assert eventually(lambda: mirante.at_rest(3), 60)
            call = "if(trace_id = '', request_id, span_id)"
            found = mirante.query(f"SELECT {call}, outcome, input_tokens, output_tokens, cost_usd FROM mirante.interactions")
            told = [row[0] for row in found]
            print(f"{len(sure):,} calls acknowledged, {len(calls & became.unsure)} unsure, {len(told):,} rows")
            assert len(told) == len(set(told))
            assert sure <= set(told) <= calls
            # with its tokens and its cost, in the windows too
            for ident, outcome, used_in, used_out, cost in found:
                assert (outcome, (used_in, used_out)) == ("ok", tokens(ident)), ident
                assert cost == used_in * PRICES[0] + used_out * PRICES[1], ident
            sums = (len(found), *(sum(column) for column in list(zip(*found, strict=True))[2:]))
            columns = "sum(requests), sum(input_tokens), sum(output_tokens), sum(cost_usd)"
            mirante.eventually(f"SELECT {columns} FROM mirante.cost_windows WHERE window_seconds = 60", [sums])
            # and so is every tool and agent
            shown = [row[0] for row in mirante.query("SELECT span_id FROM mirante.steps")]
            assert len(shown) == len(set(shown))
            assert steps & became.acknowledged <= set(shown) <= steps
