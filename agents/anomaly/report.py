"""Conditions as findings: the sentence, the severity, what to do."""

from __future__ import annotations

from collections.abc import Mapping

from agents.anomaly.monitor import NAMES, Condition, Kind
from agents.anomaly.settings import AnomalySettings
from agents.anomaly.slo import Objective
from agents.detectors.burn import Burning
from agents.detectors.pace import SECONDS
from schemas.findings import Finding
from schemas.outputs import Severity

KEEP = 2.0 * SECONDS
"""Seconds a condition must be absent before its alert is resolved."""

_WHAT: dict[Kind, str] = {
    "api_error": "of requests ended in an API error", "content_filter": "of answers were stopped by a content filter",
    "truncated": "of answers were truncated", "refusal": "of answers were refusals", "lost": "of requests timed out or got no answer",
    "json_invalid": "of answers did not satisfy the schema that was asked for",
    "injection": "of calls brought an attempt to take over the model",
    "pii_question": "of questions held personal data", "pii_context": "of calls had personal data in their context",
    "pii_answer": "of answers held personal data that was not in the question",
}  # fmt: skip

_TIMES: dict[Kind, str] = {"latency": "latency", "ttft": "time to first token", "tpot": "time per output token"}

_ACTIONS: dict[Kind, str] = {
    "price": "Compare the newest prompts and answers with yesterday's; roll back the release that caused it, or use `mirante kill`.",
    "tokens": "Compare the newest prompts and answers with yesterday's: prompts or answers have grown.",
    "creep": "Look at what grew over the last days: prompt length, retrieved documents, history sent along, answer length.",
    "cost_of_traffic": "Find who sends the additional requests; the cost per request is as usual.",
    "traffic_up": "Find who sends the additional requests: a retry loop, a new customer or an attack.",
    "traffic_down": "Check the services that send these requests, and whether their events still reach Kafka.",
    "api_error": "Check the provider's status page and quota; switch to the fallback model if it goes on.",
    "content_filter": "Read the filtered requests; check what changed in the prompt or in the provider's filter.",
    "truncated": "Raise max_tokens, or shorten what is asked for.",
    "refusal": "Read the newest refusals; check the newest prompt and whether the provider changed the model.",
    "lost": "Check the provider's status page and the service's timeouts; switch to the fallback model if it goes on.",
    "latency": "Compare by model and provider; if the provider is slow, switch to the fallback model.",
    "ttft": "Check the provider's load and the length of prompts.",
    "tpot": "Check the provider's load; if it writes slowly for long, switch to the fallback model.",
    "joint": "Read the newest calls: another model behind the same name, a release or other questions change several things a little.",
    "json_invalid": "Read the newest of them: truncated ones need more max_tokens, others the newest prompt or model rolled back.",
    "injection": "See who sends them: one user (`mirante kill user:ID`), or a document that should leave the index.",
    "pii_question": "See whether a form or a prompt asks for it; nothing was stored unmasked.",
    "pii_context": "See which documents or instructions hold it and whether they should be in the index.",
    "pii_answer": "Read the calls of the evidence: does it come from retrieved documents? Stop the feature if it goes on: `mirante kill`.",
}  # fmt: skip


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
    explained = kind == "cost_of_traffic"
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
        summary=f"{_place(where)}: {_sentence(condition)}.",
        action=_ACTIONS.get(kind, ""),
        cause="traffic: more requests at the usual cost per request" if explained else condition.cause,
        usd_per_hour=condition.usd_per_hour,
        requests=condition.requests,
        detail={"explained_by": "traffic"} if explained else {},
        generator=generator,
    )


def ceased(kind: Kind, where: Mapping[str, str], end: float, generator: str) -> Finding:
    """The condition has ceased."""
    return Finding(name=NAMES[kind], labels=labels_of(kind, where), time=end, active=False, keep=KEEP, generator=generator)


def slo_labels(objective: Objective, where: Mapping[str, str]) -> dict[str, str]:
    return {**where, "slo": objective.label}


def slo_finding(burning: Burning, objective: Objective, where: Mapping[str, str], since: float, end: float, generator: str) -> Finding:
    """An error budget burns too fast."""
    rule = burning.rule
    share = burning.rate * (1 - objective.target)
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
        summary=f"{_place(where)}: {share:.1%} of requests take longer than {objective.latency_ms:g} ms, {burning.rate:.1f} times"
        f" what the objective {objective.label} ({objective.target:.2%}) allows over {_span(burning.minutes)}.",
        action=f"Find out what slows the requests down; at this rate a month's error budget is gone in {_span(30 * 1440 / burning.rate)}.",
        requests=int(burning.bad),
        generator=generator,
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


def _sentence(c: Condition) -> str:
    if c.kind == "price":
        return f"a request costs ${c.value:.4g} instead of ${c.expected:.4g}, ${c.usd_per_hour or 0:.2f} more an hour"
    if c.kind == "tokens":
        return f"a request uses {c.value:.0f} tokens instead of {c.expected:.0f}"
    if c.kind == "creep":
        return f"the cost per request has crept up to ${c.value:.4g}; at this hour it was ${c.expected:.4g} over the past days"
    if c.kind == "cost_of_traffic":
        return f"cost is ${c.value:.2f} an hour instead of ${c.expected:.2f}, explained by more requests at the usual cost per request"
    if c.kind in ("traffic_up", "traffic_down"):
        return f"{c.value:.0f} requests a minute instead of {c.expected:.0f}"
    if c.kind in _TIMES:
        return f"more requests than usual are slow: P99 of the {_TIMES[c.kind]} is {_ms(c.value)} instead of {_ms(c.expected)}"
    if c.kind == "joint":
        return f"several metrics have moved together as they usually do not, none of them far: {c.cause}"
    return f"{c.value:.1%} {_WHAT[c.kind]} instead of {c.expected:.1%}"


def _ms(value: float) -> str:
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


def _place(where: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in where.items() if value)


def _span(minutes: float) -> str:
    if minutes < 120:
        return f"{minutes:.0f} minutes"
    return f"{minutes / 60:.0f} hours" if minutes < 2880 else f"{minutes / 1440:.0f} days"
