"""Automatic switches, ``[[switches]]`` of the settings: which alerts kill or throttle what, and for how long."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from agents.controls.durations import duration
from agents.controls.fold import ControlError, checked_scope
from schemas.findings import DIGEST, PERIOD_END
from schemas.outputs import Alert, AlertName, Control

RESOLVED = "resolved"
"""As ``expires``: the switch lasts as long as the alert, of a budget by calendar not beyond the budget's period."""

_FIELD = re.compile(r"\{(\w+)\}")


class SwitchRule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One of ``[[switches]]``.

    ``match``: label -> pattern with ``*``, all of which an alert must meet. ``scope`` may name the alert's labels, as in
    ``feature:{feature}``; an alert without such a label is not acted on. ``limit``: requests per minute. ``expires``: a duration, or
    ``resolved``.
    """

    on: AlertName | list[AlertName]
    action: Literal["kill", "throttle"]
    scope: str
    match: dict[str, str] = {}
    limit: Annotated[float, Meta(ge=0)] | None = None
    expires: str = "1h"
    dry_run: bool = False
    restore_on_resolve: bool = False

    @property
    def names(self) -> Sequence[str]:
        """The names of the alerts that the rule acts on."""
        return [self.on] if isinstance(self.on, str) else self.on

    @property
    def restores(self) -> bool:
        """Whether the switch ends when its alert is resolved."""
        return self.restore_on_resolve or self.expires == RESOLVED

    def end(self, alert: Alert) -> datetime | None:
        """When the switch for an alert ends by itself; None: when the alert is resolved."""
        if self.expires != RESOLVED:
            return alert.updated_at + duration(self.expires)
        period_end = alert.evidence.get(PERIOD_END)
        return datetime.fromtimestamp(period_end, UTC) if isinstance(period_end, int | float) else None

    def concerns(self, alert: Alert) -> bool:
        """Whether an alert is one that the rule acts on."""
        labels = alert.labels
        if DIGEST in labels:
            return False  # a digest: each of its alerts is acted on
        return alert.name in self.names and all(fnmatchcase(labels.get(name, ""), like) for name, like in self.match.items())

    def scope_of(self, alert: Alert) -> str | None:
        """The scope for an alert; None if it lacks a label for it."""
        missing = [name for name in _FIELD.findall(self.scope) if not alert.labels.get(name)]
        scope = _FIELD.sub(lambda match: alert.labels[match[1]], self.scope) if not missing else ""
        try:
            return checked_scope(scope)
        except ControlError:
            return None


class Proposal(msgspec.Struct, kw_only=True, gc=False):
    """What a rule wants of a scope, on its way to the partition that knows the scope. ``alert_id`` makes a repeat harmless."""

    alert_id: str
    control: Control
    dry_run: bool = False


def read_rules(rows: object) -> tuple[SwitchRule, ...]:
    """The ``[[switches]]`` tables as parsed from TOML. Raises ValueError naming the table and the field."""
    try:
        rules = msgspec.convert(rows, tuple[SwitchRule, ...])
    except msgspec.ValidationError as error:
        raise ValueError(f"[[switches]]: {error}") from error
    for number, rule in enumerate(rules, 1):
        try:
            _check(rule)
        except ValueError as error:
            raise ValueError(f"[[switches]] number {number}: {error}") from error
    return rules


def proposals(rules: Sequence[SwitchRule], alert: Alert) -> list[Proposal]:
    """What the rules want, given a step in an alert's life: a switch when it fires; its end when it is resolved, if they say so."""
    found = []
    for rule in rules:
        if not rule.concerns(alert) or (alert.status == "resolved" and not rule.restores):
            continue
        scope = rule.scope_of(alert)
        if scope is None:
            continue
        if alert.status == "resolved":
            control = Control(scope=scope, action="restore", time=alert.updated_at, reason=reason_for(alert), source=alert.name)
        else:
            control = Control(
                scope=scope,
                action=rule.action,
                time=alert.updated_at,
                limit=rule.limit,
                reason=reason_for(alert),
                source=alert.name,
                expires_at=rule.end(alert),
            )
        found.append(Proposal(alert_id=alert.alert_id, control=control, dry_run=rule.dry_run))
    return found


def reason_for(alert: Alert) -> str:
    """The reason that a switch set because of an alert gives."""
    what = "resolved: " if alert.status == "resolved" else ""
    return f"{what}{alert.annotations.get('summary') or alert.name} (alert {alert.alert_id})"


def _check(rule: SwitchRule) -> None:
    if rule.expires != RESOLVED:
        try:
            duration(rule.expires)
        except ValueError as error:
            raise ValueError(f'expires: {error}, or "{RESOLVED}"') from error
    if (rule.action == "throttle") != (rule.limit is not None):
        raise ValueError('action = "throttle" needs a limit in requests per minute, and action = "kill" has none')
    checked_scope(_FIELD.sub("x", rule.scope))
    if "{" in _FIELD.sub("x", rule.scope):
        raise ValueError(f"scope = {rule.scope!r}: write labels as {{feature}}")
