"""Which alerts explain others. The explained are published as ``info``, naming what explains them, while it fires.

- A provider's outage (``ErrorRate`` with the labels ``scope=provider`` and ``provider``) explains errors, latency, missing traffic and
  unanswered requests of that provider's features and models. The target names its provider in a label or in ``Finding.detail``.
- ``BudgetExhausted`` explains ``BudgetBurn`` of the same labels.
- A ``CostAnomaly`` whose cause is traffic is its own explanation.
- An alert about one metric of a series (tenant, feature, model) explains that several of them moved together (``metric=joint``).
- Errors, lost requests, refusals and invalid answers of a series explain ``Drift`` of its answers; slow ones that of its speed. A drift is
  looked for in the last hundreds of answers, so they do so for an hour after they have ended, too (``lately``).
- Answers that satisfy fewer users explain that their labels foretell less well what users say: a label's prior is yesterday's share.
- A digest explains the alerts it counts (digests.py).

Nothing explains outages and digests, so chains are short and there are no circles.
"""

from __future__ import annotations

from collections.abc import Mapping

from agents.alerts.digests import is_digest
from agents.alerts.lifecycle import Life
from schemas.findings import Finding

_OF_AN_OUTAGE = frozenset({"ErrorRate", "LatencyAnomaly", "TrafficAnomaly", "UnansweredRequests"})

_OF_ONE_METRIC = _OF_AN_OUTAGE | {"CostAnomaly", "RefusalRate", "OutputInvalid", "PromptInjection", "PiiLeak"}
_SERIES = ("tenant", "feature", "model")
_OF_ANSWERS = frozenset({"ErrorRate", "UnansweredRequests", "RefusalRate", "OutputInvalid"})
_SPEED = frozenset({"latency_ms", "ttft_ms"})
_ASKED = frozenset({"question_text", "question_language", "input_tokens", "tenant"})
"""Metrics of drift that no failure of answers explains."""
_BEFORE = 300.0
"""Seconds by which the beginning of a drift may be seen before that of the failures it consists of."""

Key = tuple[str, ...]

DIGEST = "digest"
"""Begins the key of what a digest explains."""


def explains(finding: Finding) -> tuple[Key, ...]:
    """The keys of the alerts which this one explains; of a digest the first is that of its alerts."""
    if is_digest(finding):
        return ((DIGEST, finding.name, *_flat(finding.labels)),)
    if finding.name == "ErrorRate" and finding.labels.get("scope") == "provider" and "provider" in finding.labels:
        return (("outage", finding.labels["provider"]),)
    if finding.name == "BudgetExhausted":
        return (("budget", *_flat(finding.labels)),)
    if finding.name == "QualityDrop" and finding.labels.get("metric") == "satisfaction":
        return (("satisfaction", *(finding.labels.get(name, "") for name in _SERIES[:2])),)
    if finding.name in _OF_ONE_METRIC and not _is_joint(finding) and all(name in finding.labels for name in _SERIES):
        series: Key = ("series", *(finding.labels[name] for name in _SERIES))
        where = finding.labels["feature"], finding.labels["model"]
        if finding.name in _OF_ANSWERS:
            return series, ("answers", *where)
        return (series, ("speed", *where)) if finding.name == "LatencyAnomaly" else (series,)
    return ()


def explained_by(finding: Finding) -> Key | None:
    """The key of the alerts which would explain this one."""
    if finding.name == "BudgetBurn":
        return "budget", *_flat(finding.labels)
    if finding.name == "QualityDrop" and finding.labels.get("metric") == "labels":
        return "satisfaction", *(finding.labels.get(name, "") for name in _SERIES[:2])
    if _is_joint(finding):
        return "series", *(finding.labels.get(name, "") for name in _SERIES)
    if finding.name == "Drift" and (metric := finding.labels.get("metric", "")) not in _ASKED:
        return "speed" if metric in _SPEED else "answers", finding.labels.get("feature", ""), finding.labels.get("model", "")
    if finding.name in _OF_AN_OUTAGE and finding.labels.get("scope") != "provider":
        provider = finding.labels.get("provider") or finding.detail.get("provider")
        return ("outage", provider) if isinstance(provider, str) else None
    return None


def lately(life: Life, lives: Mapping[str, Life]) -> str:
    """Fingerprint of what explained a drift while it came about and has ended since; '' for other alerts and if there is none."""
    key = life.explained_by
    if key is None or life.finding.name != "Drift":
        return ""
    begun = life.starts_at - _BEFORE
    return min((found for found, other in lives.items() if (other.ends_at or 0.0) >= begun and key in explains(other.finding)), default="")


def is_traffic(finding: Finding) -> bool:
    """A cost that rose because there was more to do."""
    return finding.name == "CostAnomaly" and (finding.facts.get("cause") == "traffic" or finding.cause.startswith("traffic"))


def _is_joint(finding: Finding) -> bool:
    return finding.name == "TrafficAnomaly" and finding.labels.get("metric") == "joint"


def _flat(labels: dict[str, str]) -> Key:
    return tuple(text for item in sorted(labels.items()) for text in item)
