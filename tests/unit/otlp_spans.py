"""Spans for tests: short to write, with ids and times that are easy to read."""

from __future__ import annotations

from typing import Any

from agents.otlp.calls import Resolved, resolve
from agents.otlp.names import DEFAULT
from schemas.events import Request, Response
from schemas.otlp import LogRecord, Scope, Span, SpanEvent, SpanStatus

BEGAN_NS = 1_795_943_824 * 10**9
TRACE = "a" * 32


def hex_id(number: int, size: int = 16) -> str:
    return f"{number:0{size}x}"


def span(
    number: int,
    attributes: dict[str, Any],
    *,
    parent: int = 0,
    name: str = "",
    scope: str = "",
    at_ms: tuple[float, float] = (0, 1_000),
    status: SpanStatus = "unset",
    status_message: str = "",
    events: list[SpanEvent] | None = None,
    resource: dict[str, Any] | None = None,
    trace: str = TRACE,
) -> Span:
    """Span `number`, under span `parent` (0: a root)."""
    start_ns, end_ns = (BEGAN_NS + int(at * 1e6) for at in at_ms)
    return Span(
        trace,
        hex_id(number),
        hex_id(parent) if parent else "",
        name,
        "client",
        start_ns,
        end_ns,
        status,
        status_message,
        attributes,
        events or [],
        Scope(scope),
        resource or {},
    )


def chat(**more: Any) -> dict[str, Any]:
    """Attributes of a chat call by the semantic conventions; `__` stands for a dot."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        **dotted(more),
    }


def dotted(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in attributes.items()}


def used(tokens_in: int, tokens_out: int, **more: int) -> dict[str, Any]:
    """Attributes of its usage."""
    return {
        "gen_ai.usage.input_tokens": tokens_in,
        "gen_ai.usage.output_tokens": tokens_out,
        **{f"gen_ai.usage.{name.replace('__', '.')}": value for name, value in more.items()},
    }


def log(number: int, name: str, body: Any = None, **attributes: Any) -> LogRecord:
    """A log record of span `number`."""
    return LogRecord(TRACE, hex_id(number), BEGAN_NS, name, body, dotted(attributes))


def resolved(*spans: Span, logs: list[LogRecord] | None = None) -> Resolved:
    return resolve(spans, logs or [], DEFAULT)


def the_call(*spans: Span, logs: list[LogRecord] | None = None) -> tuple[Request, Response]:
    """The one model call that the spans tell of."""
    [call] = resolved(*spans, logs=logs).calls
    return call.request, call.response


def the_step(*spans: Span) -> tuple[Request, Response]:
    """The one step that the spans tell of."""
    [step] = resolved(*spans).steps
    return step.request, step.response


def counts(response: Response) -> dict[str, int]:
    """What was used, by short names: `input`, `cache_read`, ..."""
    usage = response.usage
    fields = () if usage is None else usage.__struct_fields__
    found = {name.removesuffix("_tokens"): getattr(usage, name) for name in fields}
    return {name: count for name, count in found.items() if count and name != "requests"}
