"""The label model: priors that are honest, reliabilities that approach the truth, series that borrow from each other."""

from __future__ import annotations

import random
from math import log

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agents.labels.reliability import BASE, MOST_SERIES, VOTERS, Counts, LabelModel, Slope, Vote

UP, DOWN, COPY = Vote("thumbs_up", ""), Vote("thumbs_down", ""), Vote("copy", "")
EVERY = [Vote(name, level) for name, voter in VOTERS.items() for level in voter.levels]


def taught(answers: int = 3_000, *, copied: tuple[float, float] = (0.6, 0.1), seed: int = 1, series: str = "s") -> LabelModel:
    """A model that has seen users: 70% satisfied, one in four gives a thumb that is right nine times out of ten."""
    chance, model = random.Random(seed), LabelModel()
    for _ in range(answers):
        satisfied = chance.random() < 0.7
        votes = [COPY] if chance.random() < copied[0 if satisfied else 1] else []
        if chance.random() < 0.25:
            votes.append(UP if satisfied == (chance.random() < 0.9) else DOWN)
        model.learn(series, votes)
    return model


def test_before_there_is_feedback_the_prior_speaks() -> None:
    model = LabelModel()
    assert model.judge("s", []).score == pytest.approx(BASE)
    assert model.judge("s", [UP]).score > 0.9 > BASE > 0.25 > model.judge("s", [DOWN]).score


def test_where_all_was_well_one_who_says_otherwise_is_still_believed() -> None:
    model = LabelModel()
    for _ in range(1_000):
        model.learn("s", [UP])
    assert model.judge("s", [DOWN]).score < 0.35 < 0.9 < model.judge("s", [UP]).score


def test_the_share_of_satisfied_users_moves_by_what_users_say_only() -> None:
    model = LabelModel()
    for _ in range(1_000):
        model.learn("s", [Vote("complaint", "strong")], reacted=True)
    assert model.base("s") == BASE, "else scores would confirm themselves"
    for _ in range(100):
        model.learn("s", [DOWN])
    assert model.base("s") < 0.35


def test_learned_reliabilities_approach_the_truth() -> None:
    model = taught(12_000)
    satisfied, dissatisfied = model.rate("s", COPY)
    assert satisfied == pytest.approx(0.6, abs=0.08)
    assert dissatisfied == pytest.approx(0.1, abs=0.09)
    assert model.base("s") == pytest.approx(0.7, abs=0.1)


def test_a_signal_that_means_the_opposite_somewhere_is_learned_to() -> None:
    model = taught(copied=(0.1, 0.6))
    assert model.judge("s", [COPY]).weights[0] < -0.5


def test_a_signal_that_means_nothing_comes_to_weigh_nothing() -> None:
    assert abs(taught(12_000, copied=(0.3, 0.3)).judge("s", [COPY]).weights[0]) < 0.3 < abs(LabelModel().judge("s", [COPY]).weights[0])


def test_a_new_series_begins_with_what_the_others_have_taught() -> None:
    model = taught()
    known, new = model.judge("s", [COPY]).weights[0], model.judge("new", [COPY]).weights[0]
    assert new == pytest.approx(known, abs=0.3)
    satisfied, dissatisfied = model.rate("new", UP)
    assert model.judge("new", [UP]).weights[0] == log(satisfied / dissatisfied), "and counts them once"
    assert new > LabelModel().judge("new", [COPY]).weights[0] * 1.3


def test_answers_without_explicit_feedback_teach_nothing_about_signals() -> None:
    model = LabelModel()
    for _ in range(100):
        model.learn("s", [COPY], reacted=True)
    assert model.judge("s", [COPY]) == LabelModel().judge("s", [COPY])


def test_absence_of_behaviour_says_something_only_where_it_is_known_to_be_reported_and_the_session_has_ended() -> None:
    model = taught()
    assert model.judge("s", [], settled=True).implied < 0
    assert model.judge("s", []).implied == 0
    assert model.judge("never seen", [], settled=True).implied == 0


def test_absence_of_a_reaction_says_nothing_and_a_reaction_without_complaint_says_something() -> None:
    model = LabelModel()
    assert model.judge("s", []).implied == 0
    assert model.judge("s", [], reacted=True).implied > 0


def test_series_are_bounded() -> None:
    model = LabelModel()
    for n in range(MOST_SERIES + 50):
        model.learn(f"s{n}", [UP])
    assert len(model) <= MOST_SERIES + 1


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.lists(st.sampled_from(EVERY), max_size=6, unique_by=lambda v: v.voter), st.booleans()),
        max_size=60,
    )
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_scores_are_probabilities_and_state_comes_back_as_it_was(lessons: list[tuple[str, list[Vote], bool]]) -> None:
    model, copy = LabelModel(), LabelModel()
    for series, votes, reacted in lessons:
        model.learn(series, votes, reacted=reacted)
        counts, slope = model.take_changes()
        encoded = msgspec.msgpack.encode((counts, slope))
        copy.load(*msgspec.msgpack.decode(encoded, type=tuple[list[Counts], Slope]))
    for series, votes, reacted in lessons:
        opinion = model.judge(series, votes, reacted=reacted)
        assert 0 < opinion.score < 1
        assert opinion == copy.judge(series, votes, reacted=reacted)
