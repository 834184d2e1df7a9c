"""Makes ``agents/labels/prior.json``. Run: `python -m training.labels.combination CASES [--check]`;
CASES is what `python -m tests.bench.labels_online --cases CASES` makes of the development data.

What signals are thought to say before a feature has feedback of its own. ``RATES``, an honest guess
of how often each occurs with satisfied and with dissatisfied users, gives weights as naive Bayes
does. The tone of the next turn has half of them as levels and half as the balance itself; these
weights and those of what the answer was are then learned from people's dialogues (iard, MIT), with
a Gaussian prior around the guess, precision chosen on no set. uss has no licence that lets a model
learn from it, and the truth of tau is one reward for a whole session: learned from, it makes
judgements of all others worse (`--check`: leave one source out). They are measured only.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from math import log
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score

import agents.labels
from agents.labels.reliability import (
    BALANCE,
    EXPLICIT,
    FEATURES,
    LENGTH,
    NAMES,
    PLACE,
    REACTED,
    VOTES,
    Clues,
    Prior,
)

Cases = dict[str, tuple[list[Clues], list[bool]]]
"""What is known of answers, and whether they satisfied, by source."""

PATH = Path(agents.labels.__file__).with_name("prior.json")

RATES: Mapping[str, tuple[float, float]] = {
    # About nine in ten mean what they say, and the dissatisfied speak more often.
    "thumbs_up:": (0.60, 0.10), "thumbs_down:": (0.04, 0.75),
    "rating:low": (0.02, 0.25), "rating:middle": (0.12, 0.12), "rating:high": (0.25, 0.04),
    "comment:bad": (0.02, 0.15), "comment:plain": (0.05, 0.05), "comment:good": (0.15, 0.015),
    "copy:": (0.25, 0.12), "copy_code:": (0.30, 0.13), "insert:": (0.20, 0.07),
    "share:": (0.06, 0.02),
    "edit:small": (0.12, 0.05), "edit:middle": (0.08, 0.08), "edit:large": (0.04, 0.08),
    "regenerate:": (0.04, 0.22), "escalate:": (0.02, 0.10), "abandon:": (0.06, 0.15),
    "tab_close:": (0.15, 0.18),
    "dwell:short": (0.12, 0.22), "dwell:read": (0.50, 0.38), "dwell:long": (0.15, 0.15),
    "reformulation:weak": (0.05, 0.08), "reformulation:strong": (0.04, 0.22),
    "complaint:declined": (0.035, 0.14), "complaint:weak": (0.02, 0.06),
    "complaint:strong": (0.015, 0.15),
    "acceptance:weak": (0.10, 0.03), "acceptance:strong": (0.20, 0.02),
    "topic_change:": (0.35, 0.27),
}  # fmt: skip
"""How often each level occurs with satisfied and with dissatisfied users."""
SLOPE = 0.9
"""Signals that occur together would be counted twice (Platt 1999)."""
BALANCE_WEIGHT = -0.8
"""Of two steps of the balance of tones, which has half of what tones say."""
PRECISION = 0.2
"""Of the Gaussian prior, for each answer learned from at equal weight of sources."""
REACTIONS = ("reformulation", "complaint", "acceptance", "topic_change")
LEARNED = (
    BALANCE, PLACE, LENGTH,
    *(NAMES[v] for name in REACTIONS for v in VOTES[name].values()),
)  # fmt: skip

Known = tuple[Sequence[Clues], Sequence[bool]]
"""What was known of answers, and whether they satisfied."""


def guess() -> Prior:
    """The weights of naive Bayes with ``RATES``: of a reaction's level, against its absence."""
    said = {name: _odds(rate) for name, rate in RATES.items() if _voter(name) in EXPLICIT}
    weights = dict.fromkeys(FEATURES, 0.0)
    for name in weights.keys() & RATES.keys():
        weights[name] = SLOPE * _odds(RATES[name])
    for voter in REACTIONS:
        names = [NAMES[vote] for vote in VOTES[voter].values()]
        yes, no = (1 - sum(RATES[name][side] for name in names) for side in (0, 1))
        absent = SLOPE * _odds((yes, no))
        weights[REACTED] += absent
        for name in names:
            weights[name] -= absent
            if voter in ("complaint", "acceptance"):
                weights[name] /= 2
    weights[BALANCE] = BALANCE_WEIGHT
    return Prior(said, weights)


def learn(sources: Sequence[Known]) -> Prior:
    """The guess, moved by what ``sources`` teach; each counts as much as the others."""
    found = guess()
    at_first = np.array([found.weights[name] for name in LEARNED], np.float64)
    rows: list[Mapping[str, float]] = []
    truth: list[bool] = []
    counts: list[float] = []
    source: list[int] = []
    for n, (clues, satisfied) in enumerate(sources):
        rows += [item.features() for item in clues]
        truth += satisfied
        counts += [1.0 / len(clues)] * len(clues)
        source += [n] * len(clues)
    x = np.array([[row.get(name, 0.0) for name in LEARNED] for row in rows], np.float64)
    y, weight = np.array(truth, np.float64), np.array(counts, np.float64)
    own = np.eye(len(sources))[source]

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w, bases = theta[: len(LEARNED)], theta[len(LEARNED) :]
        z = x @ w + own @ bases
        error = weight * (1 / (1 + np.exp(-z)) - y)
        apart = w - at_first
        value = float((weight * (np.logaddexp(0, z) - y * z)).sum() + PRECISION / 2 * apart @ apart)
        return value, np.concatenate((x.T @ error + PRECISION * apart, own.T @ error))

    start = np.concatenate((at_first, np.zeros(len(sources))))
    best = minimize(loss, start, jac=True, method="L-BFGS-B").x
    weights = found.weights | dict(zip(LEARNED, best.tolist(), strict=False))
    return Prior(found.said, {name: round(weights[name], 3) for name in FEATURES})


def area(prior: Prior, known: Known) -> float:
    """AUC of a prior's sum of weights, for who was satisfied."""
    clues, satisfied = known
    sums = [sum(prior.weights[name] * x for name, x in c.features().items()) for c in clues]
    return float(roc_auc_score(satisfied, sums))


def _voter(name: str) -> str:
    return name.partition(":")[0]


def _odds(rate: tuple[float, float]) -> float:
    return log(rate[0] / rate[1])


def write(prior: Prior) -> None:
    """To the package, rounded to what is known of it."""
    said = {name: round(odds, 3) for name, odds in prior.said.items()}
    PATH.write_bytes(msgspec.json.format(msgspec.json.encode(Prior(said, prior.weights))) + b"\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes agents/labels/prior.json.")
    parser.add_argument("cases", type=Path, nargs="?", help="a file of answers whose truth is known")
    parser.add_argument("--check", action="store_true", help="leave one source out; write nothing")
    parser.add_argument("--guess", action="store_true", help="write the guess, without data")
    given = parser.parse_args()
    if given.guess:
        write(guess())
        return
    if given.cases is None:
        parser.error("CASES is missing: python -m tests.bench.labels_online --cases FILE makes it")
    sources = msgspec.json.decode(given.cases.read_bytes(), type=Cases)
    if given.check:
        for name in sources:
            others = [source for other, source in sources.items() if other != name]
            alone = {o: area(learn([sources[o]]), sources[name]) for o in sources if o != name}
            single = ", ".join(f"from {other} {found:.3f}" for other, found in alone.items())
            print(
                f"{name}: guess {area(guess(), sources[name]):.3f}, {single}, "
                f"from all others {area(learn(others), sources[name]):.3f}"
            )
        return
    write(learn([sources["iard"]]))


if __name__ == "__main__":
    main()
