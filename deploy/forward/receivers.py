"""Who gets which alerts: ``[[receivers]]`` of the settings."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import ClassVar, TypeVar
from urllib.parse import urlsplit

import msgspec

from schemas.outputs import Alert, Severity

SEVERITIES: tuple[Severity, ...] = ("info", "ticket", "page")
"""Ascending."""

ENVIRONMENT = "env:"
"""``env:NAME`` stands for the value of an environment variable, so that no secret needs to be in the file."""


class _Receiver(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """``alerts``: patterns of alert names; none: all. ``labels``: label -> pattern, all must match. ``name``: distinct, its place in
    Kafka is kept under it; the type if none is given. ``headers``: of every request, such as Authorization.
    ``user_ids``: it may have users' ids, and not only their tags."""

    by_key: ClassVar[bool] = True
    """Whether a resolved alert closes what was opened under its key, and means nothing if nothing was."""

    url: str
    name: str = ""
    alerts: list[str] = []
    labels: dict[str, str] = {}
    min_severity: Severity = "info"
    headers: dict[str, str] = {}
    user_ids: bool = False

    def wants(self, alert: Alert) -> bool:
        """Whether this receiver is told. What is silenced or inhibited disturbs nobody, but what was opened before that is closed."""
        if self.alerts and not any(fnmatchcase(alert.name, like) for like in self.alerts):
            return False
        if not all(fnmatchcase(alert.labels.get(name, ""), like) for name, like in self.labels.items()):
            return False
        if alert.status == "resolved" and self.by_key:
            return True
        return not is_suppressed(alert) and SEVERITIES.index(alert.severity) >= SEVERITIES.index(self.min_severity)


class Alertmanager(_Receiver, frozen=True, kw_only=True, tag="alertmanager"):
    """``url``: of the server, without ``/api/v2/alerts``. Of a cluster name every member, as Prometheus wants it too."""


class PagerDuty(_Receiver, frozen=True, kw_only=True, tag="pagerduty"):
    """``routing_key``: the integration key of an Events API v2 integration."""

    routing_key: str
    url: str = "https://events.pagerduty.com/v2/enqueue"


class Slack(_Receiver, frozen=True, kw_only=True, tag="slack"):
    """``url``: an incoming webhook of Slack, or of what understands its messages (Mattermost, Rocket.Chat, Discord with /slack)."""

    by_key: ClassVar[bool] = False


class Webhook(_Receiver, frozen=True, kw_only=True, tag="webhook"):
    """``secret``: signs the requests (https://www.standardwebhooks.com); with the prefix whsec_ it is base64."""

    secret: str = ""


Receiver = Alertmanager | PagerDuty | Slack | Webhook


def is_suppressed(alert: Alert) -> bool:
    """Whether the alert is silenced, or inhibited by another one."""
    return bool(alert.annotations.get("silenced_by") or alert.annotations.get("inhibited_by"))


def signing_key(secret: str) -> bytes:
    """The key that a webhook's secret stands for. Raises ValueError when ``whsec_`` is not followed by base64."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ValueError("secret begins with whsec_, so base64 must follow") from error


def read_receivers(rows: object, environment: Mapping[str, str]) -> tuple[Receiver, ...]:
    """The ``[[receivers]]`` tables as parsed from TOML. Raises ValueError naming the table and the field, and no secret."""
    try:
        receivers = msgspec.convert(rows, tuple[Receiver, ...])
    except msgspec.ValidationError as error:
        raise ValueError(f"[[receivers]]: {error}") from error
    read = []
    for number, receiver in enumerate(receivers, 1):
        try:
            read.append(_checked(receiver, environment))
        except ValueError as error:
            raise ValueError(f"[[receivers]] number {number}: {error}") from error
    names = [receiver.name for receiver in read]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"[[receivers]]: {', '.join(twice)} occurs more than once; give each a name of its own")
    return tuple(read)


R = TypeVar("R", bound=_Receiver)


def _checked(receiver: R, environment: Mapping[str, str]) -> R:
    changes: dict[str, object] = {"name": receiver.name or str(receiver.__struct_config__.tag)}
    for field in ("url", "routing_key", "secret"):
        if field in receiver.__struct_fields__:
            changes[field] = _resolved(field, getattr(receiver, field), environment)
    changes["headers"] = {name: _resolved(f"headers.{name}", value, environment) for name, value in receiver.headers.items()}
    receiver = msgspec.structs.replace(receiver, **changes)
    if isinstance(receiver, Webhook):
        signing_key(receiver.secret)
    parts = urlsplit(receiver.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("url must be http[s]://HOST[:PORT][/PATH]")
    if not all(c.isalnum() or c in "._-" for c in receiver.name):
        raise ValueError("name may hold letters, digits, '.', '_' and '-' only")
    return receiver


def _resolved(field: str, value: str, environment: Mapping[str, str]) -> str:
    if not value.startswith(ENVIRONMENT):
        return value
    name = value.removeprefix(ENVIRONMENT)
    if not environment.get(name):
        raise ValueError(f"{field} is to come from the environment variable {name}, which is not set")
    return environment[name]
