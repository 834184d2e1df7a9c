"""Texts as numbers: what the hash and the model see, and do not see."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from agents.labels.detectors import Reader, Reformulation, Tone
from agents.labels.text import BUCKETS, MAX_CHARS, PART, count, normalise, text_model
from training.labels import corpus, grammar

READER = Reader()


def test_accents_case_and_punctuation_do_not_matter() -> None:
    plain, accented = count("nao foi isso que eu pedi !"), count("NÃO foi isso, que eu pedi!")
    assert plain.buckets.tolist() == accented.buckets.tolist()


def test_words_are_the_same_wherever_they_stand() -> None:
    first, second = count("segunda via do boleto"), count("quero a segunda via do boleto agora")
    for part in (0, 2):  # n-grams reach across the edges of words
        mine, others = (set(counted.buckets[counted.buckets // PART == part].tolist()) for counted in (first, second))
        assert mine and mine <= others


def test_inflected_words_begin_alike() -> None:
    first, second = count("cancelando assinaturas"), count("cancelei minha assinatura")
    shared = set(first.buckets.tolist()) & set(second.buckets.tolist())
    assert sum(bucket // PART == 2 for bucket in shared) == 2


@given(st.text(max_size=1_200))
def test_any_text_can_be_read(text: str) -> None:
    assert len(normalise(text)) <= MAX_CHARS
    counted = count(text)
    assert (np.diff(counted.buckets) > 0).all()
    assert all(0 <= bucket < BUCKETS for bucket in counted.buckets)
    assert [int((counted.buckets // PART == part).sum()) for part in range(3)] == list(counted.sizes)
    read = text_model().read(text)
    assert np.isfinite(read.tone).all() and np.isfinite(read.message.meaning).all()
    assert 0 <= Reformulation(READER).probability(text, "como emito o boleto?") <= 1


@given(st.lists(st.text(max_size=80) | st.sampled_from(("how do I reset my password?", "como emito o boleto 12?", "", "!")), min_size=2))
def test_what_is_made_of_a_text_does_not_depend_on_its_company(texts: list[str]) -> None:
    """to the last bit: else labels would depend on how their input was cut into batches."""
    model = text_model()
    together = model.read_all(texts)
    for text, read in zip(texts, together, strict=True):
        alone = model.read(text)
        assert (alone.length, alone.tone) == (read.length, read.tone)
        messages = (astuple(text.message) for text in (alone, read))
        assert all(np.array_equal(one, other) for one, other in zip(*messages, strict=True))
    alike = model.compare(together[:-1], together[1:])
    assert alike == [model.compare([a], [b])[0] for a, b in pairwise(together)]
    assert alike == model.compare_among(together, np.arange(len(texts) - 1), np.arange(1, len(texts)))


def test_what_was_prepared_is_found_as_if_it_had_not_been() -> None:
    pair = ("how do I reset my password?", "how can I change my password?")
    prepared = Reader()
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
    read, alike, apart = text_model().read_all((question, same, other))
    first, second, third = (text.message.meaning for text in (read, alike, apart))
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


def test_held_out_intents_are_not_taught() -> None:
    data = corpus.shared_data()
    if data is None:
        pytest.skip("without the development data")
    intents = {name: {intent for of, intent, _ in corpus.questions(data) if of == name} for name in corpus.HELD_OUT}
    held = set().union(*(corpus.held_out(found, corpus.HELD_OUT[name]) for name, found in intents.items()))
    further = list(corpus.further(data, used=set()))
    assert len(further) > 10_000
    assert held and held.isdisjoint(intent for intent, _ in further)


def test_what_leans_is_a_part_of_the_question() -> None:
    chance = random.Random(1)
    question = "how do I cancel the subscription of my brother?"
    for _ in range(50):
        words = grammar.lean(question, "en", chance).rstrip("?").replace("ok, ", "").removeprefix("and ").split()
        shared = [word for word, asked in zip(words, question.split(), strict=False) if word == asked]
        assert 2 <= len(shared) < 9 and len(words) - len(shared) <= 1
    assert grammar.lean("cancel it", "en", chance) == "cancel it"
