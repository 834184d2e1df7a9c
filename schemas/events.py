"""The four input events: their fields, types and bounds. `schemas.decoding` makes them from bytes.

Field names and meaning: the public contract, section 2. Only what the contract lists as required is required, in
nested objects too: a service that leaves out a rail's `stage` must not lose the cost of its answer. `null` in an
optional field means absent.

The Structs forbid unknown fields, which makes the usual event (no unknown field) free of any search for them: the
typed decode succeeds, so there was none. An event that has one is decoded another way, and keeps it.

Bounds: ids 512 characters, names (tenant, feature, model, ...) 256; longer ones are not names but mistakes, and they
are series keys held in memory. Token counts are at most 1e12 per call, so that no sum leaves 64 bits. Money is at
most 1e12 USD per call; Decimal(38, 12) holds the sum of 1e14 of those. Text is bounded by the event:
`schemas.decoding.MAX_EVENT_BYTES`.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

MAX_INT = 2**53 - 1
MAX_TOKENS = 10**12
"""Of one call; so sums over the largest segment fit 64 bits."""
MAX_USD = 1e12
MAX_NUMBER = 1e300
"""Largest number without a unit; its double is still a number."""
MAX_MS = 1e12
"""Longest duration in milliseconds (about 31 years)."""

_DAY = (
    "(?:19[7-9][0-9]|20[0-9]{2}|2100)-(?:"
    "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_LEAP_DAY = "(?:19(?:7[26]|8[048]|9[26])|20(?:[02468][048]|[13579][26]))-02-29"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
_ZONE = "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])"

Id = Annotated[str, Meta(min_length=1, max_length=512)]
OptionalId = Annotated[str, Meta(max_length=512)] | None
"""An id that may be missing. Empty means absent: otherwise all calls without a session would share the session ''."""
MAX_NAME = 256
Name = Annotated[str, Meta(max_length=MAX_NAME)] | None
ModelName = Annotated[str, Meta(min_length=1, max_length=256)]
Time = Annotated[
    datetime,
    Meta(
        tz=True,
        # In JSON Schema a format alone asserts nothing. No look-ahead, which validators in Go and Rust do not have.
        extra_json_schema={"pattern": f"^(?:{_DAY}|{_LEAP_DAY})[Tt ]{_CLOCK}{_ZONE}$"},
    ),
]
"""RFC 3339 with a zone. Events lie in the years 1970 to 2100, as written."""
Count = Annotated[int, Meta(ge=0, le=MAX_TOKENS)] | None
Millis = Annotated[float, Meta(ge=0, le=MAX_MS)] | None
Usd = Annotated[float, Meta(ge=0, le=MAX_USD)] | None
Unit = Annotated[float, Meta(ge=0, le=1)]
Finite = Annotated[float, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)] | None

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

VALUED_KINDS: tuple[FeedbackKind, ...] = ("rating", "dwell")
"""Kinds of feedback that say nothing without their `value`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SURE_YEAR, _LAST_YEAR = 1971, 2100
"""Years, as written, that need no second look. ClickHouse's DateTime of the cost windows ends in 2106."""

MODEL_CALLS = frozenset({"chat", "text_completion", "embeddings"})
"""Operations that cost money even if no usage is reported; a tool or agent step costs what its own model calls cost."""


class EventError(ValueError):
    """Why bytes are not an event. The text goes to the dead-letter topic as `reason`: it names field and fault."""

    @property
    def reason(self) -> str:
        return str(self.args[0])


def _since_1970(time: datetime) -> datetime:
    """`time` if an event may have it. A zero clock in a zone east of Greenwich lies before 1970: it is zero as well."""
    if not 1970 <= time.year <= _LAST_YEAR:
        raise ValueError(f"time: {time.isoformat()} is outside 1970..2100")
    return max(time, _EPOCH)


_PLAIN_WORD = re.compile(r"^[A-Za-z][A-Za-z_-]{0,39}$")


def shown(value: object) -> str:
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


class Extra(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What an event says beyond its Struct.

    `text`: JSON object text in the shape of the event (what belongs to `usage` is under "usage", to `messages` in a
    list as long as it); it holds the fields this version does not know, and the values of known fields that made no
    sense. None when there are none. It is text of the service: mask it like `messages` before it is stored.
    `odd_fields`: paths of the optional fields whose value made no sense, e.g. `rails[1].verdict`.
    `usage_unknown`: paths in `usage` of what may be charged for and is not in its counts (`schemas.usage`).
    """

    text: bytes | None
    odd_fields: list[str] = []
    usage_unknown: list[str] = []


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


REQUEST_NAME = "[A-Za-z_][A-Za-z0-9_.-]{0,63}"
"""Pattern of the names of what is charged by the piece: they become columns' keys and are never masked."""


class Usage(_Struct):
    """What a call used, in OpenTelemetry's convention: input includes cached, output includes reasoning, audio and images are parts of
    both. May also be given exactly as a provider's SDK returns it: `schemas.usage` recognises it.
    """

    input_tokens: Count = None
    output_tokens: Count = None
    cache_read_tokens: Count = None
    cache_read_audio_tokens: Count = None
    cache_read_image_tokens: Count = None
    cache_write_tokens: Count = None
    cache_write_1h_tokens: Count = None
    """The part of `cache_write_tokens` that is kept for an hour."""
    reasoning_tokens: Count = None
    input_audio_tokens: Count = None
    output_audio_tokens: Count = None
    input_image_tokens: Count = None
    output_image_tokens: Count = None
    requests: dict[Annotated[str, Meta(pattern=f"^{REQUEST_NAME}$")], Count] | None = None
    """What is charged by the piece: `web_search`, `code_execution`, ... -> how many."""


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
        if not _FIRST_SURE_YEAR <= self.time.year <= _LAST_YEAR:
            self.time = _since_1970(self.time)
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
    service_tier: Name = None
    """As served, which is what is billed: `default`, `priority`, `batch`, ... Params of the request say what was asked for."""
    region: Name = None
    """Where it was served, as the provider calls it: `us-east-1`, `europe-west4`, `global`."""
    cost_usd: Usd = None
    latency_ms: Millis = None
    ttft_ms: Millis = None
    rails: list[Rail] | None = None
    cache: CacheResult | None = None

    def __post_init__(self) -> None:
        if not _FIRST_SURE_YEAR <= self.time.year <= _LAST_YEAR:
            self.time = _since_1970(self.time)
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
        if not _FIRST_SURE_YEAR <= self.time.year <= _LAST_YEAR:
            self.time = _since_1970(self.time)
        self.session_id = self.session_id or None
        self.request_id = self.request_id or None
        self.response_id = self.response_id or None
        self.tenant = self.tenant or DEFAULT_TENANT
        if not (self.response_id or self.request_id or self.session_id):
            raise ValueError("response_id: one of response_id, request_id, session_id is required")
        if self.kind == "rating" and not (self.value is not None and 0 <= self.value <= 1):
            raise ValueError(f"value: a rating is a number from 0 to 1, got {shown(self.value)}")
        if self.kind == "dwell" and not (self.value is not None and self.value >= 0):
            raise ValueError(f"value: a dwell is a number of seconds >= 0, got {shown(self.value)}")


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
        if not _FIRST_SURE_YEAR <= self.time.year <= _LAST_YEAR:
            self.time = _since_1970(self.time)
        self.session_id = self.session_id or None
        self.request_id = self.request_id or None
        self.tenant = self.tenant or DEFAULT_TENANT


Event = Request | Response | Feedback | Evaluation


def key_of(event: Event) -> str:
    """The key under which an event is published, which decides its home partition: its session, else its request, else its response."""
    if event.session_id:
        return event.session_id
    if isinstance(event, Evaluation):
        return event.request_id or event.response_id
    if isinstance(event, Feedback):
        return event.request_id or event.response_id or ""
    return event.request_id


EVENT_KINDS: dict[str, type[Event]] = {
    "requests": Request,
    "responses": Response,
    "feedback": Feedback,
    "evaluations": Evaluation,
}
"""Topic suffix (topic without its prefix) -> what it carries."""
