"""What is compared between reference and present: one test per metric, on units that may be exchanged with each other.

Answers of one session are alike, and counting them as independent finds drift where there is none (on MT-Bench's two-turn conversations
every comparison of a model with itself is then "significant" at 5%). So a unit is the mean over up to ``MOST`` successive answers of a
session within its group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.detectors.two_sample import (
    NOTHING,
    RIDGE,
    Bools,
    Tested,
    binary_test,
    category_test,
    kernel_test,
    rank_test,
    topics_test,
)
from agents.drift.rows import BINARIES, CATEGORIES, NUMBERS, Rows, answers, questions
from agents.drift.text import STYLE, Floats

MOST = 4
"""Answers of a session in one unit: a few very long sessions must not leave nothing to compare."""

WEIGHTS: Mapping[str, float] = {
    "refusal": 0.4, "output_invalid": 0.06, "failed": 0.02, "truncated": 0.01, "rail_blocked": 0.01,
    "answer_text": 0.2, "question_text": 0.12, "output_tokens": 0.03, "tenant": 0.035, "question_language": 0.035, "answer_language": 0.03,
    "retrieval_score": 0.02, "tool": 0.008, "finish_reason": 0.008, "input_tokens": 0.006, "latency_ms": 0.004, "ttft_ms": 0.004,
}  # fmt: skip
"""Share of each metric in the evidence. Binaries have half, since a flag gains least per answer and so needs a lower bar most; in each half
the part of metrics without variation goes to the others. A cost per answer follows its tokens."""

STYLE_SHARE = 0.7
"""Variance of the style features, which are few and the same for all topics, beside that of the n-grams."""

_LEAST_SPREAD = 0.2

_NEARLY_CONSTANT = 0.01
"""Share of their size by which numbers differ at most that are as good as constant: nothing is tested."""
_TEMPLATE = 0.1
"""Variance, of vectors of length 1, up to which texts are one template with a number or a name in it: as good as constant. Answers of a
model to one kind of questions have 0.3 and more, templates with an order's number 0.01 to 0.08 (tests/unit/drift_data.py)."""

STYLE_WEIGHTS = np.array(
    (
        0.5, 0.4, 0.9, 0.6, 1.1, 0.4, 1.6, 0.7, 1.2, 0.3,  # length ... code
        0.3, 0.6, 0.4, 0.3, 0.3, 0.5, 0.3, 0.5, 0.3,  # digits ... negation
        0.7, 0.3, 0.9, 1.0, 0.3, 0.4, 0.4, 0.3, 0.7, 0.9, 0.3, 2.3, 0.3,  # marks
        0.7, 0.6, 0.7, 0.7, 0.7, 1.3, 0.7, 2.4, 2.3, 1.1, 2.2, 1.8,  # ends_in_mark ... bold_labels
    ),
    np.float32,
)  # fmt: skip
"""How well each feature of ``STYLE_NAMES`` tells writers apart, measured on three models (tests/bench/drift_style.py)."""

RIDGES: Mapping[str, float] = {"answer_text": RIDGE, "question_text": 3.0}
"""Questions are short, so what they have in common counts more than their single words."""

DETECTORS: Mapping[str, str] = {
    **dict.fromkeys(("answer_text", "question_text"), "kernel_fisher"),
    **dict.fromkeys(NUMBERS, "mann_whitney_mood"),
    **dict.fromkeys((*BINARIES, *CATEGORIES), "fisher"),
}

INPUT = frozenset({"question_text", "question_language", "input_tokens", "tenant"})
"""Metrics of what is asked, and by whom; the others are of what comes back."""
SPEED = frozenset({"latency_ms", "ttft_ms"})


class Test(NamedTuple):
    """``reference_n`` and ``current_n`` count units."""

    metric: str
    tested: Tested
    reference_n: int
    current_n: int


class Units(NamedTuple):
    """Rows in order of time, grouped: ``of`` is the unit of each row, ``new`` says of each unit whether it belongs to the present."""

    rows: Rows
    of: NDArray[np.int64]
    new: Bools

    @classmethod
    def of_groups(cls, old: Rows, new: Rows) -> Units:
        """Of the rows of a reference (``old``) and of a window (``new``): up to ``MOST`` answers of
        one session and side are one unit."""
        both = np.concatenate([np.sort(old, order=["time", "seq"]), new])
        group = np.zeros(len(both), np.int64)
        group[len(old) :] = 1
        seen: dict[tuple[int, int], int] = {}
        ids: dict[tuple[int, int, int], int] = {}
        of = np.empty(len(both), np.int64)
        for i, (session, side) in enumerate(zip(both["session"].tolist(), group.tolist(), strict=True)):
            count = seen[session, side] = seen.get((session, side), -1) + 1
            of[i] = ids.setdefault((session, side, count // MOST), len(ids))
        return cls(both, of, np.array([side == 1 for _, side, _ in ids], bool))

    def mean(self, values: NDArray[Any], chosen: Bools) -> tuple[Floats, Bools]:
        """Means over the chosen rows of each unit that has any, and which of these units are new."""
        data = values[chosen].astype(np.result_type(values.dtype, np.float32))
        if len(self.new) == len(self.of):  # each row is a unit
            return data, self.new[chosen]
        count = np.bincount(self.of[chosen], minlength=len(self.new))
        has = count > 0
        if data.ndim == 1:
            sums = np.bincount(self.of[chosen], data, len(self.new))
            return sums[has] / count[has], self.new[has]
        order = np.argsort(self.of[chosen], kind="stable")
        sums = np.add.reduceat(data[order], np.concatenate([[0], np.cumsum(count[has])[:-1]]), axis=0)
        return sums / count[has][:, None].astype(data.dtype), self.new[has]


def features_of(metric: str, units: Units) -> tuple[Floats, Bools]:
    """The vectors of a text metric, style scaled by its spread over all units."""
    if metric == "question_text":
        return units.mean(questions(units.rows), asked(units.rows))
    vectors, new = units.mean(answers(units.rows), units.rows["text"])
    return scaled(vectors), new


def asked(rows: Rows) -> Bools:
    """Which rows hold a question."""
    found: Bools = (rows["question"] != 0).any(axis=1)
    return found


def scaled(vectors: Floats) -> Floats:
    """Style to a variance of ``STYLE_SHARE`` in total, the more telling features more of it, beside n-grams of length 1."""
    if not len(vectors):
        return vectors
    grams, style = vectors[:, :-STYLE], squashed(vectors[:, -STYLE:]) * STYLE_WEIGHTS
    total = float(style.var(axis=0).sum())
    return np.hstack([grams, style * np.float32(np.sqrt(STYLE_SHARE / max(total, 1e-9)))])


def squashed(style: Floats) -> Floats:
    """Each feature to a deviation of 1, so that neither few far values nor the texts that alone have a mark decide."""
    spread = style.std(axis=0)
    bounded = np.tanh((style - np.median(style, axis=0)) / np.where(spread > 1e-9, spread, 1.0))
    found: Floats = bounded / np.maximum(bounded.std(axis=0), _LEAST_SPREAD)
    return found


def test_of(metric: str, units: Units) -> Test:
    """One metric's test."""
    if metric in ("answer_text", "question_text"):
        features, new = features_of(metric, units)
        if not _both(new):
            tested = NOTHING
        elif metric == "question_text":
            tested = topics_test(features, new, RIDGES[metric])
        else:
            tested = kernel_test(features, new, RIDGES[metric])
    elif metric in NUMBERS:
        values = units.rows["numbers"][:, NUMBERS.index(metric)]
        means, new = units.mean(values, ~np.isnan(values))
        tested = rank_test(means, new) if _both(new) else NOTHING
    elif metric in BINARIES:
        values = units.rows["binaries"][:, BINARIES.index(metric)]
        means, new = units.mean(values, values >= 0)
        tested = binary_test(means >= 0.5, new) if _both(new) else NOTHING
    else:
        codes, new = _codes(units, CATEGORIES.index(metric))
        tested = category_test(codes, new) if _both(new) else NOTHING
    return Test(metric, tested, int((~new).sum()), int(new.sum()))


def tests(units: Units) -> list[Test]:
    """All metrics that vary at all."""
    return [test_of(metric, units) for metric in WEIGHTS if _varies(metric, units.rows)]


def leading(sessions: NDArray[np.uint64]) -> Bools:
    """The first of every ``MOST`` answers of a session: units that are known as soon as their first answer is."""
    order = np.argsort(sessions, kind="stable")
    first = np.concatenate([[True], np.diff(sessions[order]) != 0])[: len(order)]
    at = np.arange(len(order))
    found = np.empty(len(order), bool)
    found[order] = (at - np.maximum.accumulate(np.where(first, at, 0))) % MOST == 0
    return found


def shares(rows: Rows, category: str, names: list[list[str]]) -> dict[str, float]:
    """Share of each value of a category."""
    at = CATEGORIES.index(category)
    codes, counts = np.unique(rows["codes"][:, at], return_counts=True)
    return {names[at][int(code)]: float(count) / len(rows) for code, count in zip(codes, counts, strict=True)}


def _codes(units: Units, at: int) -> tuple[NDArray[np.int64], Bools]:
    """Of each unit, the category of its first row."""
    _, first = np.unique(units.of, return_index=True)
    return units.rows["codes"][first, at].astype(np.int64), units.new


_CONSTANT: Mapping[str, Callable[[Rows], bool]] = {
    "answer_text": lambda rows: _alike(answers(rows[rows["text"]])[:, :-STYLE]),
    "question_text": lambda rows: _alike(questions(rows[asked(rows)])),
}


def _alike(vectors: Floats) -> bool:
    """Whether there is nothing to compare: no texts, or all from one template. ``vectors``: of length 1, so their variance is a share."""
    if not len(vectors):
        return True
    middle = vectors.mean(axis=0, dtype=np.float64)
    size = float(np.einsum("ij,ij->", vectors, vectors, dtype=np.float64)) / len(vectors)
    return size - float(middle @ middle) <= _TEMPLATE * size


def _varies(metric: str, rows: Rows) -> bool:
    if metric in _CONSTANT:
        return not _CONSTANT[metric](rows)
    if metric in NUMBERS:
        values = rows["numbers"][:, NUMBERS.index(metric)]
        if np.isnan(values).all():
            return False
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        return high - low > _NEARLY_CONSTANT * max(abs(low), abs(high))
    values = rows["binaries"][:, BINARIES.index(metric)] if metric in BINARIES else rows["codes"][:, CATEGORIES.index(metric)]
    return bool((values != values[0]).any())


def _both(new: Bools) -> bool:
    k = int(new.sum())
    return k >= 8 and len(new) - k >= 8
