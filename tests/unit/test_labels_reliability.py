"""The label model: priors that are honest, weights that approach the truth, series that borrow from
each other, numbers that come out the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import log

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agents.labels.learner import step
from agents.labels.reliability import (
    BASE,
    FEATURES,
    MOST_LOG_ODDS,
    VOTERS,
    Clues,
    LabelModel,
    Learned,
    Situation,
    Vote,
    prior,
)

UP, DOWN, COPY = Vote("thumbs_up", ""), Vote("thumbs_down", ""), Vote("copy", "")
EVERY = [Vote(name, level) for name, voter in VOTERS.items() for level in voter.levels]
SITUATIONS = [None, Situation.of(0, 50, "ok"), Situation.of(7, 3_000, "refusal")]


def taught(
    answers: int = 3_000,
    *,
    copied: tuple[float, float] = (0.6, 0.1),
    seed: int = 1,
    series: str = "t\ns",
    model: LabelModel | None = None,
) -> LabelModel:
    """A model that has seen users: 70% satisfied, one in four gives a thumb that is right nine
    times out of ten."""
    chance, model = random.Random(seed), model or LabelModel()
    for _ in range(answers):
        satisfied = chance.random() < 0.7
        votes = [COPY] if chance.random() < copied[0 if satisfied else 1] else []
        if chance.random() < 0.25:
            votes.append(UP if satisfied == (chance.random() < 0.9) else DOWN)
        model.learn(series, Clues(tuple(votes)))
    return model


def test_before_there_is_feedback_the_prior_speaks() -> None:
    model = LabelModel()
    assert model.judge("t\ns", Clues()).score == pytest.approx(BASE)
    up, down = (model.judge("t\ns", Clues((vote,))).score for vote in (UP, DOWN))
    assert up > 0.9 > BASE > 0.25 > down


def test_the_prior_says_something_of_everything_and_is_bounded() -> None:
    assert set(prior().weights) == set(FEATURES)
    assert set(prior().said) == {f"{v.voter}:{v.level}" for v in EVERY if VOTERS[v.voter].explicit}
    assert all(abs(odds) <= MOST_LOG_ODDS for odds in prior().weights.values())


def test_where_all_was_well_one_who_says_otherwise_is_still_believed() -> None:
    model = LabelModel()
    for _ in range(1_000):
        model.learn("t\ns", Clues((UP,)))
    down, up = (model.judge("t\ns", Clues((vote,))).score for vote in (DOWN, UP))
    assert down < 0.35 < 0.9 < up


def test_the_share_of_satisfied_users_moves_by_what_users_say_only() -> None:
    model = LabelModel()
    for _ in range(1_000):
        model.learn("t\ns", Clues((Vote("complaint", "strong"),), reacted=True))
    assert model.base("t\ns") == BASE, "else scores would confirm themselves"
    for _ in range(100):
        model.learn("t\ns", Clues((DOWN,)))
    assert model.base("t\ns") < 0.35


def test_what_is_neither_praise_nor_blame_teaches_nothing() -> None:
    model = LabelModel()
    assert model.learn("t\ns", Clues((Vote("comment", "plain"), COPY))) is None
    assert model.take_changes() == []


def test_learned_weights_approach_the_truth() -> None:
    # One thumb in ten is wrong, which takes from what can be learned.
    assert taught(12_000).weight("t\ns", "copy:") == pytest.approx(
        log(0.6 * 0.9 / (0.1 * 0.4)), abs=1.1
    )


def test_a_signal_that_means_the_opposite_somewhere_is_learned_to() -> None:
    assert taught(copied=(0.1, 0.6)).judge("t\ns", Clues((COPY,))).weights[0] < -0.5


def test_a_signal_that_means_nothing_comes_to_weigh_nothing() -> None:
    learned = taught(12_000, copied=(0.3, 0.3)).weight("t\ns", "copy:")
    assert abs(learned) < 0.35 < prior().weights["copy:"]


def test_habits_that_change_are_followed_within_500_feedbacks() -> None:
    model = taught()
    assert model.weight("t\ns", "copy:") > 0.8
    assert taught(2_000, copied=(0.1, 0.6), seed=2, model=model).weight("t\ns", "copy:") < -0.4


def test_a_new_feature_begins_with_what_others_of_its_tenant_taught_and_other_tenants_with_less() -> (
    None
):
    model = taught()
    known, sister, stranger, nobody = (
        of.weight(series, "copy:")
        for of, series in (
            (model, "t\ns"), (model, "t\nnew"), (model, "u\nnew"), (LabelModel(), "t\ns"),
        )
    )  # fmt: skip
    assert known > sister > stranger > nobody


def test_answers_without_explicit_feedback_teach_nothing_about_signals() -> None:
    model, clues = LabelModel(), Clues((COPY,), reacted=True)
    for _ in range(100):
        assert model.learn("t\ns", clues) is None
    assert model.judge("t\ns", clues) == LabelModel().judge("t\ns", clues)


def test_absence_of_behaviour_says_something_only_where_it_is_reported_and_the_session_has_ended() -> (
    None
):
    model = taught()
    assert model.judge("t\ns", Clues(), settled=True).implied < 0
    assert model.judge("t\ns", Clues()).implied == 0
    assert model.judge("never\nseen", Clues(), settled=True).implied == 0


def test_absence_of_a_reaction_says_nothing_and_one_without_complaint_says_something() -> None:
    model = LabelModel()
    assert model.judge("t\ns", Clues()).implied == 0
    assert model.judge("t\ns", Clues(reacted=True)).implied > 0


def test_a_lesson_tells_what_was_foretold_before_it_and_without_what_was_said() -> None:
    model = taught()
    foretold = model.judge("t\ns", Clues((COPY,)), settled=True).score
    told = model.learn("t\ns", Clues((COPY, DOWN)))
    assert told is not None and told.probability == pytest.approx(foretold) and not told.satisfied


def test_series_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.labels.reliability.MOST_SCOPES", 20)
    model = LabelModel()
    for n in range(50):
        model.learn(f"t\ns{n}", Clues((UP,)))
    assert len(model) == 20
    assert 0 < model.judge("t\ns49", Clues((COPY,)), settled=True).score < 1


def test_river_computes_what_it_did() -> None:
    """Golden numbers, of river 0.26.1. If a new version says otherwise, labels of a replay would
    differ from those that were published: state must be given up (``FORMAT``) with the upgrade."""
    taken = step(
        0.3,
        {(0, "copy:"): 1.0, (1, "copy:"): 1.0, (1, "balance"): -1.5},
        {(0, "copy:"): 4.0, (1, "copy:"): 1.0, (1, "balance"): 2.5},
        satisfied=False,
        sure=0.8,
    )
    assert taken.growth == GROWTH
    assert {key: taken.squares[key] for key in GROWTH} == SQUARES


GROWTH = {
    (0, "copy:"): -0.033591191537968204,
    (1, "copy:"): -0.06263566631941289,
    (1, "balance"): 0.05994633799638237,
}
SQUARES = {
    (0, "copy:"): 4.211189891277384,
    (1, "copy:"): 1.2111898912773844,
    (1, "balance"): 2.975177255374115,
}


clues_of = st.builds(
    Clues,
    st.lists(st.sampled_from(EVERY), max_size=6, unique_by=lambda v: v.voter).map(tuple),
    st.booleans(),
    st.integers(-12, 12).map(lambda n: n / 2),
    st.sampled_from(SITUATIONS),
)


@given(st.lists(st.tuples(st.sampled_from(["t\na", "t\nb", "u\na"]), clues_of), max_size=40))
@hypothesis_settings(max_examples=50, deadline=None)
def test_scores_are_probabilities_and_state_comes_back_as_it_was(
    lessons: list[tuple[str, Clues]],
) -> None:
    model, copy = LabelModel(), LabelModel()
    decode: Callable[[bytes], list[Learned]] = msgspec.msgpack.Decoder(list[Learned]).decode
    for series, clues in lessons:
        assert model.learn(series, clues) == copy.learn(series, clues)
        copy.load(decode(msgspec.msgpack.encode(model.take_changes())))
    again = LabelModel()
    again.load(decode(msgspec.msgpack.encode(model.all())))
    for series, clues in lessons:
        opinion = model.judge(series, clues, settled=True)
        assert 0 < opinion.score < 1
        assert opinion == copy.judge(series, clues, settled=True)
        assert opinion == again.judge(series, clues, settled=True)
