"""Many alerts that differ only in whom they are about: a budget by user, a limit by session.

Beyond so many an hour (``tickets_per_hour``) they are told of by one alert, their *digest*, which counts them and names the worst. It
explains them (inhibition.py), so each is published as ``info`` that names it, lives and ends as it would have, and turns switches.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest

import msgspec

from agents.alerts.lifecycle import Life
from schemas.findings import DIGEST, Finding

_NAMED = 10
_AFTER = 1e-6
"""Findings of one identity have distinct times."""


def is_digest(finding: Finding) -> bool:
    """Whether a finding stands for many that differ only in whom they are about."""
    return DIGEST in finding.labels


def counted(of: Finding, known: Life | None, count: int, at: float) -> Finding:
    """That there are ``count`` alerts like ``of`` beyond the cap. ``known``: the digest so far; its text stays until it is told again."""
    labels = {name: value for name, value in of.labels.items() if name not in of.by} | {DIGEST: ", ".join(of.by)}
    finding = known.finding if known is not None and known.phase == "firing" else Finding(name=of.name, labels=labels, time=at, active=True)
    return msgspec.structs.replace(finding, time=_after(known, at), value=float(count), generator=of.generator)


def ceased(known: Life, at: float) -> Finding:
    """That none of its alerts fires any more."""
    return Finding(name=known.finding.name, labels=known.finding.labels, time=_after(known, at), active=False)


def describe(digest: Finding, alerts: Iterable[Finding], per_hour: int) -> None:
    """Say which are the worst: who costs most per hour, then who is furthest beyond the limit."""
    alerts = list(alerts)
    worst = nlargest(_NAMED, alerts, key=lambda finding: (finding.usd_per_hour or 0.0, _beyond(finding), sorted(finding.labels.items())))
    by = worst[0].by
    whom = [{name: finding.labels[name] for name in by} for finding in worst]
    digest.facts = {"kind": "digest", "per_hour": per_hour, "worst_labels": whom}
    costs = [finding.usd_per_hour for finding in alerts if finding.usd_per_hour is not None]
    digest.usd_per_hour = sum(costs) if costs else None
    digest.users = len(alerts) if by == ["user"] else None
    digest.response_ids = [finding.response_ids[0] for finding in worst if finding.response_ids]
    digest.detail = {"worst": [{"labels": f.labels, "value": f.value, "threshold": f.threshold} for f in worst]}


def _beyond(finding: Finding) -> float:
    return finding.value / finding.threshold if finding.value is not None and finding.threshold else 0.0


def _after(known: Life | None, at: float) -> float:
    return at if known is None else max(at, known.time + _AFTER, (known.ends_at or at) + _AFTER)
