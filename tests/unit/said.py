"""What the alert of a finding says, for the tests of those who find."""

from __future__ import annotations

from agents.alerts.lifecycle import Life, Shown, fingerprint
from agents.alerts.present import alert_of
from agents.alerts.settings import AlertSettings
from schemas.findings import Finding


def said(finding: Finding) -> dict[str, str]:
    """The annotations of the alert that fires with this finding."""
    life = Life(
        "test",
        finding,
        time=finding.time,
        active=True,
        phase="firing",
        starts_at=finding.since or finding.time,
    )
    life.updated_at = finding.time
    return alert_of(
        fingerprint(finding), life, Shown(finding.severity), AlertSettings()
    ).annotations
