"""Why a series has drifted: what else changed at the same time, and whether the drift remains where that did not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from agents.detectors.two_sample import Tested, category_test, kernel_test
from agents.drift.metrics import INPUT, SPEED, Units, asked, scaled, shares, test_of
from agents.drift.rows import CATEGORIES, Rows, answers, questions
from agents.drift.text import Floats
from schemas.outputs import DriftCause

CAUSES: tuple[DriftCause, ...] = get_args(DriftCause)

_DEPLOYED: Mapping[str, DriftCause] = {"prompt_sha": "prompt_change", "model": "model_change", "index_version": "index_change"}
_MOVED_P = 1e-4
_ASKED_P = 1e-2
"""Of questions: milder, because the drift of answers is then tested again relative to the questions."""
_MOVED_SHARE = 0.15
"""Total variation from which a change of shares can explain anything."""
_NOT_OF_THE_MODEL = frozenset({"failed", "rail_blocked"})
"""Metrics that say nothing of what a model answers: calls fail, and rails stop them, whatever it is."""
_FEW = 15
"""Answers of a stratum on each side, and before a change point, that are enough to look at."""
_EXPLAINED = 0.5
"""A candidate explains a drift if less than this share of the statistic remains where the candidate did not change."""


class Candidate(NamedTuple):
    """``moved``: total variation between its shares, or the standardised statistic for texts. ``explains``: share of the drift that is gone
    where it did not change, 1 if it changed for everybody at that time. ``what``: shares before and after, '' if it is none of shares."""

    cause: DriftCause
    covariate: str
    moved: float
    explains: float
    what: str


class Explained(NamedTuple):
    cause: DriftCause
    candidates: list[Candidate]
    """The best first."""


def explain(metric: str, old: Rows, new: Rows, between: Rows, names: list[list[str]]) -> Explained:
    """``between``: answers after the reference and before the change point; what had changed among them already is not the cause."""
    units = Units.of_groups(old, new)
    total = test_of(metric, units).tested
    found: list[Candidate] = []
    if metric not in INPUT or metric == "input_tokens":
        for covariate, cause in _DEPLOYED.items():
            candidate = _deployed(metric, covariate, cause, old, new, between, names, total)
            if candidate is not None:
                found.append(candidate)
    tenant = _share_candidate(metric, "tenant", "traffic_mix", old, new, names, total)
    if tenant is not None:
        found.append(tenant)
    other = _asked(metric, units, old, new, names, total, tenant)
    if other is not None:
        found.append(other)
    good = [candidate for candidate in found if candidate.explains >= 1 - _EXPLAINED]
    rest = [candidate for candidate in found if candidate.explains < 1 - _EXPLAINED]
    if good:
        return Explained(good[0].cause, [*good, *rest])
    fingerprint = _difference(shares(old, "system_fingerprint", names), shares(new, "system_fingerprint", names))
    if metric in INPUT or metric in SPEED or (metric in _NOT_OF_THE_MODEL and fingerprint < _MOVED_SHARE):
        return Explained("input_drift" if metric in ("question_text", "question_language") else "unknown", rest)
    what = _change("system_fingerprint", old, new, names) if fingerprint >= _MOVED_SHARE else ""
    return Explained("silent_provider_change", [Candidate("silent_provider_change", "", fingerprint, 1.0, what), *rest])


def _deployed(
    metric: str, covariate: str, cause: DriftCause, old: Rows, new: Rows, between: Rows, names: list[list[str]], total: Tested
) -> Candidate | None:
    """What a team releases: it explains a drift that came with it."""
    candidate = _share_candidate(metric, covariate, cause, old, new, names, total)
    if candidate is None or len(between) < _FEW:
        return candidate
    known = shares(old, covariate, names)
    fresh = sum(share for name, share in shares(between, covariate, names).items() if known.get(name, 0.0) < 0.01)
    return candidate._replace(explains=0.0) if fresh >= 0.5 else candidate


def _share_candidate(
    metric: str, covariate: str, cause: DriftCause, old: Rows, new: Rows, names: list[list[str]], total: Tested
) -> Candidate | None:
    """A category whose shares moved; the drift is tested again where they are made equal."""
    was, now = shares(old, covariate, names), shares(new, covariate, names)
    moved = _difference(was, now)
    if moved < _MOVED_SHARE or _shares_test(covariate, old, new).p > _MOVED_P:
        return None
    what = _change(covariate, old, new, names)
    if metric == covariate:
        return Candidate(cause, covariate, moved, 1.0, what)
    old_same, new_same = _balanced(old, new, CATEGORIES.index(covariate))
    if len(new_same) < _FEW:
        return Candidate(cause, covariate, moved, 1.0, what)
    left = test_of(metric, Units.of_groups(old_same, new_same)).tested
    return Candidate(cause, covariate, moved, _gone(left, total, _power(old_same, new_same) / _power(old, new), metric), what)


def _shares_test(covariate: str, old: Rows, new: Rows) -> Tested:
    """Whether shares moved. What is released changes for everybody at once, so likeness of neighbours is no reason for doubt."""
    at = CATEGORIES.index(covariate)
    codes = np.concatenate([old["codes"][:, at], new["codes"][:, at]]).astype(np.int64)
    return category_test(codes, np.arange(len(codes)) >= len(old), tempered=False)


def _balanced(old: Rows, new: Rows, at: int) -> tuple[Rows, Rows]:
    """As many old as new answers of each value that both have; the latest of the old and of the new."""
    old_parts, new_parts = [old[:0]], [new[:0]]
    for code in np.intersect1d(old["codes"][:, at], new["codes"][:, at]):
        a, b = old[old["codes"][:, at] == code], new[new["codes"][:, at] == code]
        number = min(len(a), len(b))
        if number >= _FEW // 2:
            old_parts.append(a[-number:])
            new_parts.append(b[-number:])
    return np.sort(np.concatenate(old_parts), order="seq"), np.sort(np.concatenate(new_parts), order="seq")


def _asked(
    metric: str, units: Units, old: Rows, new: Rows, names: list[list[str]], total: Tested, tenant: Candidate | None
) -> Candidate | None:
    """Other questions: their texts or their language. The drift of answers is tested again on what questions do not predict."""
    text = test_of("question_text", units).tested
    language = _difference(shares(old, "question_language", names), shares(new, "question_language", names))
    spoken = language >= _MOVED_SHARE and test_of("question_language", units).tested.p <= _MOVED_P
    if text.p > _ASKED_P and not spoken:
        return None
    what = _change("question_language", old, new, names) if spoken else ""
    if tenant is not None and metric in INPUT:
        # the same tenants asking the same things in another mixture are traffic, not new questions
        return Candidate("input_drift", "question", text.statistic, 1.0 - tenant.explains, what)
    if metric in INPUT:
        return Candidate("input_drift", "question", text.statistic, 1.0, what)
    if metric != "answer_text":
        old_like, new_like = _alike(old, new)
        if len(new_like) < _FEW:
            return Candidate("input_drift", "question", text.statistic, 1.0, what)
        left = test_of(metric, Units.of_groups(old_like, new_like)).tested
        power = _power(old_like, new_like) / _power(old, new)
        return Candidate("input_drift", "question", text.statistic, _gone(left, total, power, metric), what)
    return Candidate("input_drift", "question", text.statistic, _explained_by_questions(units, total), what)


def _explained_by_questions(units: Units, total: Tested) -> float:
    """Share of the answers' drift that is gone when answers are taken relative to what a ridge regression on their questions predicts."""
    chosen = units.rows["text"] & asked(units.rows)
    said, new = units.mean(answers(units.rows), chosen)
    wanted, _ = units.mean(questions(units.rows), chosen)
    if len(new) < 24:
        return 1.0
    spoken, _ = units.mean(_one_hot(units.rows["codes"][:, CATEGORIES.index("question_language")]), chosen)
    x = np.hstack([wanted, 2.0 * spoken])
    y = scaled(said)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    gram = x @ x.T
    ridge = 0.3 * float(np.trace(gram)) / len(new)
    predicted = gram @ np.linalg.solve(gram + ridge * np.eye(len(new)), y)
    return _gone(kernel_test(y - predicted, new), total, 1.0, "answer_text")


def _alike(old: Rows, new: Rows) -> tuple[Rows, Rows]:
    """The new answers whose question resembles one of the old, each with the old one most like it."""
    a, b = old[asked(old)], new[asked(new)]
    if not len(a) or not len(b):
        return a, b
    x, y = questions(a), questions(b)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    like = y @ x.T
    best = like.argmax(axis=1)
    same = like.max(axis=1) >= 0.6
    chosen = np.unique(best[same])
    return a[chosen], b[same]


def _one_hot(codes: NDArray[np.uint8]) -> Floats:
    return np.asarray(codes[:, None] == np.unique(codes)[None, :], np.float64)


def _power(old: Rows, new: Rows) -> float:
    """How much a statistic may be expected to grow with the groups' sizes."""
    return len(old) * len(new) / (len(old) + len(new))


def _gone(left: Tested, total: Tested, power: float, metric: str) -> float:
    """Share of a drift that is no longer seen; ``power``: what the smaller groups leave of the statistic if nothing is explained."""
    if metric.endswith("_text"):
        if left.p > 0.01 and power > 0.3:
            return 1.0
        expected = abs(total.statistic) * power
    else:
        expected = abs(total.statistic) * np.sqrt(power)
    return float(np.clip(1 - abs(left.statistic) / max(expected, 1e-9), 0.0, 1.0))


def _difference(was: Mapping[str, float], now: Mapping[str, float]) -> float:
    """Total variation between two sets of shares."""
    return sum(abs(was.get(name, 0.0) - now.get(name, 0.0)) for name in was.keys() | now.keys()) / 2


def _change(covariate: str, old: Rows, new: Rows, names: list[list[str]]) -> str:
    """Such as ``3f2a 98% -> 0%, 77b1 2% -> 100%``."""
    was, now = shares(old, covariate, names), shares(new, covariate, names)
    most = sorted(was.keys() | now.keys(), key=lambda name: (-abs(was.get(name, 0.0) - now.get(name, 0.0)), name))[:3]
    return ", ".join(f"{name or '(none)'} {was.get(name, 0.0):.0%} -> {now.get(name, 0.0):.0%}" for name in most)
