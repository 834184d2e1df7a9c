"""Conversations that people had and nobody here wrote, as turns of a user with what is known of
how an answer pleased.

From the development data (``MIRANTE_SHARED``, see :func:`training.labels.corpus.shared_data`),
which are read where they are:

* uss: task dialogues, every user turn rated 1 to 5 by three or more people (Sun et al. 2021). An
answer dissatisfied when the mean of the ratings of the turn after it is below 3. Evaluated only:
it has no licence that lets a model learn from it.
* iard: recommendation dialogues (Cai & Chen 2020). An answer that is accepted satisfied, one that
is rejected or criticised did not.
* tau: an airline's agent and a user who is a model (Yao et al. 2024). The whole session satisfied
or not: its reward.
* cast, mt_bench: follow-up questions of people who are not dissatisfied.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from agents.common.label_settings import LabelSettings
from agents.labels.reliability import Clues
from agents.labels.sessions import Answer
from agents.labels.state import LabelsState
from schemas.outputs import Label
from schemas.turns import FeedbackSignal, Turn, Turns
from streams.effects import Effects
from tests.unit.builders import FakeBatch, Record

BELOW = 3.0
"""Mean rating of the turn after an answer below which the answer dissatisfied."""
START = 1_790_000_000.0
PAUSE = 20.0
"""Seconds from an answer to the next question."""


class Exchange(NamedTuple):
    """A question and its answer. ``satisfied``: whether the answer did; None if nobody knows."""

    question: str
    answer: str
    satisfied: bool | None


Talk = list[Exchange]
Place = tuple[int, int]
"""Of an exchange: number of the conversation, number in it."""


def uss(data: Path) -> Iterator[Talk]:
    """The rated task dialogues."""
    for block in (data / "uss_sgd_half/SGD.txt").read_text().split("\n\n"):
        rows = [row.split("\t") for row in block.splitlines() if row]
        said = [row for row in rows if row[1] not in ("", "OVERALL")]
        talk = []
        for at, (role, text, *_) in enumerate(said):
            if role != "USER":
                continue
            answer = said[at + 1][1] if at + 1 < len(said) and said[at + 1][0] == "SYSTEM" else ""
            after = said[at + 2] if at + 2 < len(said) and said[at + 2][0] == "USER" else None
            truth = None
            if after is not None and after[3]:
                ratings = [int(rating) for rating in after[3].split(",")]
                truth = sum(ratings) / len(ratings) >= BELOW
            talk.append(Exchange(text, answer, truth))
        if talk:
            yield talk


_NO = {"REJ", "CRI-A", "CRI-F", "CRI-C", "REF"}
_FILM = re.compile(r"@\d+ <([^>]*)>")


def iard(data: Path) -> Iterator[Talk]:
    """The recommendation dialogues; what both accepts and rejects tells nothing."""
    dialogues = json.loads((data / "iard/umap2020_IARD_Cai.json").read_text())
    for dialogue in dialogues.values():
        said: list[tuple[str, str, set[str]]] = []
        for utterance in dialogue["dialogue_info"].values():
            role, text = utterance["role"], _FILM.sub(r"\1", utterance["utterance_text"])
            acts = set(utterance["sub-intent/action"])
            if said and said[-1][0] == role:
                said[-1] = role, f"{said[-1][1]} {text}", said[-1][2] | acts
            else:
                said.append((role, text, acts))
        talk = []
        for at, (role, text, _) in enumerate(said):
            if role != "seeker":
                continue
            answer = said[at + 1][1] if at + 1 < len(said) else ""
            acts = said[at + 2][2] if at + 2 < len(said) else set()
            yes, no = "ACC" in acts, bool(_NO & acts)
            talk.append(Exchange(text, answer, yes if yes != no else None))
        if talk:
            yield talk


def tau(data: Path) -> Iterator[Talk]:
    """The airline's sessions; every answer has the session's reward."""
    for line in (data / "tau_bench_half/gpt-4o-airline.jsonl").read_text().splitlines():
        trajectory = json.loads(line)
        satisfied = trajectory["reward"] > 0.5
        talk: Talk = []
        for turn in trajectory["turns"]:
            text = str(turn["content"] or "").replace("###STOP###", "").strip()
            if turn["role"] == "user" and text:
                talk.append(Exchange(text, "", satisfied))
            elif turn["role"] == "assistant" and text and talk:
                talk[-1] = talk[-1]._replace(answer=f"{talk[-1].answer} {text}".strip())
        if talk:
            yield talk


def cast(data: Path) -> Iterator[Talk]:
    """Questions of people who look for information; the answers are not in the set."""
    for line in (data / "cast_2019_2020/conversations.jsonl").read_text().splitlines():
        yield [Exchange(turn["raw"], "x" * 600, None) for turn in json.loads(line)["turns"]]


def mt_bench(data: Path) -> Iterator[Talk]:
    """Tasks of two turns."""
    for line in (data / "mt_bench/question.jsonl").read_text().splitlines():
        yield [Exchange(turn, "x" * 600, None) for turn in json.loads(line)["turns"]]


SOURCES = {"uss": uss, "iard": iard, "tau": tau, "cast": cast, "mt_bench": mt_bench}


class Listening(LabelsState):
    """Keeps what was known of each answer when its session had ended: by response id, its series
    and its clues."""

    def __init__(self, settings: LabelSettings) -> None:
        super().__init__(
            0, labels="labels", satisfaction="satisfaction", source="bench", sources=1,
            partitions=1, settings=settings,
        )  # fmt: skip
        self.heard: dict[str, tuple[str, Clues]] = {}

    def _finish(self, answers: Iterable[Answer]) -> None:
        finished = list(answers)
        for answer in finished:
            self.heard[answer.turn.response_id] = answer.series, answer.clues()[0]
        super()._finish(finished)


def labelled(
    talks: Sequence[Talk], name: str, thumbs: Mapping[Place, bool] | None = None
) -> tuple[dict[Place, Label], Listening]:
    """The final labels of all answers by (talk, exchange), after they went through the agent's
    state one talk after another, and that state. ``thumbs``: explicit feedback, by the same."""
    state = Listening(LabelSettings(settle=0.0, gap=600.0))
    effects = Effects()
    now, offset = START, 0
    for n, talk in enumerate(talks):
        turns, signals = [], []
        for k, exchange in enumerate(talk):
            turns.append(
                Turn(
                    f"q{n}-{k}", f"a{n}-{k}", f"s{n}", "t", name, "m", now, now + 2.0,
                    exchange.question[:400], len(exchange.answer), f"e{n}-{k}",
                )
            )  # fmt: skip
            if thumbs is not None and (n, k) in thumbs:
                kind = "thumbs_up" if thumbs[n, k] else "thumbs_down"
                signals.append(FeedbackSignal(f"f{n}-{k}", now + 5.0, kind, response_id=f"a{n}-{k}"))
            now += 2.0 + PAUSE
        now += 700.0
        value = msgspec.msgpack.encode(Turns("bench", 0, now, False, turns, signals))
        state.apply(
            FakeBatch("turns", 0, [Record("turns", 0, offset, 0, None, value, ())], offset + 1),
            effects,
        )
        state.changes()
        offset += 1
    value = msgspec.msgpack.encode(Turns("bench", 0, now + 10_000, False))
    state.apply(
        FakeBatch("turns", 0, [Record("turns", 0, offset, 0, None, value, ())], offset + 1), effects
    )
    labels: dict[Place, Label] = {}
    for message in effects.messages:
        if message.topic == "labels":
            label = msgspec.json.decode(message.value, type=Label)
            talk_of, _, exchange_of = label.response_id[1:].partition("-")
            labels[int(talk_of), int(exchange_of)] = label
    return labels, state
