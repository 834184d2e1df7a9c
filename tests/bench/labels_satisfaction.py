"""How well the scores of labels tell who was dissatisfied, in conversations of people: `python -m
tests.bench.labels_satisfaction`.

One row a source of ``labels_talks.py``; all go through the agent's state as in a worker. *Silent*:
nobody gives feedback. *Taught*: in the first half of the conversations every answer whose truth is
known has a thumb, and the second half, without any, is judged. Baselines in the same run and on
the same answers: log-odds of a complaint (or of declining) minus those of an acceptance; a
logistic regression on today's five signals, learned from the first half.

An answer *counts against* its service when its label is negative, or says that the question was
asked again or that the user complained. Conversations are the development data
(``MIRANTE_SHARED``); without them it says so and ends. uss is evaluated only.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression

from agents.labels.detectors import MessageReader
from schemas.outputs import Label
from tests.bench import smoke
from tests.bench.labels import area
from tests.bench.labels_talks import SOURCES, Exchange, Place, Talk, labelled
from training.labels.corpus import shared_data

SIGNALS = ("reformulation", "complaint", "acceptance", "topic_change", "session_end")
AGAINST = ("reformulation", "complaint")
LEAST = -0.5
"""Weight from which a signal counts against an answer: hints weigh less."""


def known(talks: Sequence[Talk], labels: Mapping[Place, Label], since: int = 0) -> list[Place]:
    """Answers of the conversations from ``since`` on that have a label and whose truth is known."""
    return [
        place for place in labels if place[0] >= since and _of(talks, place).satisfied is not None
    ]


def dissatisfied(talks: Sequence[Talk], places: Sequence[Place]) -> list[bool]:
    return [not _of(talks, place).satisfied for place in places]


def _of(talks: Sequence[Talk], place: Place) -> Exchange:
    return talks[place[0]][place[1]]


def label_area(
    talks: Sequence[Talk], labels: Mapping[Place, Label], places: Sequence[Place]
) -> float:
    """AUC of the labels' scores, for who was dissatisfied."""
    return area([-labels[place].score for place in places], dissatisfied(talks, places))


def tone_area(talks: Sequence[Talk], places: Sequence[Place], reader: MessageReader) -> float:
    """AUC of complaint minus acceptance in the turn after an answer; 0 where there is none."""
    scores = []
    for talk, exchange in places:
        following = talks[talk][exchange + 1 :]
        tones = reader.tones(following[0].question) if following else None
        scores.append(
            0.0 if tones is None else max(tones.complaint, tones.declined) - tones.acceptance
        )
    return area(scores, dissatisfied(talks, places))


def five_signals(labels: Mapping[Place, Label], places: Sequence[Place]) -> NDArray[np.float64]:
    """A row for each answer: the weight of each of ``SIGNALS``, 0 where it was not seen."""
    seen: list[dict[str, float]] = [
        {signal.kind: signal.weight for signal in labels[place].signals} for place in places
    ]
    return np.array([[of.get(name, 0.0) for name in SIGNALS] for of in seen])


def regression_area(talks: Sequence[Talk], labels: Mapping[Place, Label], half: int) -> float:
    """AUC of a logistic regression on the five signals, learned from the conversations before
    ``half``."""
    learned = [place for place in known(talks, labels) if place[0] < half]
    judged = known(talks, labels, half)
    truth = dissatisfied(talks, learned)
    if len(set(truth)) < 2:
        return float("nan")
    model = LogisticRegression().fit(five_signals(labels, learned), truth)
    return area(model.decision_function(five_signals(labels, judged)), dissatisfied(talks, judged))


def measure(name: str, talks: list[Talk], reader: MessageReader, areas: Table, shares: Table) -> None:
    """A row of each table."""
    silent, _ = labelled(talks, name)
    counted = Counter(label.label for label in silent.values())
    asked = [place for place in silent if place[1] + 1 < len(talks[place[0]])]
    against = Counter[str]()
    for place in asked:
        label = silent[place]
        against["label"] += label.label == "negative"
        for kind in AGAINST:
            against[kind] += any(
                signal.kind == kind and signal.weight <= LEAST for signal in label.signals
            )
    shares.add_row(
        name, str(len(talks)), str(len(silent)),
        *(f"{counted[of] / max(len(silent), 1):.1%}" for of in ("negative", "neutral", "positive")),
        *(f"{against[of] / max(len(asked), 1):.1%}" for of in ("label", *AGAINST)),
    )  # fmt: skip
    places = known(talks, silent)
    if not places:
        return
    half = len(talks) // 2
    thumbs = {place: bool(_of(talks, place).satisfied) for place in places if place[0] < half}
    taught, _ = labelled(talks, name, thumbs)
    second = known(talks, silent, half)
    areas.add_row(
        name, str(len(places)), f"{np.mean(dissatisfied(talks, places)):.0%}",
        f"{label_area(talks, silent, places):.3f}", f"{tone_area(talks, places, reader):.3f}",
        f"{label_area(talks, silent, second):.3f}", f"{label_area(talks, taught, second):.3f}",
        f"{regression_area(talks, silent, half):.3f}",
    )  # fmt: skip


def tables(sources: Sequence[str], most: int | None) -> list[Table]:
    """Of the sources named, at most ``most`` conversations of each. Empty without the development
    data."""
    data = shared_data()
    if data is None:
        return []
    areas = Table(
        title="AUC of the final label's score, no feedback on that answer: who was dissatisfied"
    )
    for column in (
        "source", "answers", "dissatisfied", "silent", "complaint - acceptance",
        "second half: silent", "taught", "LR on five signals, taught",
    ):  # fmt: skip
        areas.add_column(column, justify="left" if column == "source" else "right")
    shares = Table(
        title="Labels without any feedback, and what counts against an answer that is followed up"
    )
    for column in (
        "source", "conversations", "answers", "negative", "neutral", "positive",
        "of follow-ups: negative", "asked again", "complaint",
    ):  # fmt: skip
        shares.add_column(column, justify="left" if column == "source" else "right")
    reader = MessageReader()
    for name in sources:
        measure(name, list(SOURCES[name](data))[:most], reader, areas, shares)
    return [areas, shares]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--source", choices=SOURCES, action="append", help="one or more; all by default"
    )
    parser.add_argument("--talks", type=int, help="conversations of each source at most")
    given = smoke.parse(parser, talks=6)
    console = Console(width=160)
    found = tables(given.source or list(SOURCES), given.talks)
    if not found:
        console.print(
            "The development data are not there; set MIRANTE_SHARED to the folder with `data`."
        )
    for table in found:
        console.print(table)


if __name__ == "__main__":
    main()
