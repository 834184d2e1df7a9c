"""An alert as it is published, and as a row.

Labels are the finding's, annotations are text: both hold strings only, so an alert becomes one of Alertmanager's (API v2) by adding
``alertname`` and ``severity`` to the labels and leaving out nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from agents.alerts.inhibition import is_traffic
from agents.alerts.lifecycle import Life, Shown, alert_id, flapping
from agents.alerts.settings import AlertSettings
from schemas.findings import Finding
from schemas.outputs import Alert, Window
from schemas.rows import AlertRow


def alert_of(fingerprint: str, life: Life, shown: Shown, settings: AlertSettings) -> Alert:
    """The alert of a life that is firing or was resolved at this moment."""
    finding = life.finding
    firing = life.phase == "firing"
    return Alert(
        alert_id=alert_id(fingerprint, life.starts_at if life.episode is None else life.episode),
        fingerprint=fingerprint,
        name=finding.name,
        severity=shown.severity,
        status="firing" if firing else "resolved",
        starts_at=_moment(life.starts_at),
        updated_at=_moment(life.updated_at),
        ends_at=None if firing or life.ends_at is None else _moment(life.ends_at),
        labels=finding.labels,
        annotations=_annotations(life, shown, settings),
        value=finding.value,
        expected=finding.expected,
        threshold=finding.threshold,
        window=None if finding.window is None else Window(start=_moment(finding.window[0]), end=_moment(finding.window[1])),
        evidence={**finding.detail, "response_ids": finding.response_ids},
        generator=finding.generator or life.agent,
    )


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


def _annotations(life: Life, shown: Shown, settings: AlertSettings) -> dict[str, str]:
    finding = life.finding
    description = finding.description
    if is_traffic(finding):
        description = f"{description} Explained by traffic: there is more to do, a call does not cost more.".strip()
    texts = {
        "summary": finding.summary or finding.name,
        "description": description,
        "action": finding.action,
        "cause": finding.cause,
        "impact": impact(finding),
        "runbook_url": f"{settings.runbooks}#{finding.name.lower()}",
        "group": f"{finding.name}/{finding.labels.get('tenant', 'default')}",
        "inhibited_by": shown.inhibited_by,
        "silenced_by": shown.silenced_by,
        "digest": shown.digest,
        "flapping": "true" if flapping(life, settings) else "",
        "no_data": f"resolved because {life.agent} reported nothing more, not because it was seen to end" if life.no_data else "",
    }
    return {name: text for name, text in texts.items() if text}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


encode_alert = msgspec.json.Encoder().encode
