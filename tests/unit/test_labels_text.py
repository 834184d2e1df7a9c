"""Messages as pairs are made of them, and what their reader keeps."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from agents.labels.detectors import MessageReader, Reformulation, Tone, TopicChange
from agents.labels.pairs import pair_model
from agents.labels.wording import UNITS, words_of
from training.labels import grammar

READER = MessageReader()
WORDS = st.sampled_from(["log", "in", "login", "cancel", "cancle", "cancelar", "the", "12", "13", "open", "close", "subscription"])
TEXTS = st.lists(st.text(max_size=80) | st.lists(WORDS, max_size=90).map(" ".join), min_size=2, max_size=9)


def test_accents_case_and_punctuation_do_not_matter() -> None:
    assert words_of("NÃO foi isso, que eu pedi!") == words_of("nao foi isso que eu pedi")


@given(st.text(max_size=1_200))
def test_any_text_can_be_read(text: str) -> None:
    [read] = pair_model().read_all([text])
    length = float(np.linalg.norm(read.meaning.astype(float)))
    assert abs(length - UNITS) < 6 if read.words else length == 0
    assert len(set(read.words)) == len(read.words)
    assert 0 <= Reformulation(READER).probability(text, "como emito o boleto?") <= 1


@given(TEXTS)
def test_what_is_made_of_a_text_does_not_depend_on_its_company(texts: list[str]) -> None:
    """to the last bit: else labels would depend on how their input was cut into batches."""
    model = pair_model()
    together = model.read_all(texts)
    for text, read in zip(texts, together, strict=True):
        [alone] = model.read_all([text])
        for one, other in zip(astuple(alone), astuple(read), strict=True):
            assert np.array_equal(one, other)
    earlier, later = np.divmod(np.arange(len(texts) ** 2), len(texts))
    alike = model.compare_among(together, earlier, later)
    assert alike == [
        model.compare_among([together[a], together[b]], np.array([0]), np.array([1]))[0]
        for a, b in zip(earlier.tolist(), later.tolist(), strict=True)
    ]


def test_what_was_prepared_is_found_as_if_it_had_not_been() -> None:
    pair = ("how do I reset my password?", "how can I change my password?")
    prepared = MessageReader()
    prepared.prepare(["that's wrong"], [pair, (pair[1], "that's wrong")])
    assert prepared.compare(*pair) == READER.compare(*pair) != prepared.compare(*reversed(pair))
    assert Tone(prepared).probabilities("that's wrong") == Tone(READER).probabilities("that's wrong")


def test_typos_and_missing_accents_are_forgiven() -> None:
    detector = Reformulation(READER)
    assert detector.probability("Não consigo acessar minha conta pelo aplicativo", "nao consigo acesar minha conta pelo aplicativo") > 0.85
    assert detector.probability("I cannot log in to my account", "i canot login to my acount") > 0.6


def test_a_question_of_its_own_is_neither_complaint_nor_acceptance() -> None:
    tone = Tone(READER)
    for question in ("how do i export my invoices", "qual o horário de funcionamento da loja", "what is the capital of France?"):
        assert max(tone.probabilities(question)) < 0.3


@pytest.mark.parametrize(
    ("question", "same", "other"),
    [
        ("how do I get my money back", "request a refund", "how do I get to the airport"),
        ("meu celular foi roubado", "levaram meu telefone", "meu cartão não chegou"),
        ("quanto custa o ingresso", "qual é o preço do bilhete", "quanto tempo dura a viagem"),
        ("where is my package", "onde está minha encomenda", "onde fica o banheiro"),
    ],
)
def test_meaning_is_more_than_words(question: str, same: str, other: str) -> None:
    read, alike, apart = pair_model().read_all((question, same, other))
    first, second, third = (text.meaning.astype(int) for text in (read, alike, apart))
    assert first @ second > first @ third


@pytest.mark.parametrize(
    ("question", "rewrite", "other"),
    [
        ("how long does it take to arrive", "how long does a parcel to Norway take to arrive", "which documents do I need for an account"),
        ("posso pagar isso parcelado", "posso pagar a passagem parcelado", "como mudo a senha do portal"),
    ],
)
def test_a_question_that_leans_on_the_conversation_is_the_one_that_stands_alone(question: str, rewrite: str, other: str) -> None:
    detector = Reformulation(READER)
    assert detector.probability(question, rewrite) > 0.5 > detector.probability(question, other)


def test_a_next_step_is_no_other_topic() -> None:
    changed = TopicChange(READER).changed
    question = "how do I export my invoices"
    assert changed(question, "which trains go to Lisbon tomorrow")
    assert not changed(question, "and which trains go to Lisbon tomorrow")
    assert not changed(question, "does that cost money on weekends too")


def test_what_leans_is_a_part_of_the_question() -> None:
    chance = random.Random(1)
    question = "how do I cancel the subscription of my brother?"
    for _ in range(50):
        words = grammar.lean(question, "en", chance).rstrip("?").replace("ok, ", "").removeprefix("and ").split()
        shared = [word for word, asked in zip(words, question.split(), strict=False) if word == asked]
        assert 2 <= len(shared) < 9 and len(words) - len(shared) <= 1
    assert grammar.lean("cancel it", "en", chance) == "cancel it"
