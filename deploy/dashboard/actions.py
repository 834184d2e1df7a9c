"""What the dashboard may change: switches and silences. Each needs the token and a reason."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from agents.alerts.silence import Silence, silence_message
from agents.controls.durations import duration
from agents.controls.fold import checked_scope
from deploy.operator import write_control, write_message
from schemas.outputs import Control
from streams.settings import Settings
from streams.topics import Topics

AUTHOR = "dashboard"

Reason = Annotated[str, Meta(min_length=3, max_length=500)]


class ActionError(ValueError):
    """What was asked for cannot be done; the message says what to change."""


class Switch(msgspec.Struct, forbid_unknown_fields=True):
    """Stop or slow down the calls of a scope, or let them go on. ``lasts`` as in ``30m``."""

    scope: str
    action: Literal["kill", "throttle", "restore"]
    reason: Reason
    limit: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    lasts: str = ""


class Quiet(msgspec.Struct, forbid_unknown_fields=True):
    """Silence alerts: label -> pattern, all must match."""

    matchers: Annotated[dict[str, str], Meta(min_length=1, max_length=20)]
    lasts: str
    reason: Reason


def read_action(kind: type[Switch] | type[Quiet], body: bytes) -> Any:
    """The action in a request's body. Raises ActionError naming the field."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ActionError(str(error)) from error


async def switch(settings: Settings, wanted: Switch) -> dict[str, Any]:
    """Write a control to ``llm.controls``; services obey it. Returns what was written."""
    if not wanted.reason.strip():
        raise ActionError("reason: say why, others will ask")
    if (wanted.action == "throttle") != (wanted.limit is not None):
        raise ActionError("limit: requests per minute, for a throttle and for nothing else")
    now = datetime.now(UTC)
    try:
        scope = checked_scope(wanted.scope)
        expires = now + duration(wanted.lasts) if wanted.lasts else None
    except ValueError as error:
        raise ActionError(str(error)) from error
    control = Control(
        scope=scope,
        action=wanted.action,
        time=now,
        limit=wanted.limit,
        reason=wanted.reason,
        expires_at=None if wanted.action == "restore" else expires,
    )
    await write_control(settings, control, AUTHOR)
    return {"scope": scope, "action": control.action}


async def quiet(settings: Settings, wanted: Quiet) -> dict[str, Any]:
    """Silence alerts from now on. Returns the silence's id and end."""
    try:
        seconds = duration(wanted.lasts).total_seconds()
    except ValueError as error:
        raise ActionError(f"lasts: {error}") from error
    now = time.time()
    silence = Silence(
        id=uuid.uuid4().hex[:12],
        matchers=wanted.matchers,
        start=now,
        end=now + seconds,
        comment=wanted.reason,
        created_by=AUTHOR,
    )
    await write_message(settings, silence_message(Topics.of(settings).findings, silence))
    return {"id": silence.id, "until": silence.end}
