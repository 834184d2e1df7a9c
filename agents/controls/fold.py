"""What is switched off or throttled: the records of ``llm.controls`` folded to the present state, free of I/O.

A service reads the topic from its start, hands every record to :meth:`Controls.record`, and asks :meth:`Controls.decide` before each
model call::

    switches = Controls()
    switches.record(message.key, message.value)
    decision = switches.decide(now, tenant="acme", feature="search", model="gpt-4o", user="u1", session="s1")
    if decision.action == "kill": ...

The rules, for services in other languages too: the last record of a scope by offset holds; ``restore`` and a null value end it; one whose
``expires_at`` has come is not in force, without any further record; of several scopes that apply the most restrictive wins.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from schemas.outputs import Control

SCOPE_KINDS = ("tenant", "feature", "model", "user", "session")
"""Besides ``global``."""

OPERATOR = "operator"

AUTHOR_HEADER = "mirante-author"
"""Record header: who ran the command that wrote a control."""

MAX_SCOPE = 512

_decode = msgspec.json.Decoder(Control).decode


class ControlError(ValueError):
    """A scope or a record of ``llm.controls`` that means nothing; the text says what is wrong."""


class Decision(NamedTuple):
    """What applies to a call. ``limit``: requests per minute, for a throttle. ``scope`` and ``reason`` say why; empty for ``allow``."""

    action: Literal["allow", "throttle", "kill"]
    limit: float | None = None
    scope: str = ""
    reason: str = ""


ALLOW = Decision("allow")


def checked_scope(text: str) -> str:
    """``text`` if it is a scope. Raises ControlError saying what to write."""
    kind, colon, name = text.partition(":")
    if text != "global" and (kind not in SCOPE_KINDS or not colon or not name.strip()):
        forms = ", ".join(f"{kind}:NAME" for kind in SCOPE_KINDS)
        raise ControlError(f"{text!r} is not a scope; write global or one of {forms}")
    if len(text) > MAX_SCOPE:
        raise ControlError(f"a scope has at most {MAX_SCOPE} characters; this one has {len(text)}")
    return text


def read_control(key: bytes | None, value: bytes) -> Control:
    """The control in a record. Raises ControlError saying why it is none."""
    try:
        control = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ControlError(f"not a control: {error}") from error
    checked_scope(control.scope)
    if key != control.scope.encode():
        # Compaction keeps the last record of a key: under another key a switch would outlive its restore.
        raise ControlError(f"the key of a control must be its scope, {control.scope!r}")
    if control.action == "throttle" and control.limit is None:
        raise ControlError("a throttle needs a limit, in requests per minute")
    return control


def is_in_force(control: Control, now: datetime) -> bool:
    """Whether a control stops or throttles anything at ``now``."""
    return control.action != "restore" and (control.expires_at is None or now < control.expires_at)


def strictness(control: Control) -> tuple[bool, float]:
    """Larger is more restrictive."""
    return (True, 0.0) if control.action == "kill" else (False, -(control.limit or 0.0))


class Controls:
    """The last control of every scope."""

    def __init__(self) -> None:
        self._latest: dict[str, Control] = {}

    def __iter__(self) -> Iterator[Control]:
        """The last control of every scope, restored and expired ones included, by scope."""
        return iter(sorted(self._latest.values(), key=lambda control: control.scope))

    def record(self, key: bytes | None, value: bytes | None) -> None:
        """Take the next record of ``llm.controls``. Raises ControlError for one that is no control: it changes nothing."""
        if value is None:
            self._latest.pop((key or b"").decode(errors="replace"), None)
        else:
            self.apply(read_control(key, value))

    def apply(self, control: Control) -> None:
        self._latest[control.scope] = control

    def decide(
        self,
        now: datetime,
        *,
        tenant: str | None = None,
        feature: str | None = None,
        model: str | None = None,
        user: str | None = None,
        session: str | None = None,
    ) -> Decision:
        """What applies to a call with these dimensions; those unknown are left out."""
        names = zip(SCOPE_KINDS, (tenant, feature, model, user, session), strict=True)
        scopes = ["global", *(f"{kind}:{name}" for kind, name in names if name)]
        found = [control for scope in scopes if (control := self._latest.get(scope)) and is_in_force(control, now)]
        if not found:
            return ALLOW
        control = max(found, key=strictness)  # of equals the wider scope
        action: Literal["kill", "throttle"] = "kill" if control.action == "kill" else "throttle"
        return Decision(action, control.limit if action == "throttle" else None, control.scope, control.reason)
