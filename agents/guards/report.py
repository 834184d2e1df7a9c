"""What the guards found, as findings: the sentence, the severity, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from agents.guards.seen import Appeared, Attempted, AttemptsKey
from schemas.findings import Finding

KEEP = 300.0
"""Seconds a burst must be over before its alert is resolved."""
FIRST_KEEP = 3_600.0
"""Seconds for which the first personal data of a feature is shown."""
_MOST_SHOWN = 5

_WHERE = {"question": "a question", "context": "the context", "answer": "an answer, not in the question"}
_DO = {
    "question": "Decide whether this feature should take such data; nothing was stored unmasked.",
    "context": "Decide whether such data belongs into this feature's index and prompts.",
    "answer": "Read the call of the evidence: where does it come from? It was masked before it was stored, but the user has seen it.",
}


def labels_of(key: AttemptsKey) -> dict[str, str]:
    """The labels by which the alert of a key is known."""
    return {"tenant": key.tenant, key.scope: key.value}


def burst_finding(key: AttemptsKey, calls: Sequence[Attempted], least: int, window: float, end: float, generator: str) -> Finding:
    """``calls``: those within ``window`` seconds before ``end``, by time; at least ``least``."""
    users = len({call.by for call in calls})
    features = sorted({call.feature for call in calls if call.feature})
    where = f" in {', '.join(features[:3])}" if features else ""
    span = f"{window / 60:g} minutes"
    if key.scope == "document":
        what = f"document {key.value} gives orders to the model; {len(calls)} calls of {users} users retrieved it within {span}{where}"
        action = "Take the document out of the index; see whether tools were called after it was retrieved (tool_calls)."
    else:
        what = f"{key.scope} {key.value} tried to take over the model in {len(calls)} calls within {span}{where}"
        action = f"Read the questions of the evidence; if they are attacks: `mirante kill {key.scope}:{key.value} --reason ...`."
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
        summary=f"tenant {key.tenant}: {what}.",
        action=action,
        users=users if key.scope == "document" else None,
        requests=len(calls),
        response_ids=[call.response_id for call in calls[-_MOST_SHOWN:]],
        detail={"features": features[:_MOST_SHOWN]},
        generator=generator,
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
        summary=f"tenant {tenant}, feature {feature}: {kind} in {_WHERE[direction]}, for the first time.",
        action=_DO[direction],
        requests=1,
        response_ids=[item.response_id],
        detail={"kinds": {kind: 1}},
        generator=generator,
    )
    return [first, Finding(name="PiiLeak", labels=labels, time=end, active=False, keep=FIRST_KEEP, generator=generator)]
