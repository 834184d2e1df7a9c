"""An alert as it is published, and as a row.

Labels are the finding's, annotations are text: both hold strings only, so an alert becomes one of Alertmanager's (API v2) by adding
``alertname`` and ``severity`` to the labels and leaving out nothing. Sentences are made of ``evidence.facts`` (agents/alerts/wording).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from agents.alerts.inhibition import is_traffic
from agents.alerts.lifecycle import Life, Shown, alert_id, flapping
from agents.alerts.settings import AlertSettings
from agents.alerts.wording.texts import texts
from agents.alerts.wording.values import place
from schemas.findings import Finding
from schemas.outputs import Alert, Window
from schemas.rows import AlertRow

_STEADY = frozenset({
    "ErrorRate", "RefusalRate", "OutputInvalid", "PromptInjection", "PiiLeak", "UnansweredRequests", "LatencyAnomaly", "CostAnomaly",
})  # fmt: skip
"""Alerts whose usual value is that of their beginning, however long they last. Traffic has another one at every hour."""


def alert_of(
    fingerprint: str,
    life: Life,
    shown: Shown,
    settings: AlertSettings,
    explained_by: Life | None = None,
) -> Alert:
    """The alert of a life that is firing or was resolved at this moment."""
    finding, course = life.finding, life.course
    firing = life.phase == "firing"
    where = finding.where if course is None else course.where
    explains = None if explained_by is None else explained_by.finding
    alert = Alert(
        alert_id=alert_id(fingerprint, life.starts_at if life.episode is None else life.episode),
        fingerprint=fingerprint,
        name=finding.name,
        severity=shown.severity,
        status="firing" if firing else "resolved",
        starts_at=_moment(life.starts_at),
        updated_at=_moment(life.updated_at),
        ends_at=None if firing or life.ends_at is None else _moment(life.ends_at),
        labels={**where, **finding.labels},
        value=finding.value,
        expected=course.usual if course is not None and _is_steady(finding) else finding.expected,
        threshold=finding.threshold,
        window=None
        if finding.window is None
        else Window(start=_moment(finding.window[0]), end=_moment(finding.window[1])),
        evidence={**finding.detail, "response_ids": finding.response_ids},
        generator=finding.generator or life.agent,
    )
    if finding.facts:
        alert.evidence["facts"] = _facts(life, explains)
    alert.annotations = _marks(alert, life, shown, settings)
    alert.annotations = {
        **(texts(alert, settings.language) or _own(finding, explains, settings)),
        **alert.annotations,
    }
    return alert


def row_of(alert: Alert, version: int) -> AlertRow:
    """The row of one state of an alert."""
    return AlertRow(
        alert_id=alert.alert_id,
        version=version,
        fingerprint=alert.fingerprint,
        name=alert.name,
        severity=alert.severity,
        status=alert.status,
        starts_at=alert.starts_at,
        updated_at=alert.updated_at,
        labels=alert.labels,
        annotations=alert.annotations,
        ends_at=alert.ends_at,
        value=alert.value,
        expected=alert.expected,
        threshold=alert.threshold,
        window_start=alert.window.start if alert.window else None,
        window_end=alert.window.end if alert.window else None,
        evidence=alert.evidence,
        generator=alert.generator,
    )


def impact(finding: Finding) -> str:
    """What it costs and whom it touches, such as ``$12.40/h, 35 users, 1,204 requests``; '' if nothing is known."""
    parts = [] if finding.usd_per_hour is None else [f"${finding.usd_per_hour:,.2f}/h"]
    for number, unit in ((finding.users, "user"), (finding.requests, "request")):
        if number is not None:
            parts.append(f"{number:,} {unit}{'' if number == 1 else 's'}")
    return ", ".join(parts)


def _is_steady(finding: Finding) -> bool:
    return finding.name in _STEADY and finding.facts.get("kind") not in ("cost_of_traffic", "creep")


def _facts(life: Life, explains: Finding | None) -> dict[str, Any]:
    """The finding's facts with what it costs, whom it touches, and how it went."""
    finding, course = life.finding, life.course
    facts = dict(finding.facts)
    numbers = {
        "usd_per_hour": finding.usd_per_hour,
        "users": finding.users,
        "requests": finding.requests,
    }
    if course is not None and course.requests is not None:
        numbers["requests"] = course.requests
    facts |= {
        name: number for name, number in numbers.items() if number is not None and name not in facts
    }
    if course is not None:
        told = None if life.told is None else life.told[1]
        went = {
            "worst": course.worst,
            "told": told,
            "usd": None if course.usd is None else round(course.usd, 6),
        }
        facts["course"] = {name: number for name, number in went.items() if number is not None}
    if explains is not None:
        facts["explained_by"] = {
            "name": explains.name,
            "labels": {**explains.where, **explains.labels},
        }
    return facts


def _marks(alert: Alert, life: Life, shown: Shown, settings: AlertSettings) -> dict[str, str]:
    """Annotations that are no sentences of the alert itself: links, and what was done with it."""
    marks = {
        "runbook_url": f"{settings.runbooks}#{alert.name.lower()}",
        "dashboard_url": f"{settings.dashboard.rstrip('/')}/alerts?id={alert.alert_id}"
        if settings.dashboard
        else "",
        "group": f"{alert.name}/{alert.labels.get('tenant', 'default')}",
        "inhibited_by": shown.inhibited_by,
        "silenced_by": shown.silenced_by,
        "digest": shown.digest,
        "flapping": "true" if flapping(life, settings) else "",
        "no_data": f"resolved because {life.agent} reported nothing more, not because it was seen to end"
        if life.no_data
        else "",
    }
    return {name: text for name, text in marks.items() if text}


def _own(finding: Finding, explains: Finding | None, settings: AlertSettings) -> dict[str, str]:
    """The words of a finding without facts, such as one that a former state holds."""
    description = finding.description
    if is_traffic(finding):
        description = f"{description} Explained by traffic: there is more to do, a call does not cost more.".strip()
    if explains is not None:
        description = (
            f"{description} Explained by {explains.name}: {place(explains.labels, 'en')}.".strip()
        )
    texts = {
        "summary": finding.summary or finding.name, "description": description, "action": finding.action, "cause": finding.cause,
        "impact": impact(finding),
    }  # fmt: skip
    return {name: text for name, text in texts.items() if text}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


encode_alert = msgspec.json.Encoder().encode
