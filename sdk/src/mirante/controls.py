"""Kill switches and throttles: the records of ``llm.controls`` folded to what is in force.

The rules are those of the server (``controls_vectors.json`` holds examples that the tests of both
read): the last record of a scope holds; ``restore`` and a null value end it; one whose
``expires_at`` has come is not in force; of several scopes that apply the most restrictive wins.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from math import isfinite
from typing import Any, Literal

KINDS = ("tenant", "feature", "model", "user", "session")
_ACTIONS = ("kill", "throttle", "restore")


@dataclass(frozen=True)
class Decision:
    """What applies to a call. ``limit``: requests per minute, of a throttle."""

    action: Literal["allow", "throttle", "kill"]
    limit: float | None = None
    scope: str = ""
    reason: str = ""

    @property
    def detail(self) -> str:
        """Scope and reason, for people."""
        return f"{self.scope}: {self.reason}" if self.reason else self.scope


ALLOW = Decision("allow")


@dataclass(frozen=True)
class Control:
    """A switch. ``expires_at``: epoch seconds, None for never."""

    scope: str
    action: str
    limit: float | None
    reason: str
    expires_at: float | None

    def in_force(self, now: float) -> bool:
        """Whether it stops or throttles anything at ``now`` (epoch seconds)."""
        return self.action != "restore" and (self.expires_at is None or now < self.expires_at)

    @property
    def strictness(self) -> tuple[bool, float]:
        """Larger is more restrictive."""
        return (True, 0.0) if self.action == "kill" else (False, -(self.limit or 0.0))


def read_control(value: Mapping[str, Any]) -> Control:
    """The control in a decoded record. Raises ValueError saying why it is none."""
    scope, action, limit = value.get("scope"), value.get("action"), value.get("limit")
    if not isinstance(scope, str) or not _is_scope(scope):
        raise ValueError("scope is neither global nor KIND:NAME")
    if action not in _ACTIONS:
        raise ValueError("action is none of kill, throttle, restore")
    if limit is not None and (
        isinstance(limit, bool)
        or not isinstance(limit, (int, float))
        or not isfinite(limit)
        or limit < 0
    ):
        raise ValueError("limit is not a number of requests per minute")
    if action == "throttle" and limit is None:
        raise ValueError("a throttle needs a limit")
    expires = value.get("expires_at")
    reason = value.get("reason")
    return Control(
        scope=scope,
        action=action,
        limit=None if limit is None else float(limit),
        reason=reason if isinstance(reason, str) else "",
        expires_at=None if expires is None else _seconds(expires),
    )


class Controls:
    """The last control of every scope. Not locked: records come from one thread, and a reader sees
    a state before or after a record.

    Example::

        controls = Controls()
        controls.record(b"global", b'{"scope": "global", "action": "kill", ...}')
        controls.decide(time.time(), feature="support").action  # "kill"
    """

    def __init__(self) -> None:
        self._latest: dict[str, Control] = {}

    def record(self, key: bytes | None, value: bytes | None) -> None:
        """Take the next record of the topic. Raises ValueError for what is no control."""
        if value is None:
            self._latest.pop((key or b"").decode(errors="replace"), None)
            return
        document = json.loads(value)
        if not isinstance(document, dict):
            raise ValueError("not an object")
        control = read_control(document)
        if key != control.scope.encode():
            raise ValueError("the key of a control must be its scope")
        self._latest[control.scope] = control

    def replace(self, values: Iterable[Mapping[str, Any]]) -> int:
        """Take the whole state, as ``GET /v1/controls`` answers it; returns how many were no
        controls."""
        latest: dict[str, Control] = {}
        faults = 0
        for value in values:
            try:
                control = read_control(value)
            except (ValueError, AttributeError):
                faults += 1
                continue
            latest[control.scope] = control
        self._latest = latest
        return faults

    def applying(self, now: float, names: Mapping[str, str | None]) -> list[Control]:
        """What is in force for a call, the wider scope first. ``names``: by kind of scope."""
        latest = self._latest
        if not latest:
            return []
        scopes = ["global", *(f"{kind}:{name}" for kind in KINDS if (name := names.get(kind)))]
        return [c for scope in scopes if (c := latest.get(scope)) and c.in_force(now)]

    def decide(self, now: float, **names: str | None) -> Decision:
        """What applies to a call with these names, by kind of scope; unknown ones are left out."""
        found = self.applying(now, names)
        return strictest(found) if found else ALLOW


def strictest(found: list[Control]) -> Decision:
    """The most restrictive of these; of equals the first."""
    control = max(found, key=lambda control: control.strictness)
    if control.action == "kill":
        return Decision("kill", None, control.scope, control.reason)
    return Decision("throttle", control.limit, control.scope, control.reason)


class Throttle:
    """Counts the calls of this process against the throttles that apply to them.

    At most ``limit`` calls pass in any 60 seconds; a limit below one lets one call pass in
    ``60 / limit`` seconds. A call counts against every throttle that applies, or against none when
    one of them refuses it.
    """

    _MOST_SCOPES = 10_000

    def __init__(self) -> None:
        self._passed: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def refuses(self, throttles: list[Control], now: float) -> Decision | None:
        """The throttle that refuses a call at ``now`` (seconds of a steady clock), if one does."""
        with self._lock:
            queues = []
            for control in throttles:
                limit = control.limit or 0.0
                passed = self._passed.setdefault(control.scope, deque())
                window = 60.0 if limit >= 1 else 60.0 / limit if limit > 0 else 60.0
                while passed and passed[0] <= now - window:
                    passed.popleft()
                if len(passed) >= (int(limit) if limit >= 1 else 1 if limit > 0 else 0):
                    return Decision("throttle", control.limit, control.scope, control.reason)
                queues.append(passed)
            for passed in queues:
                passed.append(now)
            while len(self._passed) > self._MOST_SCOPES:
                self._passed.pop(next(iter(self._passed)))
        return None


def _is_scope(text: str) -> bool:
    kind, colon, name = text.partition(":")
    return len(text) <= 512 and (
        text == "global" or (kind in KINDS and bool(colon) and bool(name.strip()))
    )


def _seconds(value: object) -> float:
    if not isinstance(value, str):
        raise ValueError("expires_at is not a time")
    text = value[:-1] + "+00:00" if value[-1:] in "Zz" else value
    head, dot, rest = text.partition(".")
    if dot:  # Python 3.10 reads three or six digits only
        digits = rest[: next((i for i, c in enumerate(rest) if not c.isdigit()), len(rest))]
        text = f"{head}.{digits[:6]:0<6}{rest[len(digits) :]}"
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("expires_at has no zone")
    return time.astimezone(timezone.utc).timestamp()
