"""Does a later message ask the same as an earlier one?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.labels.detectors import STRONG, WEAK, MessageReader, Reformulation
from agents.labels.lexicon import opposite
from agents.labels.pairs import AGAINST, NOTHING_NEW, PairEvidence, pair_model, probability
from agents.labels.wording import HEAD, TAIL, misspelt, words_of

DETECTOR = Reformulation(MessageReader())


def evidence(earlier: str, later: str) -> PairEvidence:
    model = pair_model()
    return model.evidence(model.read_all([earlier, later]), np.array([0]), np.array([1]))


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        # another attribute of the same thing
        ("Where was Marie Curie born?", "When did Marie Curie die?"),
        ("What is the capital of Peru?", "What is the population of Peru?"),
        ("onde nasceu Machado de Assis", "quando nasceu Machado de Assis"),
        ("Did Pelé win a world cup?", "Did Pelé have any children?"),
        # an opposite
        ("como ativar o roaming", "como desativar o roaming"),
        ("how do I open an account", "how do I close an account"),
        # another number, another day
        ("show me the invoice 1042", "show me the invoice 1043"),
        ("qual a previsão para o dia 12", "qual a previsão para o dia 15"),
        # the next step
        ("how do I reset my password?", "and how long is the link valid?"),
        ("como faço um pix?", "e qual é o limite por dia?"),
        # all of what says nothing
        ("e isso?", "qual o prazo de entrega disso"),
        ("help me please", "how can you help me with my taxes"),
        ("it", "what time do you open"),
    ],
)
def test_something_else_of_the_same_thing_is_no_repetition(earlier: str, later: str) -> None:
    assert DETECTOR.probability(earlier, later) < WEAK


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("how do I reset my password?", "how to reset my passwrod"),
        ("I cannot log in to my account", "i canot login to my acount"),
        ("Is it treatable?", "Is throat cancer treatable?"),
        ("quando ele nasceu", "quando nasceu Machado de Assis"),
        ("onde está minha encomenda", "cadê minha encomenda??"),
        ("what is the capital of Peru", "i asked: what is the capital of Peru"),
        # with other words around it
        ("cancel my subscription please", "I want to cancel the subscription"),
        ("how do I reset my password? I am <EMAIL:1a2b>", "how can i reset my passwrod"),
        ("como emitir a segunda via do boleto?", "quero emitir a 2ª via do meu boleto"),
    ],
)
def test_the_same_in_other_words_or_written_out_is_a_repetition(earlier: str, later: str) -> None:
    assert DETECTOR.probability(earlier, later) >= WEAK


@given(st.text(max_size=600), st.text(max_size=600))
def test_any_two_messages_can_be_compared(earlier: str, later: str) -> None:
    assert 0 <= DETECTOR.probability(earlier, later) <= 1
    found = evidence(earlier, later)
    assert all(np.isfinite(column).all() for column in found)
    assert -1e-6 <= found.kept[0] <= 1 + 1e-6


def test_who_asks_something_new_is_no_sure_repetition() -> None:
    question = "how do I cancel my subscription"
    later = question + " and get the money for the broken refrigerator and the washing machine back"
    assert evidence(question, later).added > NOTHING_NEW
    assert DETECTOR.probability(question, later) < STRONG
    assert DETECTOR.probability(question, question.upper()) >= STRONG


def test_only_the_beginning_and_the_end_of_a_message_are_read() -> None:
    start, end = "a" * HEAD, "b" * TAIL
    assert words_of(start + " middle " * 50 + end) == [start, end]


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 50))
def test_what_speaks_against_makes_it_less_probable(
    kept: float, meaning: float, added: float
) -> None:
    nothing = np.array([False])
    of_words = np.array([kept]), np.array([meaning]), np.array([0.5]), np.array([added])
    said = PairEvidence(*of_words, nothing, nothing, nothing, nothing, nothing)
    [found] = probability(said)
    assert 0 <= found <= 1
    for name in AGAINST:
        assert probability(said._replace(**{name: ~nothing})) <= [found]
    # All of the question kept is never worse than a part of it.
    assert [found] <= probability(said._replace(kept=np.ones(1)))
    assert probability(said._replace(meaning=np.zeros(1))) <= [found]


def test_slips_of_the_fingers_are_no_opposites() -> None:
    assert misspelt("acessar", "acesar") and misspelt("password", "passwrod")
    assert not misspelt("ativar", "desativar") and not misspelt("2024", "2025")
    assert opposite("ativar", "desativar") and opposite("open", "close")
    assert not opposite("password", "passwrod")
