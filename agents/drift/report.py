"""Looks as rows, drifts as findings with their facts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from agents.detectors.two_sample import Tested
from agents.drift.metrics import DETECTORS
from agents.drift.monitor import Drift, Look
from agents.drift.quality import Drop
from agents.drift.rows import NUMBERS
from agents.drift.series import BLOCK
from agents.drift.witness import Heard
from schemas.drift_rows import DriftRow
from schemas.findings import Finding
from schemas.outputs import Severity

STAGE = "drift"
KEEP = 60.0
AUDIBLE = frozenset(NUMBERS)
"""Metrics in which other detectors mostly find what has changed, so that their silence says something."""
PATIENCE = 90.0
"""Seconds from its discovery until a drift is told of: an outage, errors or refusals that explain it are to be told of first."""

class Key(NamedTuple):
    """What is watched as one series. ``model``: as requested."""

    feature: str
    model: str


def labels_of(key: Key, drift: Drift) -> dict[str, str]:
    """Labels of the alert about a drift."""
    return {"feature": key.feature, "model": key.model, "metric": drift.metric, "cause": drift.cause}


def drift_finding(
    key: Key, drift: Drift, time: float, level: float, heard: Sequence[Heard] = ()
) -> Finding:
    """The drift holds at ``time``, epoch seconds. ``heard``: what other detectors said of late."""
    witnesses = sorted({(one.metric, one.detector) for one in heard if one.seq >= drift.seq - BLOCK})
    candidates = [candidate._asdict() for candidate in drift.candidates]
    return Finding(
        name="Drift",
        labels=labels_of(key, drift),
        time=time,
        active=True,
        severity=_severity(drift),
        since=drift.since,
        episode=drift.since,
        hold=drift.seen - drift.since + PATIENCE,
        keep=KEEP,
        value=drift.now,
        expected=drift.was,
        window=(drift.since, drift.seen),
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
            "witnesses": witnesses,
        },
        generator=STAGE,
        facts={
            "kind": "drift", "metric": drift.metric, "cause": drift.cause, "was": drift.was, "now": drift.now, "moved": list(drift.moved),
            "terms": drift.terms, "witnesses": witnesses, "audible": drift.metric in AUDIBLE,
            "candidates": [{"cause": c.cause, "covariate": c.covariate, "change": c.what} for c in drift.candidates],
        },
    )


def drift_ceased(key: Key, drift: Drift, time: float) -> Finding:
    """The drift of a series is over at ``time`` (seconds)."""
    return Finding(name="Drift", labels=labels_of(key, drift), time=time, active=False, keep=KEEP, generator=STAGE)


def drop_finding(key: Key, judge: str, drop: Drop, drift: Drift | None, time: float) -> Finding:
    """Scores have fallen; ``drift``: what is known to have changed in the same series."""
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
        response_ids=drop.response_ids,
        detail={"p_value": drop.p, "e_value": drop.evidence},
        generator=STAGE,
        facts={"kind": "scores", "judge": judge, "cause": "" if drift is None else drift.cause},
    )


def drop_ceased(key: Key, judge: str, time: float) -> Finding:
    """The scores that ``judge`` gives a series have recovered at ``time`` (seconds)."""
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


def witness_row(key: Key, said: Heard, version: int) -> DriftRow:
    """What another detector says: that it has found a change. It has no p-value, and decides nothing."""
    return DriftRow(
        time=_moment(said.time), feature=key.feature, model=key.model, metric=said.metric, detector=said.detector, window_n=said.heard,
        reference_version=version, statistic=1.0, p_value=1.0, drifted=False, cause="", reference_n=said.heard, current_n=said.heard,
    )  # fmt: skip


def score_row(
    key: Key, judge: str, time: float, size: int, tested: Tested, reference_n: int, drop: Drop | None, evidence: float
) -> DriftRow:
    """The row of the table ``drift`` for a comparison of ``size`` scores of a judge with
    ``reference_n`` before."""
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


def _severity(drift: Drift) -> Severity:
    return "info" if drift.cause in ("traffic_mix", "input_drift") and not drift.moved.keys() & {"refusal", "failed"} else "ticket"


def _drop_labels(key: Key, judge: str) -> dict[str, str]:
    return {"feature": key.feature, "model": key.model, "metric": judge}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
