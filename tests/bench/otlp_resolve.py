"""Microseconds of processor time a span: OTLP to spans, and spans to calls and steps, beside decoding the plain events
that say the same.

`python -m tests.bench.otlp_resolve [--smoke]`. The traces are those of an agent: its run, two chat calls with
content, and a tool; each chat call is told by a gateway and by the instrumentation under it.
"""

from __future__ import annotations

import argparse
import json
from base64 import b64encode
from collections.abc import Callable
from time import process_time
from timeit import repeat
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agents.otlp.calls import Resolved, TracedCall, resolve
from agents.otlp.names import DEFAULT
from agents.otlp.trim import trim
from schemas.decoding import decode_with_unknown
from schemas.otlp import decode_spans
from tests.bench import smoke

START_NS = 1_795_943_824 * 10**9
QUESTION = "Onde está meu pedido? " * 12
ANSWER = "Seu pedido está a caminho. " * 20
KINDS = ("requests", "responses")
SPANS = 6
"""Of one trace."""


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return [{"key": name, "value": {kinds[type(v)]: v}} for name, v in values.items()]


def _chat(trace: int, number: int) -> dict[str, Any]:
    messages = [
        {"role": "system", "parts": [{"type": "text", "content": "You are helpful. " * 10}]},
        {"role": "user", "parts": [{"type": "text", "content": QUESTION}]},
    ]
    answer = {"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 500,
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": f"chatcmpl-{trace}-{number}",
        "gen_ai.response.finish_reasons": '["stop"]',
        "gen_ai.usage.input_tokens": 1000 + number,
        "gen_ai.usage.output_tokens": 100,
        "gen_ai.usage.cache_read.input_tokens": 256,
        "gen_ai.input.messages": json.dumps(messages),
        "gen_ai.output.messages": json.dumps([answer]),
        "server.address": "api.openai.com",
        "server.port": 443,
    }


def _trace(trace: int, written: Callable[[bytes], str]) -> list[dict[str, Any]]:
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support",
             "session.id": f"s-{trace}", "user.id": "u-7"}  # fmt: skip
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find_order",
            "gen_ai.tool.call.arguments": '{"order": 7}'}  # fmt: skip
    parts = [(0, agent), (1, _chat(trace, 1)), (2, _chat(trace, 1)), (1, tool)]
    parts += [(1, _chat(trace, 2)), (5, _chat(trace, 2))]
    return [
        {
            "traceId": written((trace + 1).to_bytes(16)),
            "spanId": written(number.to_bytes(8)),
            "parentSpanId": written(parent.to_bytes(8)) if parent else "",
            "name": "span",
            "kind": 3,
            "startTimeUnixNano": str(START_NS + number * 10**6),
            "endTimeUnixNano": str(START_NS + (20 - number) * 10**6),
            "attributes": _attributes(attributes),
        }
        for number, (parent, attributes) in enumerate(parts, start=1)
    ]


def _request(traces: int, written: Callable[[bytes], str]) -> dict[str, Any]:
    """What one exporter sends. `written`: how an id is written."""
    resource = {"attributes": _attributes({"service.name": "shop", "host.name": "h"})}
    spans = [span for trace in range(traces) for span in _trace(trace, written)]
    scoped = {"scope": {"name": "genai"}, "spans": spans}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scoped]}]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=100, help="traces of 6 spans in a message")
    parser.add_argument("--rounds", type=int, default=5, help="the fastest of which counts")
    given = smoke.parse(parser, traces=5, rounds=1)

    def base64(name: bytes) -> str:
        return b64encode(name).decode()

    as_json = json.dumps(_request(given.traces, bytes.hex)).encode()
    as_protobuf = ParseDict(_request(given.traces, base64), TracesData()).SerializeToString()
    spans = decode_spans(as_json)
    assert decode_spans(as_protobuf) == spans
    traces = [spans[at : at + SPANS] for at in range(0, len(spans), SPANS)]
    calls = [call for trace in traces for call in _told(resolve(trace, [], DEFAULT))]
    events = [event for call in calls for event in zip(KINDS, call.encoded(), strict=True)]
    assert len(calls) == 4 * given.traces, "an agent, a tool and two calls"

    def fastest(work: Callable[[], object], per: int) -> float:
        return min(repeat(work, timer=process_time, number=1, repeat=given.rounds)) / per * 1e6

    def show(title: str, work: Callable[[], object], per: int, of: str = "span") -> None:
        print(f"{title:<38}{fastest(work, per):8.1f} us/{of}")

    count, wanted = len(spans), DEFAULT.all()
    print(
        f"{count} spans: {len(as_protobuf) / count:.0f} bytes each, JSON {len(as_json) / count:.0f}"
    )
    show("decode protobuf", lambda: decode_spans(as_protobuf), count)
    show("decode JSON", lambda: decode_spans(as_json), count)
    show("trim", lambda: [trim(span, wanted) for span in spans], count)
    show("resolve", lambda: [resolve(trace, [], DEFAULT) for trace in traces], count)
    show("encode events", lambda: [call.encoded() for call in calls], count)
    show(
        "decode the events they become",
        lambda: [decode_with_unknown(kind, value) for kind, value in events],
        len(events),
        "event",
    )


def _told(found: Resolved) -> list[TracedCall]:
    return [*found.calls, *found.steps]


if __name__ == "__main__":
    main()
