"""The events Mirante publishes (public contract, section 3, and the dead letters and judge tasks of section 1)."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from schemas.events import Document, FeedbackKind, Message, Time, Unit

Severity = Literal["page", "ticket", "info"]
AlertStatus = Literal["firing", "resolved"]
AlertName = Literal[
    "CostAnomaly", "BudgetBurn", "BudgetExhausted", "RunawayLoop", "RateLimitExceeded", "LatencyAnomaly",
    "LatencySLOBurn", "ErrorRate", "RefusalRate", "OutputInvalid", "PiiLeak", "PromptInjection", "UnansweredRequests",
    "UnpricedModel", "UnversionedPrompt", "QualityDrop", "Drift", "ShadowRegression", "TrafficAnomaly", "WatchAnomaly",
]  # fmt: skip
DriftCause = Literal[
    "input_drift", "prompt_change", "model_change", "index_change", "traffic_mix", "silent_provider_change", "unknown"
]
SignalKind = FeedbackKind | Literal["reformulation", "acceptance", "complaint", "topic_change", "session_end"]
LabelName = Literal["positive", "negative", "neutral"]
ControlAction = Literal["kill", "throttle", "restore"]

Scope = Annotated[str, Meta(pattern=r"^(global|(tenant|feature|model|user|session):.+)$", max_length=512)]
"""What a control applies to: `global`, or `tenant:x`, `feature:x`, `model:x`, `user:x`, `session:x`."""

Base64 = str


class _Output(msgspec.Struct, kw_only=True, gc=False):
    """Every field is written, null included: readers need not know which fields may be missing."""


class Window(_Output):
    """A span of event time: start inclusive, end exclusive."""

    start: Time
    end: Time


class Alert(_Output):
    """A step in an alert's life. One fingerprint has at most one firing alert at a time; the message key is it."""

    alert_id: str
    fingerprint: str
    name: AlertName
    severity: Severity
    status: AlertStatus
    starts_at: Time
    updated_at: Time
    ends_at: Time | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    value: float | None = None
    expected: float | None = None
    threshold: float | None = None
    window: Window | None = None
    evidence: dict[str, Any] = msgspec.field(default_factory=dict)
    generator: str = ""


class Signal(_Output):
    """What a label was inferred from; `event_id` names the event it was seen in, null when it was seen in its absence."""

    kind: SignalKind
    weight: float
    event_id: str | None = None


class Label(_Output, kw_only=True):
    """Whether an answer satisfied its user. `score` is the probability that it did."""

    label_id: str
    response_id: str
    request_id: str | None = None
    session_id: str | None = None
    tenant: str = "default"
    feature: str | None = None
    model: str | None = None
    time: Time
    label: LabelName
    score: Unit
    explicit: bool = False
    signals: list[Signal] = msgspec.field(default_factory=list)
    final: bool = False
    version: int = 1


class Control(_Output):
    """A kill switch or throttle; the message key is `scope`, the latest one holds. `limit` is in requests per minute."""

    scope: Scope
    action: ControlAction
    time: Time
    limit: Annotated[float, Meta(ge=0)] | None = None
    reason: str = ""
    source: str = "operator"
    expires_at: Time | None = None


class DeadLetter(_Output):
    """A record that could not be processed, bytes untouched (base64). Identity: source, topic, partition, offset.

    `source` is the Kafka cluster id, `stage` the step that gave up, `time` when it did.
    """

    source: str
    topic: str
    partition: int
    offset: int
    stage: str
    reason: str
    time: Time
    value: Base64 | None = None
    key: Base64 | None = None
    headers: list[tuple[str, Base64 | None]] = msgspec.field(default_factory=list)


class JudgeTask(_Output):
    """A sampled response for a judge to score; the judge answers with an Evaluation for `response_id`. Text is masked."""

    task_id: str
    response_id: str
    request_id: str
    time: Time
    criteria: list[str]
    session_id: str | None = None
    tenant: str = "default"
    feature: str | None = None
    model: str | None = None
    system_instructions: str | None = None
    messages: list[Message] = msgspec.field(default_factory=list)
    documents: list[Document] = msgspec.field(default_factory=list)
    output: str | None = None
    reasons: list[str] = msgspec.field(default_factory=list)
    """Why it was chosen: `sample`, or what makes the answer doubtful."""
