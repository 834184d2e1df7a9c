"""What the guards found, as findings: their facts and the severity."""

from __future__ import annotations

from collections.abc import Sequence

from agents.guards.seen import Appeared, Attempted, AttemptsKey
from schemas.findings import Finding

KEEP = 300.0
"""Seconds a burst must be over before its alert is resolved."""
FIRST_KEEP = 3_600.0
"""Seconds for which the first personal data of a feature is shown."""
_MOST_SHOWN = 5


def labels_of(key: AttemptsKey) -> dict[str, str]:
    """The labels by which the alert of a key is known."""
    return {"tenant": key.tenant, key.scope: key.value}


def burst_finding(key: AttemptsKey, calls: Sequence[Attempted], least: int, window: float, end: float, generator: str) -> Finding:
    """``calls``: those within ``window`` seconds before ``end``, by time; at least ``least``."""
    users = len({call.by for call in calls})
    features = sorted({call.feature for call in calls if call.feature})
    return Finding(
        name="PromptInjection",
        labels=labels_of(key),
        time=end,
        active=True,
        severity="ticket",
        since=calls[0].time,
        keep=KEEP,
        value=float(len(calls)),
        threshold=float(least),
        window=(end - window, end),
        users=users if key.scope == "document" else None,
        requests=len(calls),
        response_ids=[call.response_id for call in calls[-_MOST_SHOWN:]],
        detail={"features": features[:_MOST_SHOWN]},
        generator=generator,
        facts={
            "kind": "injection_document" if key.scope == "document" else "injection_burst", "calls": len(calls), "users": users,
            "over": window,
        },
    )


def ceased(key: AttemptsKey, end: float, generator: str) -> Finding:
    """That the burst of a key is over at ``end`` (epoch seconds)."""
    return Finding(name="PromptInjection", labels=labels_of(key), time=end, active=False, keep=KEEP, generator=generator)


def appeared_findings(item: Appeared, end: float, generator: str) -> list[Finding]:
    """That a kind of personal data appears in a place for the first time: told of once, over at once."""
    tenant, feature, direction, kind = item.place
    labels = {"tenant": tenant, "feature": feature, "direction": direction, "kind": kind, "occurrence": "first"}
    first = Finding(
        name="PiiLeak",
        labels=labels,
        time=end - 0.001,
        active=True,
        severity="ticket" if direction == "answer" else "info",
        since=item.time,
        keep=FIRST_KEEP,
        value=1.0,
        window=(item.time, end),
        requests=1,
        response_ids=[item.response_id],
        detail={"kinds": {kind: 1}},
        generator=generator,
        facts={"kind": "pii_first", "pii": kind, "direction": direction},
    )
    return [first, Finding(name="PiiLeak", labels=labels, time=end, active=False, keep=FIRST_KEEP, generator=generator)]
