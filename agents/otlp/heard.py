"""What was asked and answered, where it stands in events beside the attributes: events of a span,
or log records.

One event a message until 1.36 of the conventions (`gen_ai.user.message`, `gen_ai.choice`), before
that one for all (`gen_ai.content.prompt`), since then `gen_ai.client.inference.operation.details`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agents.otlp.dialects import semconv
from agents.otlp.messages import answer_of, messages_of
from agents.otlp.step import Step
from agents.otlp.values import as_dict, parsed
from schemas.events import Message
from schemas.otlp import LogRecord, Span

INSTRUCTIONS = "gen_ai.system.message"
_DETAILS = "gen_ai.client.inference.operation.details"
_MESSAGE = ".message"

_SAYS = "gen_ai."
"""How the names of events begin that say something of AI."""

Event = tuple[str, Mapping[str, Any]]
"""Its name, and its fields, whether they were attributes or a body."""


def says_of_ai(record: LogRecord) -> bool:
    """Whether a log record tells something of a span that calls a model."""
    return bool(record.trace_id) and record.name.startswith(_SAYS)


def of_span(span: Span) -> list[Event]:
    """The events of a span."""
    return [(event.name, _fields(event.attributes, None)) for event in span.events]


def of_log(record: LogRecord) -> Event:
    """A log record as such an event."""
    return record.name, _fields(record.attributes, record.body)


def hear(step: Step, events: Iterable[Event]) -> None:
    """Takes over the content of `events`, in their order, where `step` has none yet."""
    asked: list[Message] = []
    choices: list[tuple[int, Any]] = []
    for name, fields in events:
        if name == "gen_ai.choice":
            choice = {**fields, "message": parsed(fields.get("message")) or fields.get("message")}
            index = fields.get("index")
            choices.append((index if isinstance(index, int) else 0, choice))
        elif name.startswith(_SAYS) and name.endswith(_MESSAGE):
            role = name.removeprefix("gen_ai.").removesuffix(_MESSAGE)
            asked += messages_of([{"role": role, **fields}])
        elif name == "gen_ai.content.prompt":
            asked += messages_of(parsed(fields.get("gen_ai.prompt")) or fields.get("gen_ai.prompt"))
        elif name == "gen_ai.content.completion":
            given = fields.get("gen_ai.completion")
            choices.append((0, parsed(given) or given))
        elif name == _DETAILS:
            semconv.content(step, dict(fields))
    step.input = step.input or asked
    if choices and not (step.output or step.tool_calls):
        semconv.take_answer(step, answer_of(min(choices, key=lambda choice: choice[0])[1]))


def _fields(attributes: Mapping[str, Any], body: Any) -> dict[str, Any]:
    """Azure's library writes the body as text into an attribute."""
    inner = as_dict(parsed(body)) or as_dict(parsed(attributes.get("gen_ai.event.content")))
    return {**attributes, **inner}
