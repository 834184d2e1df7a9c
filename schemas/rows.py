"""The rows the sink writes to ClickHouse as JSONEachRow: `msgspec.json.encode(row)` is one line.

A field left at its default is left out of the line; the column's DEFAULT in `clickhouse/*.sql` is the same value (a test
holds them together). Times are RFC 3339 and need `date_time_input_format=best_effort`; money is decimal text, made by
`money`; columns that hold JSON are given as values (`Json`) or as text made by `json_text`. Every name here is a column of
the storage table `TABLE`; what data scientists read are the views over it, which hide repeated and superseded rows.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, ClassVar

import msgspec

DATABASE = "mirante"

INSERT_SETTINGS: Mapping[str, Any] = {
    "date_time_input_format": "best_effort",
    # Lines of labels are the messages of their topic, in which an absent value is null.
    "input_format_null_as_default": 1,
    # 1 is ClickHouse's default since 26.x; an insert would then be acknowledged before it is stored, or not alone.
    "async_insert": 0,
    # Tables are partitioned by month, and 100 is the default limit. Late or wrong clocks must not fail an insert.
    "max_partitions_per_insert_block": 0,
    # Repeats are harmless by the rows' identity and version; block deduplication would drop equal legitimate blocks.
    "insert_deduplicate": 0,
}
"""Settings every insert of these rows needs."""

OUTCOMES = (
    "ok",
    "refusal",
    "content_filter",
    "truncated",
    "api_error",
    "timeout",
    "cancelled",
    "blocked",
    "unanswered",
)
"""How an interaction can end; `CostPartRow` counts each in a column of that name."""

COST_SOURCES = ("reported", "computed", "override", "partial", "unknown")

TOKEN_COLUMNS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")

_PICO = Decimal("1e-12")

Json = object
"""A column that holds JSON text. Any value is written as JSON where it stands; ClickHouse takes that text into its String column as it is
(input_format_json_read_objects_as_strings and its like, on by default), which spares encoding it twice."""
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""More digits than Decimal(38, 12) has, whatever the thread's context."""


def json_text(value: object) -> str:
    """`value` as JSON text, for the columns that hold JSON; Structs and lists of them included."""
    return msgspec.json.encode(value).decode()


def money(usd: float | Decimal) -> str:
    """USD as decimal text with 12 places, the scale of the `cost_usd` columns; a float by its shortest notation."""
    exact = usd if isinstance(usd, Decimal) else Decimal(repr(usd))
    return format(exact.quantize(_PICO, context=EXACT), "f")


def picodollars(amount: int) -> str:
    """Picodollars (1e-12 USD, not negative) as decimal text in USD, as `money` writes it."""
    if amount < 10**12:  # as of nearly all calls
        return "0." + str(amount).zfill(12)
    digits = str(amount)
    return f"{digits[:-12]}.{digits[-12:]}"


def in_picodollars(usd: float) -> int:
    """USD as a whole number of 1e-12 USD, rounded as `money` rounds."""
    return int(Decimal(repr(usd)).quantize(_PICO, context=EXACT).scaleb(12, EXACT))


def merged_extra(request: bytes | None, response: bytes | None) -> str:
    """The `extra` column of an interaction: `{"request": {...}, "response": {...}}`, each only if it has unknown fields."""
    parts = [b'"%s":%s' % (name, text) for name, text in ((b"request", request), (b"response", response)) if text is not None]
    return (b"{%s}" % b",".join(parts)).decode()


class TableRow(msgspec.Struct, kw_only=True, gc=False, omit_defaults=True):
    """What every row is: a Struct with the columns of its storage table; a field at its default is left out of the line."""

    TABLE: ClassVar[str]
    """The storage table in DATABASE."""
    LAST_IDENTIFIER: ClassVar[str] = ""
    """Of rows that hold text: the last column, always written, before those with text. Masking looks behind it only."""


class InteractionRow(TableRow, kw_only=True):
    """A request with its response. `version` is 1 while unanswered and 2 once answered: the largest is complete.

    Sort key, hence immutable, from the request alone: tenant, feature, time, request_id. A missing text is '', a missing
    number NULL.
    """

    TABLE: ClassVar[str] = "interactions_data"
    LAST_IDENTIFIER: ClassVar[str] = "outcome"

    time: datetime
    request_id: str
    version: int
    request_event_id: str = ""
    response_event_id: str = ""
    response_id: str = ""
    session_id: str = ""
    tenant: str = "default"
    feature: str = ""
    environment: str = ""
    user_id: str = ""
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    operation: str = "chat"
    provider: str = ""
    model_requested: str = ""
    model: str = ""
    prompt_name: str = ""
    prompt_sha: str = ""
    index_version: str = ""
    timeout_ms: int = 15_000
    variant: str = "live"
    shadow_of: str = ""
    response_time: datetime | None = None
    status: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_read_audio_tokens: int | None = None
    cache_read_image_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    output_image_tokens: int | None = None
    cost_usd: str | None = None
    cost_source: str = "unknown"
    price_book_version: str = ""
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cache: str = ""
    json_valid: bool | None = None
    outcome: str
    error_type: str = ""
    error_code: str = ""
    finish_reason: str = ""
    system_fingerprint: str = ""
    usage_requests: dict[str, int] = msgspec.field(default_factory=dict)
    usage_unknown: list[str] = msgspec.field(default_factory=list)
    service_tier: str = ""
    region: str = ""
    json_error: str = ""
    injection: Json = "[]"
    prompt_variables: Json = "{}"
    system_instructions: str = ""
    messages: Json = "[]"
    params: Json = "{}"
    documents: Json = "[]"
    tools: Json = "[]"
    output_schema: Json = ""
    error_message: str = ""
    output: str = ""
    tool_calls: Json = "[]"
    rails: Json = "[]"
    pii: Json = "[]"
    extra: str = "{}"
    odd_fields: list[str] = msgspec.field(default_factory=list)


class FeedbackRow(TableRow, kw_only=True):
    """A user's signal. A repeat is identical, so any of them may stay."""

    TABLE: ClassVar[str] = "feedback_data"
    LAST_IDENTIFIER: ClassVar[str] = "kind"

    time: datetime
    event_id: str
    tenant: str = "default"
    session_id: str = ""
    request_id: str = ""
    response_id: str = ""
    value: float | None = None
    user_id: str = ""
    kind: str
    comment: str = ""
    pii: Json = "[]"
    extra: str = "{}"
    odd_fields: list[str] = msgspec.field(default_factory=list)


class EvaluationRow(TableRow, kw_only=True):
    """A score given to a response. A repeat is identical, so any of them may stay."""

    TABLE: ClassVar[str] = "evaluations_data"
    LAST_IDENTIFIER: ClassVar[str] = "name"

    time: datetime
    event_id: str
    response_id: str
    score: float
    tenant: str = "default"
    session_id: str = ""
    request_id: str = ""
    name: str
    source: str = ""
    label: str = ""
    explanation: str = ""
    pii: Json = "[]"
    extra: str = "{}"
    odd_fields: list[str] = msgspec.field(default_factory=list)


class CostPartRow(TableRow):
    """One segment's share of a cost window: absolute numbers, replaced by the row with the largest `version`.

    `version` counts the requests and answers contained. Sketches are DDSketches with 1% relative accuracy, gamma =
    1.01/0.99: bin i counts values in (gamma^(i-1), gamma^i] milliseconds, its representative is 2*gamma^i/(gamma+1); bin
    -32768 counts values up to 0.001 ms and means 0. Bins are distinct; `*_counts` is as long as `*_bins`.
    """

    TABLE: ClassVar[str] = "cost_parts"

    window_start: datetime
    window_seconds: int
    source: str
    source_partition: int
    segment: int
    version: int
    tenant: str = "default"
    feature: str = ""
    environment: str = ""
    provider: str = ""
    model: str = ""
    prompt_sha: str = ""
    variant: str = "live"
    requests: int = 0
    ok: int = 0
    refusal: int = 0
    content_filter: int = 0
    truncated: int = 0
    api_error: int = 0
    timeout: int = 0
    cancelled: int = 0
    blocked: int = 0
    unanswered: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: str = "0"
    unpriced_requests: int = 0
    partial_requests: int = 0
    latency_bins: list[int] = msgspec.field(default_factory=list)
    latency_counts: list[int] = msgspec.field(default_factory=list)
    ttft_bins: list[int] = msgspec.field(default_factory=list)
    ttft_counts: list[int] = msgspec.field(default_factory=list)


class AlertRow(TableRow):
    """One state of an alert. `version` counts the states of this alert from 1: the largest is the latest, whatever the order of arrival.

    Sort key, hence immutable: starts_at, alert_id.
    """

    TABLE: ClassVar[str] = "alerts_data"

    alert_id: str
    version: int
    fingerprint: str
    name: str
    severity: str
    status: str
    starts_at: datetime
    updated_at: datetime
    labels: dict[str, str]
    annotations: dict[str, str]
    ends_at: datetime | None = None
    value: float | None = None
    expected: float | None = None
    threshold: float | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
    evidence: Json = "{}"
    generator: str = ""


class LabelRow(TableRow):
    """One version of a label. ``version`` counts the versions of this label from 1: the largest is the latest. Its line is the message of
    the topic (:class:`schemas.outputs.Label`), which has the same fields; null is the column's default.

    Sort key, hence immutable: tenant, feature, time, label_id. ``time`` is when the answer ended; ``signals`` is a JSON list of objects
    with ``kind``, ``weight`` (log-odds it adds) and ``event_id``.
    """

    TABLE: ClassVar[str] = "labels_data"

    time: datetime
    label_id: str
    response_id: str
    version: int
    label: str
    score: float
    request_id: str = ""
    session_id: str = ""
    tenant: str = "default"
    feature: str = ""
    model: str = ""
    explicit: bool = False
    signals: Json = msgspec.field(default="[]")
    final: bool = False


class ControlRow(TableRow):
    """Something that happened to a switch. Identity: cluster, topic, partition, offset and status; a repeat is identical.

    `status`: `recorded`, a record of llm.controls; `expired`, its `expires_at` has come (no record: readers know by themselves);
    `dry_run` and `refused`, what a rule of `[[switches]]` would have done, and what it was not allowed to do, `note` says why. The
    position is that of the record, for the last two that of the rule's proposal. `limit` is in requests per minute. `author` is who
    ran the command, as their machine knows them.
    """

    TABLE: ClassVar[str] = "controls_data"

    cluster: str
    topic: str
    partition: int
    offset: int
    status: str
    time: datetime
    scope: str
    action: str
    limit: float | None = None
    reason: str = ""
    source: str = "operator"
    expires_at: datetime | None = None
    author: str = ""
    note: str = ""


class SilenceRow(TableRow):
    """A silence of alerts. Identity: id; the largest `version`, the place of the record, is the latest word on it."""

    TABLE: ClassVar[str] = "silences_data"

    id: str
    version: int
    matchers: dict[str, str]
    starts_at: datetime
    ends_at: datetime
    comment: str = ""
    created_by: str = ""


class DeadLetterRow(TableRow):
    """A record that could not be processed. Identity: source (cluster id), topic, partition, offset.

    `key` and `value` are base64 ('' when the record had none), `headers` JSON text: a list of [name, base64].
    """

    TABLE: ClassVar[str] = "deadletter_data"

    source: str
    topic: str
    partition: int
    offset: int
    time: datetime
    stage: str
    reason: str
    key: str = ""
    value: str = ""
    headers: str = "[]"


class RepeatRow(TableRow):
    """A record whose event was published before, or elsewhere: it counts once. Identity: source (cluster id), topic, partition, offset.

    Of all copies of an event one has no such row, and which one follows from the copies (agents/interactions/copies.py). `time` is
    when the record was written to Kafka.
    """

    TABLE: ClassVar[str] = "repeats_data"

    source: str
    topic: str
    partition: int
    offset: int
    time: datetime
    event_id: str


Row = InteractionRow | FeedbackRow | EvaluationRow | CostPartRow | AlertRow | LabelRow | ControlRow | DeadLetterRow | RepeatRow
