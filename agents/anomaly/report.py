"""Conditions as findings: their facts and the severity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.anomaly.monitor import NAMES, Condition, Kind
from agents.anomaly.settings import AnomalySettings
from agents.anomaly.slo import Objective
from agents.detectors.burn import Burning
from agents.detectors.pace import SECONDS
from schemas.findings import Finding
from schemas.outputs import Severity

KEEP = 2.0 * SECONDS
"""Seconds a condition must be absent before its alert is resolved."""
_MONTH = 30 * 86_400.0

def labels_of(kind: Kind, where: Mapping[str, str]) -> dict[str, str]:
    """The identity of a condition: where, and which of the conditions of one name."""
    extra: dict[Kind, dict[str, str]] = {
        "price": {"metric": "cost_per_request"}, "tokens": {"metric": "tokens_per_request"}, "creep": {"metric": "cost_trend"},
        "cost_of_traffic": {"metric": "cost"}, "traffic_up": {"direction": "up"}, "traffic_down": {"direction": "down"},
        "joint": {"metric": "joint"},
        "api_error": {"type": "api_error"}, "content_filter": {"type": "content_filter"}, "truncated": {"type": "truncated"},
        "latency": {"metric": "latency_p99"}, "ttft": {"metric": "ttft_p99"}, "tpot": {"metric": "tpot_p99"},
        "pii_question": {"direction": "question"}, "pii_context": {"direction": "context"}, "pii_answer": {"direction": "answer"},
    }  # fmt: skip
    return {**where, **extra.get(kind, {})}


def finding(condition: Condition, where: Mapping[str, str], end: float, settings: AnomalySettings, generator: str) -> Finding:
    """``end``: of the bucket in which the condition holds, epoch seconds."""
    kind = condition.kind
    since = condition.since
    return Finding(
        name=NAMES[kind],
        labels=labels_of(kind, where),
        time=end,
        active=True,
        severity=severity(condition, settings),
        since=since,
        keep=KEEP,
        value=condition.value,
        expected=condition.expected,
        threshold=condition.threshold,
        window=(since, end),
        usd_per_hour=condition.usd_per_hour,
        requests=condition.requests,
        detail={"explained_by": "traffic"} if kind == "cost_of_traffic" else {},
        generator=generator,
        facts=_facts(condition),
    )


def ceased(kind: Kind, where: Mapping[str, str], end: float, generator: str) -> Finding:
    """The condition has ceased."""
    return Finding(name=NAMES[kind], labels=labels_of(kind, where), time=end, active=False, keep=KEEP, generator=generator)


def slo_labels(objective: Objective, where: Mapping[str, str]) -> dict[str, str]:
    """Labels of an alert about ``objective``; ``where``: tenant, feature and model."""
    return {**where, "slo": objective.label}


def slo_finding(burning: Burning, objective: Objective, where: Mapping[str, str], since: float, end: float, generator: str) -> Finding:
    """An error budget burns too fast."""
    rule = burning.rule
    return Finding(
        name="LatencySLOBurn",
        labels=slo_labels(objective, where),
        time=end,
        active=True,
        severity=rule.severity,
        since=since,
        keep=KEEP,
        value=burning.rate,
        expected=1.0,
        threshold=rule.rate,
        window=(end - burning.minutes * 60, end),
        requests=int(burning.bad),
        generator=generator,
        facts={
            "kind": "slo", "share": burning.rate * (1 - objective.target), "latency_ms": objective.latency_ms, "objective": objective.label,
            "minutes": 60.0 * burning.minutes, "lasts": _MONTH / burning.rate,
        },
    )


def severity(condition: Condition, settings: AnomalySettings) -> Severity:
    """How urgent it is: a page is for what costs money or fails users now."""
    kind = condition.kind
    if kind in ("traffic_up", "cost_of_traffic"):
        return _severity_of_surge(condition, settings)
    if kind in ("pii_question", "pii_context"):
        return "info"
    if kind == "price":
        return "page" if (condition.usd_per_hour or 0.0) >= settings.page_usd_per_hour else "ticket"
    if kind in ("api_error", "lost"):
        return "page" if condition.value >= 0.1 else "ticket"
    if kind == "traffic_down":
        return "page" if condition.value < 0.1 * condition.expected and condition.sure else "ticket"
    return "ticket"


def _severity_of_surge(condition: Condition, settings: AnomalySettings) -> Severity:
    """By money, told once (as the cost), and by capacity. A surge that the series often has only informs."""
    extra = condition.usd_per_hour or 0.0
    if condition.kind == "cost_of_traffic" and condition.sure and extra >= settings.ticket_usd_per_hour:
        return "page" if extra >= settings.page_usd_per_hour else "ticket"
    return "ticket" if condition.kind == "traffic_up" and condition.value > settings.most_per_minute else "info"


def _facts(condition: Condition) -> dict[str, Any]:
    """What is to be said of it; ``cause``: what stands out, or ``traffic``."""
    facts: dict[str, Any] = {"kind": condition.kind}
    if condition.kind == "cost_of_traffic":
        facts["cause"] = "traffic"
    elif condition.kind == "joint":
        facts["moved_together"] = [list(moved) for moved in condition.moved]
    elif condition.cause is not None:
        facts["cause"] = condition.cause._asdict()
    return facts
