"""The four input events, and how bytes become one of them or a reason why not.

Field names and meaning: the public contract, section 2. Only what the contract lists as required is required, in
nested objects too: a service that leaves out a rail's `stage` must not lose the cost of its answer. Types are strict
(no numbers in strings); `null` in an optional field means absent. When a key occurs twice in an object the last one
wins, as in nearly every JSON reader (the earlier one must still have the right type). Integers beyond 64 bits in
free-form JSON (`params`, tool arguments, ...) become floats.

Unknown fields are kept, never an error. The Structs are declared with `forbid_unknown_fields`, which makes the usual
event (no unknown field) free of any search for them: the typed decode succeeds, so there was none. Only when it
reports one is the event taken apart generically, the unknown fields set aside (at any depth of the known objects) and
the rest converted to the same Struct.

Bounds: ids 512 characters, names (tenant, feature, model, ...) 256; longer ones are not names but mistakes, and they
are series keys held in memory. Token counts are at most 1e12 per call, so that no sum leaves 64 bits. Money is at
most 1e12 USD per call; Decimal(38, 12) holds the sum of 1e14 of those. Text is bounded by the event: `MAX_EVENT_BYTES`.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar, cast, get_args

import msgspec
from msgspec import Meta

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""Largest event accepted, in bytes. Kafka's own default is 1 MB; base64 images in messages need more."""

MAX_DEPTH = 100
"""Deepest nesting of objects and arrays. Far below Python's recursion limit, because what was decoded near the
bottom of a short call stack must still be encodable from a longer one."""

MAX_REASON = 500
"""Longest reason of an `EventError`, in characters."""

MAX_INT = 2**53 - 1
MAX_TOKENS = 10**12
"""Of one call; so sums over the largest segment fit 64 bits."""
MAX_USD = 1e12
MAX_MS = 1e12
"""Longest duration in milliseconds (about 31 years)."""

Id = Annotated[str, Meta(min_length=1, max_length=512)]
OptionalId = Annotated[str, Meta(max_length=512)] | None
"""An id that may be missing. Empty means absent: otherwise all calls without a session would share the session ''."""
Name = Annotated[str, Meta(max_length=256)] | None
ModelName = Annotated[str, Meta(min_length=1, max_length=256)]
Time = Annotated[
    datetime,
    Meta(
        tz=True,
        # in JSON Schema a format alone asserts nothing
        extra_json_schema={"pattern": r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)$"},
    ),
]
"""RFC 3339 with a zone. Events lie in the years 1970 to 2100 (UTC)."""
Count = Annotated[int, Meta(ge=0, le=MAX_TOKENS)] | None
Millis = Annotated[float, Meta(ge=0, le=MAX_MS)] | None
Usd = Annotated[float, Meta(ge=0, le=MAX_USD)] | None
Unit = Annotated[float, Meta(ge=0, le=1)]
Finite = Annotated[float, Meta(ge=-1e300, le=1e300)] | None

Operation = Literal["chat", "text_completion", "embeddings", "retrieval", "execute_tool", "invoke_agent"]
Variant = Literal["live", "shadow", "canary"]
Status = Literal["ok", "error", "timeout", "cancelled", "blocked"]
CacheResult = Literal["hit", "miss"]
RailStage = Literal["input", "output"]
RailVerdict = Literal["pass", "flag", "block"]
ExplicitKind = Literal["thumbs_up", "thumbs_down", "rating", "comment"]
ImplicitKind = Literal["copy", "copy_code", "insert", "edit", "share", "regenerate", "tab_close", "abandon", "dwell", "escalate"]
FeedbackKind = Literal[
    "thumbs_up", "thumbs_down", "rating", "comment",
    "copy", "copy_code", "insert", "edit", "share", "regenerate", "tab_close", "abandon", "dwell", "escalate",
]  # fmt: skip
EvaluationSource = Literal["judge", "human", "code"]

EXPLICIT_KINDS: frozenset[str] = frozenset(get_args(ExplicitKind))
IMPLICIT_KINDS: frozenset[str] = frozenset(get_args(ImplicitKind))

DEFAULT_TENANT = "default"
DEFAULT_TIMEOUT_MS = 15_000

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2101, 1, 1, tzinfo=UTC)  # exclusive; ClickHouse's DateTime of the cost windows ends in 2106


class EventError(ValueError):
    """Why bytes are not an event. The text goes to the dead-letter topic as `reason`: it names field and fault."""

    @property
    def reason(self) -> str:
        return str(self.args[0])


class _Struct(msgspec.Struct, kw_only=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """gc=False: events come from JSON and cannot hold reference cycles, so the collector need not visit them."""


class Prompt(_Struct):
    """The prompt template a call was made from. `sha` is the git SHA of the template."""

    name: Name = None
    sha: Name = None
    variables: dict[str, Any] | None = None


class Message(_Struct):
    """A chat message. `content` is text, or a list of parts as OpenAI-style APIs have them; null beside tool calls."""

    role: Name = None
    content: str | list[Any] | None = None
    name: Name = None
    tool_call_id: OptionalId = None
    tool_calls: list[Any] | None = None


class Document(_Struct):
    """A retrieved document (context). `score` is the retriever's, in its own unit."""

    id: OptionalId = None
    index_version: Name = None
    score: Finite = None
    text: str | None = None


class ErrorInfo(_Struct):
    """What went wrong, as the provider said it; `code` is often an HTTP status."""

    type: Name = None
    code: Annotated[str, Meta(max_length=256)] | Annotated[int, Meta(ge=-MAX_INT, le=MAX_INT)] | None = None
    message: str | None = None


class ToolCall(_Struct):
    """A tool the model asked for. `arguments` is any JSON: OpenAI sends a string holding JSON, others an object."""

    name: Name = None
    arguments: Any = None


class Usage(_Struct):
    """Token counts in OpenTelemetry's convention: input includes cached, output includes reasoning."""

    input_tokens: Count = None
    output_tokens: Count = None
    cache_read_tokens: Count = None
    cache_write_tokens: Count = None
    reasoning_tokens: Count = None


class Rail(_Struct):
    """The verdict of one guard rail."""

    name: Name = None
    stage: RailStage | None = None
    verdict: RailVerdict | None = None
    detail: str | None = None


class Request(_Struct):
    """A model call (or tool, retrieval or agent step) started."""

    event_id: Id
    time: Time
    request_id: Id
    model: ModelName
    session_id: OptionalId = None
    tenant: Name = DEFAULT_TENANT
    feature: Name = None
    environment: Name = None
    user_id: OptionalId = None
    trace_id: OptionalId = None
    span_id: OptionalId = None
    parent_span_id: OptionalId = None
    operation: Operation | None = "chat"
    provider: Name = None
    prompt: Prompt | None = None
    system_instructions: str | None = None
    messages: list[Message] | None = None
    params: dict[str, Any] | None = None
    documents: list[Document] | None = None
    tools: list[Any] | None = None
    output_schema: dict[str, Any] | bool | None = None
    timeout_ms: Annotated[int, Meta(ge=1, le=604_800_000)] | None = DEFAULT_TIMEOUT_MS
    variant: Variant | None = "live"
    shadow_of: OptionalId = None

    def __post_init__(self) -> None:
        if not _FIRST <= self.time < _LAST:
            raise ValueError(_outside(self.time))
        if not self.session_id:
            self.session_id = None
        if not self.tenant:
            self.tenant = DEFAULT_TENANT
        if self.operation is None:
            self.operation = "chat"
        if self.variant is None:
            self.variant = "live"
        if self.timeout_ms is None:
            self.timeout_ms = DEFAULT_TIMEOUT_MS


class Response(_Struct):
    """A call ended, in whatever way. `status` is as the service saw it, `finish_reason` as the provider wrote it."""

    event_id: Id
    time: Time
    request_id: Id
    response_id: Id
    status: Status
    session_id: OptionalId = None
    tenant: Name = DEFAULT_TENANT
    model: Name = None
    system_fingerprint: Name = None
    error: ErrorInfo | None = None
    finish_reason: Name = None
    output: str | None = None
    tool_calls: list[ToolCall] | None = None
    usage: Usage | None = None
    cost_usd: Usd = None
    latency_ms: Millis = None
    ttft_ms: Millis = None
    rails: list[Rail] | None = None
    cache: CacheResult | None = None

    def __post_init__(self) -> None:
        if not _FIRST <= self.time < _LAST:
            raise ValueError(_outside(self.time))
        if not self.session_id:
            self.session_id = None
        if not self.tenant:
            self.tenant = DEFAULT_TENANT


class Feedback(_Struct):
    """A signal from a user, explicit or implicit. `value`: rating 0..1, dwell in seconds, otherwise free."""

    event_id: Id
    time: Time
    kind: FeedbackKind
    session_id: OptionalId = None
    request_id: OptionalId = None
    response_id: OptionalId = None
    tenant: Name = DEFAULT_TENANT
    value: Finite = None
    comment: str | None = None
    user_id: OptionalId = None

    def __post_init__(self) -> None:
        if not _FIRST <= self.time < _LAST:
            raise ValueError(_outside(self.time))
        self.session_id = self.session_id or None
        self.request_id = self.request_id or None
        self.response_id = self.response_id or None
        self.tenant = self.tenant or DEFAULT_TENANT
        if not (self.response_id or self.request_id or self.session_id):
            raise ValueError("response_id: one of response_id, request_id, session_id is required")
        if self.kind == "rating" and not (self.value is not None and 0 <= self.value <= 1):
            raise ValueError(f"value: a rating is a number from 0 to 1, got {_shown(self.value)}")
        if self.kind == "dwell" and not (self.value is not None and self.value >= 0):
            raise ValueError(f"value: a dwell is a number of seconds >= 0, got {_shown(self.value)}")


class Evaluation(_Struct):
    """A score from 0 to 1 given to a response."""

    event_id: Id
    time: Time
    response_id: Id
    name: ModelName
    score: Unit
    session_id: OptionalId = None
    request_id: OptionalId = None
    tenant: Name = DEFAULT_TENANT
    label: Name = None
    explanation: str | None = None
    source: EvaluationSource | None = None

    def __post_init__(self) -> None:
        if not _FIRST <= self.time < _LAST:
            raise ValueError(_outside(self.time))
        self.session_id = self.session_id or None
        self.request_id = self.request_id or None
        self.tenant = self.tenant or DEFAULT_TENANT


Event = Request | Response | Feedback | Evaluation

EVENT_KINDS: dict[str, type[Event]] = {
    "requests": Request,
    "responses": Response,
    "feedback": Feedback,
    "evaluations": Evaluation,
}
"""Topic suffix (topic without its prefix) -> what it carries."""

E = TypeVar("E", Request, Response, Feedback, Evaluation)

_Fields = dict[str, "_Fields | None"]
"""The known fields of an object; those that hold such objects (or lists of them) have theirs as value."""

_UNKNOWN_FIELD = "Object contains unknown field"
_PATH = re.compile(r"^(?P<text>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
_MISSING = re.compile(r"^Object missing required field `(.*)`$")
_MALFORMED = re.compile(r"^JSON is malformed: (.*) \(byte (\d+)\)$")
_PLAIN_WORD = re.compile(r"^[A-Za-z][A-Za-z_-]{0,39}$")

_CHOICES: dict[str, tuple[str, ...]] = {
    "operation": get_args(Operation),
    "variant": get_args(Variant),
    "status": get_args(Status),
    "cache": get_args(CacheResult),
    "stage": get_args(RailStage),
    "verdict": get_args(RailVerdict),
    "kind": get_args(FeedbackKind),
    "source": get_args(EvaluationSource),
}


def _outside(time: datetime) -> str:
    return f"time: {time.isoformat()} is outside 1970..2100"


def _shown(value: object) -> str:
    """A wrong value as a reason may show it. Reasons end in logs: text is shown only when it cannot be personal data."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value) if not isinstance(value, int) or abs(value) < 10**40 else "an int of more than 40 digits"
    if isinstance(value, str):
        return f"'{value}'" if _PLAIN_WORD.match(value) else f"a str of {len(value)} characters"
    return "an object" if isinstance(value, dict) else "an array"


def _known_fields(struct: type[msgspec.Struct]) -> _Fields:
    def nested(kind: msgspec.inspect.Type) -> "_Fields | None":
        if isinstance(kind, msgspec.inspect.UnionType):
            return next((found for found in map(nested, kind.types) if found is not None), None)
        if isinstance(kind, msgspec.inspect.ListType):
            return nested(kind.item_type)
        return _known_fields(kind.cls) if isinstance(kind, msgspec.inspect.StructType) else None

    info = cast(msgspec.inspect.StructType, msgspec.inspect.type_info(struct))
    return {field.encode_name: nested(field.type) for field in info.fields}


def _take_unknown(tree: dict[str, Any], fields: _Fields) -> dict[str, Any]:
    """Remove what `fields` does not know from `tree` and return it, in the same shape; list items without any are {}."""
    unknown: dict[str, Any] = {}
    for key in list(tree):
        value = tree[key]
        if key not in fields:
            unknown[key] = tree.pop(key)
            continue
        inner = fields[key]
        if inner is None:
            continue
        if isinstance(value, dict):
            if found := _take_unknown(value, inner):
                unknown[key] = found
        elif isinstance(value, list):
            items = [_take_unknown(item, inner) if isinstance(item, dict) else {} for item in value]
            if any(items):
                unknown[key] = items
    return unknown


def _too_deep(value: bytes) -> bool:
    """Whether valid JSON nests deeper than MAX_DEPTH. Exact, and without a Python step per byte or bracket."""
    if value.count(b"[") + value.count(b"{") <= MAX_DEPTH:
        return False
    # Without escapes every quote begins or ends a string, so the even pieces are what lies outside of strings.
    outside = b"".join(value.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    brackets = outside.translate(bytes.maketrans(b"{}", b"[]"), delete=_NOT_BRACKETS)
    for _ in range(MAX_DEPTH):  # each round removes the innermost level
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return False
    return True


_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"


def _at(value: bytes, path: str) -> tuple[bool, object]:
    """The value at an error's path, to show it; (False, None) when the path cannot be followed (inside free-form JSON)."""
    try:
        found: Any = msgspec.json.decode(value)
        for name, index in _STEP.findall(path):
            found = found[int(index)] if index else found[name]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        return False, None
    return True, found


def _explain_validation(error: msgspec.ValidationError, value: bytes) -> str:
    match = _PATH.match(str(error))
    if match is None or str(error).startswith(("time: ", "value: ", "response_id: ")):
        return str(error)  # from a __post_init__ above: already in this form
    text, path = match["text"], (match["path"] or "").lstrip(".")
    if missing := _MISSING.match(text):
        return f"{path}.{missing[1]}".lstrip(".") + ": required field is missing"
    text = text.replace("`", "").replace(" | null", "")
    text = text[:1].lower() + text[1:]
    if ", got " not in text:
        found, wrong = _at(value, path)
        choices = _CHOICES.get(path.rpartition(".")[2], ())
        if text.startswith("invalid enum value"):
            text = f"expected one of {', '.join(choices)}, got {_shown(wrong)}"
        elif found:
            text = f"{text}, got {_shown(wrong)}"
    return f"{path}: {text}" if path else text


def _explain_malformed(error: msgspec.DecodeError, value: bytes) -> str:
    text = str(error)
    if match := _MALFORMED.match(text):
        if "surrogate" in match[1]:
            return f"not valid JSON: lone surrogate (half of a UTF-16 pair) at byte {match[2]}"
        return f"not valid JSON: {match[1]} at byte {match[2]}"
    try:
        # msgspec reports a high surrogate without its low half as truncated input. The standard library accepts
        # those, so when it can read the value, that was the reason.
        json.loads(value)
    except (ValueError, RecursionError):
        return f"not valid JSON: ends too early at byte {len(value)}"
    return "not valid JSON: lone surrogate (half of a UTF-16 pair)"


def _explain(error: Exception, value: bytes) -> str:
    if isinstance(error, msgspec.ValidationError):
        reason = _explain_validation(error, value)
    elif isinstance(error, msgspec.DecodeError):
        reason = _explain_malformed(error, value)
    elif isinstance(error, UnicodeDecodeError):
        try:
            value.decode()  # msgspec gives the position within the string, this one gives it within the event
        except UnicodeDecodeError as whole:
            error = whole
        reason = f"not valid UTF-8: byte 0x{error.object[error.start]:02x} at byte {error.start}"
    else:
        reason = _TOO_DEEP
    return reason if len(reason) <= MAX_REASON else reason[: MAX_REASON - 3] + "..."


_LEVELS_ABOVE = 4
"""How many levels of an event are above its free-form parts, at most: the event, its messages, one of them, its field."""

_BAD_INPUT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode_any = msgspec.json.Decoder().decode
_pack = msgspec.msgpack.Encoder().encode


def _fits(free_form: object) -> bool:
    """Whether all integers in it have at most 64 bits. MessagePack can hold no others, and encoding is the fastest look."""
    try:
        _pack(free_form)
    except OverflowError:
        return False
    return True


def _with_floats(tree: Any) -> Any:
    """`tree` with integers beyond 64 bits as floats, which is what they are to most readers of JSON."""
    if isinstance(tree, dict):
        return {key: _with_floats(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_with_floats(item) for item in tree]
    if isinstance(tree, int) and not -(2**63) <= tree < 2**64:
        return float(tree)
    return tree


def _decoder(struct: type[E], free_form: Callable[[E], object]) -> Callable[[bytes | None], tuple[E, bytes | None]]:
    """The decoder of one kind.

    `free_form` gives the parts of an event that are untyped JSON, where alone depth and numbers have no bounds; false
    when there are none. They stand at most `_LEVELS_ABOVE` levels deep in the event.
    """
    typed = msgspec.json.Decoder(struct).decode
    fields = _known_fields(struct)

    def generic(value: bytes) -> tuple[E, bytes | None]:
        try:
            tree = _decode_any(value)
            if _too_deep(value):
                raise EventError(_TOO_DEEP)
            unknown = _take_unknown(tree, fields)
            event = msgspec.convert(tree, struct)
            if not _fits(free_form(event)):
                event = msgspec.convert(_with_floats(tree), struct)
        except _BAD_INPUT as error:
            raise EventError(_explain(error, value)) from error
        except OverflowError as error:
            raise EventError("an integer is out of range") from error
        return event, msgspec.json.encode(unknown) if unknown else None

    def decode_one(value: bytes | None) -> tuple[E, bytes | None]:
        if not value:
            raise EventError("empty value")
        if len(value) > MAX_EVENT_BYTES:
            raise EventError(f"{len(value) / 1e6:.1f} MB is more than the 16 MiB an event may have")
        try:
            event = typed(value)
        except _BAD_INPUT as error:
            if str(error).startswith(_UNKNOWN_FIELD):
                return generic(value)
            raise EventError(_explain(error, value)) from error
        if parts := free_form(event):
            try:
                packed = _pack(parts)
            except OverflowError:
                return generic(value)
            except RecursionError as error:
                raise EventError(_TOO_DEEP) from error
            # Every level takes a byte, so what is short is not deep, and most of it is short.
            if len(packed) > MAX_DEPTH - _LEVELS_ABOVE and _too_deep(value):
                raise EventError(_TOO_DEEP)
        return event, None

    return decode_one


def _free_form_of(event: Request) -> list[object]:
    parts: list[object] = [part for part in (event.params, event.tools, event.output_schema) if part]
    if event.prompt is not None and event.prompt.variables:
        parts.append(event.prompt.variables)
    for message in event.messages or ():
        if message.tool_calls or isinstance(message.content, list):
            parts.append((message.content, message.tool_calls))
    return parts


decode_request_with_unknown = _decoder(Request, _free_form_of)
decode_response_with_unknown = _decoder(Response, lambda event: event.tool_calls)
decode_feedback_with_unknown = _decoder(Feedback, lambda event: None)
decode_evaluation_with_unknown = _decoder(Evaluation, lambda event: None)

DECODERS: dict[str, Callable[[bytes | None], tuple[Event, bytes | None]]] = {
    "requests": decode_request_with_unknown,
    "responses": decode_response_with_unknown,
    "feedback": decode_feedback_with_unknown,
    "evaluations": decode_evaluation_with_unknown,
}
"""Kind -> `decode_with_unknown` of that kind, for loops over many events."""


def decode_with_unknown(kind: str, value: bytes | None) -> tuple[Event, bytes | None]:
    """The event in `value`, and its unknown fields as JSON object text (None when there are none, the usual case).

    One pass: prefer this (or its per-kind forms) to `decode` and `unknown_fields` one after the other. Raises EventError.
    """
    return DECODERS[kind](value)


def decode(kind: str, value: bytes | None) -> Event:
    """The event of `kind` (a key of EVENT_KINDS) in `value`; EventError says why there is none."""
    return DECODERS[kind](value)[0]


def decode_request(value: bytes | None) -> Request:
    return decode_request_with_unknown(value)[0]


def decode_response(value: bytes | None) -> Response:
    return decode_response_with_unknown(value)[0]


def decode_feedback(value: bytes | None) -> Feedback:
    return decode_feedback_with_unknown(value)[0]


def decode_evaluation(value: bytes | None) -> Evaluation:
    return decode_evaluation_with_unknown(value)[0]


def unknown_fields(value: bytes, kind: str) -> bytes | None:
    """The fields of a valid event that this version does not know, as JSON object text; None when there are none.

    The text has the shape of the event (unknown fields of `usage` are under "usage"; of `messages` in a list as long as
    it). It is text of the service: mask it like `messages` before it is stored. Costs a decode; see `decode_with_unknown`.
    """
    return DECODERS[kind](value)[1]
