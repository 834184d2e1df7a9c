"""Looks as rows, drifts as findings: the sentence, what shows it, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from agents.detectors.two_sample import Tested
from agents.drift.metrics import DETECTORS
from agents.drift.monitor import Drift, Look
from agents.drift.quality import Drop
from schemas.drift_rows import DriftRow
from schemas.findings import Finding
from schemas.outputs import DriftCause, Severity

STAGE = "drift"
KEEP = 60.0

_WHY: dict[DriftCause, str] = {
    "prompt_change": "the prompt changed",
    "model_change": "the model changed",
    "index_change": "the search index changed",
    "traffic_mix": "the mix of tenants changed",
    "input_drift": "users ask other things",
    "silent_provider_change": "the provider changed the model behind its name, as far as can be seen: prompt, index, model name, "
    "questions and traffic are as before",
    "unknown": "no cause was found among prompt, model, index, questions and traffic",
}
_ACTIONS: dict[DriftCause, str] = {
    "prompt_change": "Compare answers from before and after the new prompt; roll it back, or accept them: {accept}.",
    "model_change": "Compare answers of both models; go back to the former one, or accept the new ones: {accept}.",
    "index_change": "Compare answers and retrieved documents of both index versions; roll back, or accept them: {accept}.",
    "traffic_mix": "See whether the tenants that grew get good answers; if this is the new normal: {accept}.",
    "input_drift": "Read the new questions; extend prompt, index and evaluations to them; if this is the new normal: {accept}.",
    "silent_provider_change": "Run your evaluations now, pin a dated model version, ask the provider; or accept: {accept}.",
    "unknown": "Compare the answers from before and after; if they are as they should be: {accept}.",
}
_WHAT = {
    "answer_text": "answers read differently",
    "question_text": "questions are of other kinds",
    "answer_language": "answers are in other languages",
    "question_language": "questions are in other languages",
    "tenant": "requests come from other tenants",
    "tool": "other tools are called",
    "finish_reason": "answers end in other ways",
}


class Key(NamedTuple):
    """What is watched as one series. ``model``: as requested."""

    feature: str
    model: str


def labels_of(key: Key, drift: Drift) -> dict[str, str]:
    return {"feature": key.feature, "model": key.model, "metric": drift.metric, "cause": drift.cause}


def drift_finding(key: Key, drift: Drift, time: float, level: float) -> Finding:
    """The drift holds at ``time``, epoch seconds."""
    others = [metric for metric in drift.moved if metric != drift.metric]
    command = f"mirante drift accept --feature {key.feature!r} --model {key.model!r} --reason ..."
    candidates = [candidate._asdict() for candidate in drift.candidates]
    lines = [f"Since {_moment(drift.since):%Y-%m-%d %H:%M} UTC."]
    lines += [f"{candidate.covariate or candidate.cause}: {candidate.what}." for candidate in drift.candidates]
    if others:
        lines.append(f"Moved as well: {', '.join(others)}.")
    if drift.terms:
        lines.append(f"Typical of the new answers (- of the former ones): {', '.join(drift.terms)}.")
    return Finding(
        name="Drift",
        labels=labels_of(key, drift),
        time=time,
        active=True,
        severity=_severity(drift),
        since=drift.since,
        episode=drift.since,
        keep=KEEP,
        value=drift.now,
        expected=drift.was,
        window=(drift.since, drift.seen),
        summary=f"feature {key.feature}, model {key.model}: {_changed(drift)}; {_WHY[drift.cause]}.",
        description=" ".join(lines),
        action=_ACTIONS[drift.cause].format(accept=f"`{command}`"),
        cause=f"{drift.cause}: {drift.candidates[0].what if drift.candidates else _WHY[drift.cause]}",
        response_ids=[*drift.after, *drift.before],
        detail={
            "change_point": _moment(drift.since).isoformat(),
            "e_value": drift.evidence,
            "e_value_needed": 1 / level,
            "p_value": drift.p,
            "moved": drift.moved,
            "candidates": candidates,
            "terms": drift.terms,
            "before": drift.before,
            "after": drift.after,
            "examples": drift.examples,
        },
        generator=STAGE,
    )


def drift_ceased(key: Key, drift: Drift, time: float) -> Finding:
    return Finding(name="Drift", labels=labels_of(key, drift), time=time, active=False, keep=KEEP, generator=STAGE)


def drop_finding(key: Key, judge: str, drop: Drop, drift: Drift | None, time: float) -> Finding:
    """Scores have fallen; ``drift``: what is known to have changed in the same series."""
    cause = "" if drift is None else f"{drift.cause}: {_WHY[drift.cause]}"
    return Finding(
        name="QualityDrop",
        labels=_drop_labels(key, judge),
        time=time,
        active=True,
        since=drop.since,
        keep=KEEP,
        value=drop.now,
        expected=drop.was,
        window=(drop.since, max(time, drop.since)),
        summary=f"feature {key.feature}, model {key.model}: {judge} gives answers {drop.now:.2f} instead of {drop.was:.2f}.",
        action="Read the answers with the lowest scores; compare prompt, model and index with those of before.",
        cause=cause,
        response_ids=drop.response_ids,
        detail={"p_value": drop.p, "e_value": drop.evidence},
        generator=STAGE,
    )


def drop_ceased(key: Key, judge: str, time: float) -> Finding:
    return Finding(name="QualityDrop", labels=_drop_labels(key, judge), time=time, active=False, keep=KEEP, generator=STAGE)


def rows_of(key: Key, look: Look, drift: Drift | None, evidence: float) -> Iterator[DriftRow]:
    """One row per test. ``drift``: what was found with this look or before and still holds."""
    for test in look.tests:
        drifted = drift is not None and test.metric == drift.metric
        yield DriftRow(
            time=_moment(look.time),
            feature=key.feature,
            model=key.model,
            metric=test.metric,
            detector=DETECTORS[test.metric],
            window_n=look.size,
            reference_version=look.version,
            statistic=test.tested.statistic,
            p_value=test.tested.p,
            drifted=drifted,
            cause=drift.cause if drift is not None and drifted else "",
            reference_n=test.reference_n,
            current_n=test.current_n,
            detail={"e_value": round(evidence, 6)} if drift is None or not drifted else _shown(drift, evidence),
        )


def score_row(
    key: Key, judge: str, time: float, size: int, tested: Tested, reference_n: int, drop: Drop | None, evidence: float
) -> DriftRow:
    return DriftRow(
        time=_moment(time), feature=key.feature, model=key.model, metric=f"score:{judge}", detector="mann_whitney", window_n=size,
        reference_version=0, statistic=tested.statistic, p_value=tested.p, drifted=drop is not None, cause="",
        reference_n=reference_n, current_n=size, detail={"e_value": round(evidence, 6)},
    )  # fmt: skip


def _shown(drift: Drift, evidence: float) -> dict[str, Any]:
    return {
        "e_value": round(evidence, 6),
        "change_point": _moment(drift.since).isoformat(),
        "candidates": [candidate._asdict() for candidate in drift.candidates],
        "moved": drift.moved,
        "terms": drift.terms,
        "before": drift.before,
        "after": drift.after,
    }


def _changed(drift: Drift) -> str:
    if drift.was is not None and drift.now is not None:
        if max(drift.was, drift.now) <= 1.0 and drift.metric not in ("cost_usd", "retrieval_score"):
            return f"{drift.metric} is {drift.now:.1%} instead of {drift.was:.1%}"
        return f"{drift.metric} is {drift.now:.4g} on average instead of {drift.was:.4g}"
    return _WHAT.get(drift.metric, f"{drift.metric} changed")


def _severity(drift: Drift) -> Severity:
    return "info" if drift.cause in ("traffic_mix", "input_drift") and not drift.moved.keys() & {"refusal", "failed"} else "ticket"


def _drop_labels(key: Key, judge: str) -> dict[str, str]:
    return {"feature": key.feature, "model": key.model, "metric": judge}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
