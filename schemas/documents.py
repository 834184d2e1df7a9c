"""The published descriptions of what crosses the boundary, generated from the Structs: JSON Schema and AsyncAPI.

JSON Schema is draft 2020-12, one document per topic (`json_schema`). AsyncAPI is 3.0 and describes every topic of the
public contract (`asyncapi`). Nothing generated is kept in the repository: `mirante schema` prints it.

The schema of an event accepts what the worker accepts, and nothing else: an optional field may have any value, and its
right shape stands first in an `anyOf`. The *strict* schema has the right shapes alone: for a producer's own tests, and to
generate code from. What no schema can say, the decoder's pages do: an event's size, and what is no JSON (`schemas.decoding`).
"""

from typing import Any, Literal, NamedTuple

import msgspec

from schemas.events import EVENT_KINDS, MAX_NUMBER, VALUED_KINDS, Feedback
from schemas.outputs import Alert, Control, DeadLetter, JudgeTask, Label

DIALECT = "https://json-schema.org/draft/2020-12/schema"

CONTRACT_VERSION = "1.0.0"
"""Version of the public contract; the first number changes when a field is renamed or given another meaning."""

Direction = Literal["in", "out", "both"]


class TopicDocument(NamedTuple):
    """A topic of the contract: `struct` is the type of its values, `key` says what the message key is."""

    direction: Direction
    struct: type[msgspec.Struct]
    key: str
    summary: str


_SESSION_KEY = "session_id, or request_id for services without sessions"

TOPICS: dict[str, TopicDocument] = {
    "requests": TopicDocument(
        "in", EVENT_KINDS["requests"], _SESSION_KEY, "One event per model call, tool, retrieval or agent step started."
    ),
    "responses": TopicDocument("in", EVENT_KINDS["responses"], _SESSION_KEY, "One event per call ended, in whatever way it ended."),
    "feedback": TopicDocument("in", EVENT_KINDS["feedback"], _SESSION_KEY, "Explicit and implicit user signals."),
    "evaluations": TopicDocument(
        "in", EVENT_KINDS["evaluations"], _SESSION_KEY, "Scores given to a response by a judge, a human or code."
    ),
    "alerts": TopicDocument("out", Alert, "fingerprint", "Alert lifecycle events."),
    "labels": TopicDocument("out", Label, "response_id", "Labels of responses."),
    "controls": TopicDocument(
        "both",
        Control,
        "scope",
        "Kill switches and throttles, compacted: read from the start it holds the state of every switch.",
    ),
    "judge.tasks": TopicDocument("out", JudgeTask, "response_id", "Sampled responses for a judge to score."),
    "deadletter": TopicDocument("out", DeadLetter, "the key of the original record", "What could not be processed, and why."),
}
"""Topic suffix (topic without its prefix) -> what it carries. OTLP_TOPICS are OpenTelemetry's to describe."""


class OtlpTopic(NamedTuple):
    """A topic of the OpenTelemetry Collector's Kafka exporter: `message` is the name of its messages here, `type` OpenTelemetry's own."""

    message: str
    type: str
    summary: str


OTLP_TOPICS: dict[str, OtlpTopic] = {
    "otlp_spans": OtlpTopic(
        "OtlpSpans", "opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest",
        "OpenTelemetry GenAI spans as the OpenTelemetry Collector's Kafka exporter writes them.",
    ),
    "otlp_logs": OtlpTopic(
        "OtlpLogs", "opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest",
        "OpenTelemetry GenAI events as the OpenTelemetry Collector's Kafka exporter writes them.",
    ),
}  # fmt: skip
"""Topic, without a prefix -> what it carries."""

_ODD = {"description": "Anything else costs no event: it is read as null, and the field is named in odd_fields."}

# What the Structs check in __post_init__ and their field types cannot say.
_RULES: dict[str, dict[str, Any]] = {
    Feedback.__name__: {
        "anyOf": [
            {"required": [name], "properties": {name: {"type": "string", "minLength": 1, "maxLength": 512}}}
            for name in ("response_id", "request_id", "session_id")
        ],
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}},
                "then": {
                    "required": ["value"],
                    "properties": {"value": {"type": "number", "minimum": 0, "maximum": maximum}},
                },
            }
            for kind, maximum in zip(VALUED_KINDS, (1, MAX_NUMBER), strict=True)
        ],
    }
}


def _open(schema: Any) -> Any:
    """`schema` with unknown properties allowed everywhere: they are kept, never an error.

    The Structs forbid them only to notice them without a search (see `schemas.events`).
    """
    if isinstance(schema, dict):
        return {key: _open(value) for key, value in schema.items() if not (key == "additionalProperties" and value is False)}
    return [_open(item) for item in schema] if isinstance(schema, list) else schema


def _lenient(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an event with any value allowed for what is optional."""
    properties = dict(schema["properties"])
    for name in properties.keys() - set(schema["required"]):
        shape = dict(properties[name])
        about = {key: shape.pop(key) for key in ("default", "description") if key in shape}
        shapes = shape["anyOf"] if set(shape) == {"anyOf"} else [shape]
        properties[name] = {**about, "anyOf": [*shapes, _ODD]}
    return {**schema, "properties": properties}


_EVENTS = frozenset(struct.__name__ for struct in EVENT_KINDS.values())


def _components(structs: list[type[msgspec.Struct]], ref_template: str, strict: bool) -> dict[str, Any]:
    _, components = msgspec.json.schema_components(structs, ref_template=ref_template)
    schemas = {name: _open(schema) for name, schema in components.items()}
    if not strict:
        schemas = {name: _lenient(schema) if name in _EVENTS else schema for name, schema in schemas.items()}
    return {name: schema | _RULES.get(name, {}) for name, schema in schemas.items()}


def json_schema(kind: str, strict: bool = False) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the values of the topic with suffix `kind`, a key of TOPICS."""
    struct = TOPICS[kind].struct
    definitions = _components([struct], "#/$defs/{name}", strict)
    return {
        "$schema": DIALECT,
        "$id": f"urn:mirante:{CONTRACT_VERSION}:{kind}" + (":strict" if strict else ""),
        **definitions.pop(struct.__name__),
        "$defs": definitions,
    }


def _identifier(suffix: str) -> str:
    return suffix.replace(".", "_")


def asyncapi(prefix: str = "llm.", strict: bool = False) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of all topics; `receive` is what Mirante reads, `send` what it writes."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for suffix, topic in TOPICS.items():
        channel, message = _identifier(suffix), topic.struct.__name__
        channels[channel] = {
            "address": f"{prefix}{suffix}",
            "summary": topic.summary,
            "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        }
        messages[message] = {
            "name": message,
            "contentType": "application/json",
            "payload": {"$ref": f"#/components/schemas/{message}"},
            "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"}},
        }
        for action in {"in": ("receive",), "out": ("send",), "both": ("receive", "send")}[topic.direction]:
            operations[f"{action}_{channel}"] = _operation(action, channel, message)
    for name, otlp in OTLP_TOPICS.items():
        channels[name] = {
            "address": name,
            "summary": otlp.summary,
            "messages": {otlp.message: {"$ref": f"#/components/messages/{otlp.message}"}},
        }
        messages[otlp.message] = {
            "name": otlp.message,
            "contentType": "application/x-protobuf",
            "summary": f"{otlp.type}, as protobuf or OTLP JSON.",
            "payload": {"description": "See https://opentelemetry.io/docs/specs/otlp/"},
        }
        operations[f"receive_{name}"] = _operation("receive", name, otlp.message)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Mirante",
            "version": CONTRACT_VERSION,
            "description": "What services publish about their model calls, and what Mirante tells about them.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": _components([topic.struct for topic in TOPICS.values()], "#/components/schemas/{name}", strict),
        },
    }


def _operation(action: str, channel: str, message: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
    }
