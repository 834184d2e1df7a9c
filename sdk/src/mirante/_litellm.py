"""What LiteLLM tells of a call, by the names of Mirante's events."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import litellm

from mirante._guard import describe
from mirante.context import current

FIELDS = (
    "session_id",
    "user_id",
    "tenant",
    "feature",
    "environment",
    "prompt",
    "documents",
    "variant",
    "shadow_of",
)
PROVIDERS = frozenset(str(getattr(p, "value", p)) for p in litellm.provider_list)


def bare(model: Any) -> str:
    """``openai/gpt-4o`` -> ``gpt-4o``: the model's own name, by which switches know it."""
    name = str(model or "unknown")
    provider, slash, rest = name.partition("/")
    return rest if slash and rest and provider in PROVIDERS else name


def answered_by(said: str | None, answer: Any, payload: Mapping[str, Any]) -> str | None:
    """The model that answered; ``said``: as the answer names it. The proxy writes its own name for
    the model over the provider's."""
    hidden = getattr(answer, "_hidden_params", None)
    provider = hidden.get("provider_response_model") if isinstance(hidden, Mapping) else None
    if provider:
        return str(provider)
    if said is not None and said == payload.get("model_group") and payload.get("model"):
        return bare(payload["model"])
    return said


def metadata(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    parameters = kwargs.get("litellm_params") or {}
    for holder, name in (
        (parameters, "metadata"),
        (parameters, "litellm_metadata"),
        (kwargs, "metadata"),
    ):
        found = holder.get(name) if isinstance(holder, Mapping) else None
        if isinstance(found, Mapping) and found:
            return dict(found)
    return {}


def known(
    metadata: Mapping[str, Any], payload: Mapping[str, Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """The event fields that a call says, the nearest to the caller first."""
    inner = metadata.get("mirante")
    requester = metadata.get("requester_metadata")
    said = {
        **(requester if isinstance(requester, Mapping) else {}),
        **metadata,
        **(inner if isinstance(inner, Mapping) else {}),
    }
    proxy = {
        "user_id": payload.get("end_user")
        or metadata.get("user_api_key_end_user_id")
        or kwargs.get("user"),
        "tenant": metadata.get("user_api_key_team_alias") or metadata.get("user_api_key_team_id"),
        "session_id": kwargs.get("litellm_session_id")
        or (kwargs.get("litellm_params") or {}).get("litellm_session_id"),
    }
    found = {n: v for n, v in proxy.items() if v}
    found.update({n: v for n, v in current().items() if v is not None})
    found.update({n: said[n] for n in FIELDS if said.get(n) is not None})
    if hasattr(found.get("prompt"), "fields"):
        found["prompt"] = found["prompt"].fields()
    return found


def seconds(value: Any, other: Any) -> float:
    for found in (value, other):
        if isinstance(found, datetime):
            return found.timestamp()
        if isinstance(found, (int, float)) and found > 0:
            return float(found)
    return time.time()


def ttft(payload: Mapping[str, Any], kwargs: Mapping[str, Any], started: float) -> float | None:
    if not (payload.get("stream") or kwargs.get("stream")):
        return None
    first = payload.get("completionStartTime")
    return (
        round((first - started) * 1000, 3)
        if isinstance(first, (int, float)) and first >= started
        else None
    )


def error(error: Any, payload: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(error, BaseException):
        return describe(error)
    told = payload.get("error_information") or {}
    return present({"type": told.get("error_class"), "code": told.get("error_code")}) or {
        "type": "unknown"
    }


def present(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if value is not None}
