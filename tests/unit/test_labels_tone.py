"""What a message says of the answer before it, and what a label makes of that."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agents.common.ngram_model import NgramModel
from agents.labels.detectors import MOST_BALANCE, MessageReader, Tone
from agents.labels.reliability import BASE, VOTES, Clues, LabelModel, Vote
from agents.labels.tone import SHAPE, SILENCE, ToneModel, tone_model
from schemas.outputs import Label
from tests.unit.test_labels import GAP, RETENTION, Stage2, kinds, turn

COMPLAINT, ACCEPTANCE = VOTES["complaint"], VOTES["acceptance"]


def heard(complaint: float, acceptance: float, declined: float) -> list[Vote]:
    """The votes of a message to which three models give such log-odds."""
    weights = np.zeros(1 << SHAPE.bits, np.int32)
    odds = (complaint, acceptance, declined)
    models = [NgramModel(SHAPE, round(of * 4_096), weights) for of in odds]
    return Tone(MessageReader(tones=ToneModel(models))).votes("hm")


@pytest.mark.parametrize(
    ("odds", "votes"),
    [
        ((3.0, -3.0, 1.0), [COMPLAINT["strong"]]),
        ((1.0, -3.0, 0.5), [COMPLAINT["weak"]]),
        ((-2.0, -3.0, 2.0), [COMPLAINT["declined"]]),
        ((-1.0, -3.0, -2.0), []),
        ((1.0, 3.0, 2.0), [ACCEPTANCE["strong"]]),
        ((-3.0, 1.0, -3.0), [ACCEPTANCE["weak"]]),
        ((-3.0, -2.0, -4.0), []),
    ],
)
def test_the_surest_tone_is_heard(odds: tuple[float, float, float], votes: list[Vote]) -> None:
    assert heard(*odds) == votes


def test_what_sounds_like_a_complaint_leans_on_the_score_though_no_signal_is_seen() -> None:
    tone, model = Tone(MessageReader()), LabelModel()
    assert -MOST_BALANCE <= tone.balance("thank you so much!") < -2 < 2 < tone.balance("that is wrong")
    assert tone.balance("") == 0
    scores = [model.judge("t\ns", Clues((), True, of)).score for of in (-2.0, 0.0, 2.0)]
    assert scores == sorted(scores, reverse=True) and scores[0] > scores[2]


def test_who_writes_nothing_says_nothing() -> None:
    assert tone_model().read_all(["", "  \n"]) == [SILENCE, SILENCE]
    assert Tone(MessageReader()).votes("") == []


@given(st.lists(st.text(max_size=60) | st.just("não foi isso que pedi"), max_size=8))
@hypothesis_settings(deadline=None, max_examples=40)
def test_a_tone_does_not_depend_on_what_is_read_beside_it(texts: list[str]) -> None:
    assert tone_model().read_all(texts) == [tone_model().read_all([text])[0] for text in texts]


def label_of(*messages: str) -> Label:
    """The final label of the first answer."""
    stage = Stage2()
    stage.send(*(turn(n, 30 * n, message) for n, message in enumerate(messages)))
    stage.until(30 * len(messages) + GAP)
    return stage.label(0)


@pytest.mark.parametrize(
    ("asked", "then"),
    [
        ("Find me a restaurant in Lisbon", "no, do you have anything else?"),
        ("Quero um restaurante em Lisboa", "tem outra opção mais barata?"),
    ],
)
def test_who_asks_for_another_is_less_probably_satisfied_but_has_not_complained(
    asked: str, then: str
) -> None:
    label = label_of(asked, then)
    assert "complaint" in kinds(label) and label.score < BASE
    assert label.label == "neutral"


@pytest.mark.parametrize("then", ["that's wrong, this is not what I asked", "isso está errado"])
def test_a_sure_complaint_makes_a_label_negative(then: str) -> None:
    assert label_of("Which tax form do I need?", then).label == "negative"


def test_conversations_without_feedback_do_not_move_each_other() -> None:
    # Given hundreds of conversations with complaints, and no thumb or rating
    stage = Stage2()
    talks: Sequence[str] = ("where is the form?", "no, that's wrong")
    ended = 100.0
    for n in range(200):
        first, then = (
            turn(f"{n}-{k}", ended + 30 * k, text, session=f"s{n}") for k, text in enumerate(talks)
        )
        stage.send(first, then)
        ended += 60
    stage.until(ended + GAP + RETENTION)
    # Then the last is judged as the first, and those of which nothing is known as before all of them
    scores = [(stage.label(f"{n}-0").score, stage.label(f"{n}-1").score) for n in range(200)]
    assert scores[0] == scores[-1]
    assert stage.state.model.base("acme\nchat") == BASE
    assert stage.label("199-1").label == "neutral"
