"""What learning from feedback does to labels. Run: `python -m tests.bench.labels_online`.

*Conversations of people* (the development data, ``MIRANTE_SHARED``; without them it says so): one
answer in ten, by chance, gets a thumb, in their order; the others are judged as they come. Beside
it in the same run and on the same answers: nothing learned (the prior); the prior moved by a batch
logistic regression of scikit-learn that is fitted anew to all thumbs so far after every tenth.

*Simulated users* (``labels_data.py``): a quarter of the way each, their habits stay or all at once
become others (who copied now regenerates, who read now skims). Every answer is predicted before its
feedback teaches. The best fixed combination knows the habits before the change.

*Cost*: of a judgement and of a lesson, and what loading river adds to a worker.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import log
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression

from agents.labels.reliability import (
    EXPLICIT,
    FEATURES,
    Clues,
    LabelModel,
    Vote,
    prior,
)
from schemas.opinions import Foresight
from tests.bench import smoke
from tests.bench.labels import area, simulate
from tests.bench.labels_talks import SOURCES, labelled
from training.labels.combination import Cases
from training.labels.corpus import shared_data

REVEALED = 0.1
THUMBS = {True: Vote("thumbs_up", ""), False: Vote("thumbs_down", "")}
CHANGED = {
    Vote("copy", ""): Vote("regenerate", ""),
    Vote("regenerate", ""): Vote("copy", ""),
    Vote("dwell", "read"): Vote("dwell", "short"),
    Vote("dwell", "short"): Vote("dwell", "read"),
}
WINDOW = 500
"""Feedbacks over which AUC and calibration are told."""


class Case(NamedTuple):
    """An answer that was settled without a word: its series, what is known, whether it did."""

    series: str
    clues: Clues
    satisfied: bool


def cases(name: str, most: int | None = None) -> list[Case]:
    """Of a source of conversations; none without the development data."""
    data = shared_data()
    if data is None:
        return []
    talks = list(SOURCES[name](data))[:most]
    _, state = labelled(talks, name)
    found = []
    for n, talk in enumerate(talks):
        for k, exchange in enumerate(talk):
            if exchange.satisfied is not None:
                found.append(Case(*state.heard[f"a{n}-{k}"], exchange.satisfied))
    return found


def developed() -> Cases:
    """What is known of answers whose truth is known, by source."""
    found = {name: cases(name) for name in ("uss", "iard", "tau")}
    return {
        name: ([case.clues for case in items], [case.satisfied for case in items])
        for name, items in found.items()
        if items
    }


class Judging:
    """What judges an answer and may learn from a thumb."""

    def __init__(self) -> None:
        self.model = LabelModel()

    def log_odds(self, case: Case) -> float:
        score = self.model.judge(case.series, case.clues, settled=True).score
        return log(score / (1 - score))

    def learn(self, case: Case, satisfied: bool) -> None:
        """Take a thumb in."""


class Online(Judging):
    def learn(self, case: Case, satisfied: bool) -> None:
        votes = (*case.clues.votes, THUMBS[satisfied])
        self.model.learn(case.series, case.clues._replace(votes=votes))


class Batch(Judging):
    """Fitted anew after every tenth thumb, to their difference from the prior."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[list[float]] = []
        self._truth: list[bool] = []
        self._fitted: LogisticRegression | None = None

    def log_odds(self, case: Case) -> float:
        if self._fitted is None:
            return super().log_odds(case)
        return float(self._fitted.decision_function([self._row(case)])[0])

    def learn(self, case: Case, satisfied: bool) -> None:
        self._rows.append(self._row(case))
        self._truth.append(satisfied)
        if len(self._truth) % 10 == 0 and len(set(self._truth)) == 2:
            self._fitted = LogisticRegression(max_iter=300).fit(self._rows, self._truth)

    def _row(self, case: Case) -> list[float]:
        seen, first = case.clues.features(), prior().weights
        return [
            *(seen.get(name, 0.0) for name in FEATURES),
            sum(first[name] * value for name, value in seen.items()),
        ]


def chance_of(log_odds: float) -> float:
    return float(1 / (1 + np.exp(-log_odds)))


def calibration(chances: Sequence[float], truth: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error: how far mean predictions are from shares, by tenths of answers
    in the order of predictions (so that every bin has as many)."""
    order = np.argsort(np.asarray(chances), kind="stable")
    p, y = np.asarray(chances)[order], np.asarray(truth, float)[order]
    apart = [
        abs(a.mean() - b.mean()) * len(a)
        for a, b in zip(np.array_split(p, bins), np.array_split(y, bins), strict=True)
        if len(a)
    ]
    return float(sum(apart) / len(p))


def revealed(
    found: Sequence[Case], judging: Callable[[], Judging], seed: int, share: float = REVEALED
) -> tuple[float, float]:
    """AUC and calibration error on the answers without a thumb."""
    chance, judge = random.Random(seed), judging()
    scores, truth = [], []
    for case in found:
        if chance.random() < share:
            judge.learn(case, case.satisfied)
        else:
            scores.append(judge.log_odds(case))
            truth.append(case.satisfied)
    late = len(scores) // 2
    return area(scores, truth), calibration(list(map(chance_of, scores[late:])), truth[late:])


def people(most: int | None, seeds: int) -> Table:
    table = Table(title=f"Feedback revealed for {REVEALED:.0%} of answers, judged on the others")
    for column in ("source", "answers", "nothing learned", "online", "batch", "online: calibration"):
        table.add_column(column, justify="left" if column == "source" else "right")
    for name in ("uss", "iard", "tau"):
        found = cases(name, most)
        if not found:
            continue
        told = {
            judging: np.mean([revealed(found, judging, seed) for seed in range(seeds)], axis=0)
            for judging in (Judging, Online, Batch)
        }
        table.add_row(
            name, str(len(found)), *(f"{told[of][0]:.3f}" for of in (Judging, Online, Batch)),
            f"{told[Online][1]:.3f}",
        )  # fmt: skip
    return table


def changed(case: Case) -> Case:
    votes = tuple(CHANGED.get(vote, vote) for vote in case.clues.votes)
    return case._replace(clues=case.clues._replace(votes=votes))


def simulated(answers: int) -> Iterator[tuple[Case, bool | None]]:
    """Answers of simulated users in their order, and the thumb if there is one."""
    _, truth, state, _, _ = simulate(answers)
    for response, (series, clues) in state.heard.items():
        said = [vote for vote in clues.votes if vote.voter in EXPLICIT]
        votes = tuple(vote for vote in clues.votes if vote.voter not in EXPLICIT)
        case = Case(series, clues._replace(votes=votes), truth[response].satisfied)
        yield case, said[-1].voter == "thumbs_up" if said else None


def habits(answers: int) -> Table:
    """Before and after a change of habits half-way, by hundreds of feedbacks since then."""
    table = Table(title="Simulated users: AUC for who was satisfied, all answers without feedback")
    since = ("before", "0-250 after", "250-500 after", "500-750 after", "later")
    for column in ("users", "who judges", *since, "prequential calibration", "log loss"):
        table.add_column(column)
    found = list(simulated(answers))
    half = len(found) // 2
    for users in ("stay", "change"):
        stream = [
            (changed(case) if users == "change" and n >= half else case, thumb)
            for n, (case, thumb) in enumerate(found)
        ]
        for name, judge in (("prior", Judging()), ("online", Online()), ("fixed", Online())):
            told: dict[str, tuple[list[float], list[bool]]] = {of: ([], []) for of in since}
            feedbacks, foresight = 0, Foresight(0, ("", ""))
            for n, (case, thumb) in enumerate(stream):
                odds = judge.log_odds(case)
                if thumb is None:
                    at = since[0 if n < half else min(1 + feedbacks // 250, 4)]
                    if n >= half // 2:
                        told[at][0].append(odds)
                        told[at][1].append(case.satisfied)
                    continue
                foresight.add(chance_of(odds), thumb)
                feedbacks += n >= half
                if name != "fixed" or n < half:
                    judge.learn(case, thumb)
            table.add_row(
                users, name, *(f"{area(*told[of]):.3f}" for of in since),
                f"{foresight.calibration:.3f}", f"{foresight.log_loss:.3f}",
            )  # fmt: skip
    return table


def cost(repeat: int) -> str:
    """Of a judgement that is not kept and of a lesson, in µs of CPU."""
    model = LabelModel()
    clues = Clues((Vote("copy", ""), Vote("dwell", "read"), Vote("complaint", "weak")), True, 2.0)
    taught = clues._replace(votes=(*clues.votes, THUMBS[False]))
    model.learn("t\nf", taught)
    spent: Mapping[str, Callable[[], object]] = {
        "a judgement": lambda: model.judge("t\nf", clues, settled=True),
        "a lesson": lambda: model.learn("t\nf", taught),
    }
    told = []
    for name, work in spent.items():
        began = time.process_time()
        for _ in range(repeat):
            work()
        told.append(f"{name} {(time.process_time() - began) / repeat * 1e6:.1f} µs")
    return ", ".join(told)


def loading() -> str:
    """What importing river's part adds to a process that has the agent's other libraries."""
    program = (
        "import resource, time, agents.labels.state, scipy.stats, streams.agent\n"
        "page = resource.getpagesize() / 2**20\n"
        "size = lambda: int(open('/proc/self/statm').read().split()[1]) * page\n"
        "before, began = size(), time.process_time()\n"
        "from agents.labels.learner import step\n"
        "step(0.0, {(0, 'a'): 1.0}, {(0, 'a'): 1.0}, satisfied=True, sure=1.0)\n"
        "print(f'{time.process_time() - began:.2f} s of CPU, {size() - before:.0f} MB')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=Path, help="only write what training.labels.combination needs")
    parser.add_argument("--talks", type=int, help="conversations of each source at most")
    parser.add_argument("--answers", type=int, default=40_000, help="of simulated users")
    parser.add_argument("--seeds", type=int, default=5, help="draws of who gives feedback")
    given = smoke.parse(parser, talks=6, answers=200, seeds=1)
    if given.cases is not None:
        given.cases.write_bytes(msgspec.json.encode(developed()))
        return
    console = Console(width=160)
    if shared_data() is None:
        console.print("The development data are not there; set MIRANTE_SHARED to their folder.")
    else:
        console.print(people(given.talks, given.seeds))
    console.print(habits(given.answers))
    console.print(cost(2_000))
    console.print(f"river in a worker: {loading()}")


if __name__ == "__main__":
    main()
