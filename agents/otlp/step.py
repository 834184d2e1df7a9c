"""What a span says, in one vocabulary: what every dialect is brought to."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from schemas.events import Document, ErrorInfo, Message, ToolCall

StepKind = Literal[
    "chat", "text_completion", "embeddings", "tool", "retrieval", "agent", "workflow", "other"
]
"""The first three are calls of a model; `workflow` is a chain, task or step; `other` says nothing
of AI and is kept for its place in the trace."""

MODEL_CALLS: frozenset[StepKind] = frozenset({"chat", "text_completion", "embeddings"})
STEPS: frozenset[StepKind] = frozenset({"tool", "retrieval", "agent"})


class Used(msgspec.Struct, frozen=True, gc=False):
    """What a call used. `counts` and `requests` as in `schemas.usage.Normalised`."""

    counts: dict[str, int] = {}
    requests: dict[str, int] = {}
    rest: dict[str, Any] = {}
    """What may be charged for and is in neither."""


class Step(msgspec.Struct, kw_only=True, gc=False):
    """One span, understood. Times are nanoseconds since 1970; empty means that nothing was said."""

    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    scope: str = ""
    kind: StepKind = "other"
    name: str = ""
    """What was called, for people: the tool, the agent, the data source, or the span's name."""
    provider: str = ""
    model: str = ""
    """As asked for."""
    answered_by: str = ""
    """The model that answered, as the provider names it."""
    response_id: str = ""
    """The provider's id of the answer."""
    used: Used = Used()
    cost_usd: float | None = None
    """As reported; never 0."""
    params: dict[str, Any] = {}
    system: str = ""
    input: list[Message] = []
    output: str = ""
    tool_calls: list[ToolCall] = []
    """Tools the model asked for."""
    tools: list[Any] = []
    """Tools that were offered to it."""
    documents: list[Document] = []
    finish_reason: str = ""
    error: ErrorInfo | None = None
    """None if the span did not fail. A refusal or a filtered answer is a finish reason."""
    ttft_ms: float | None = None
    is_streaming: bool = False
    service_tier: str = ""
    system_fingerprint: str = ""
    region: str = ""
    is_cached: bool | None = None
    """Whether the answer came from a gateway's cache."""
    extra: dict[str, Any] = {}
    """What the span says as text inside an attribute, by the names it would have as attributes."""
