"""The static embedding: the same text is the same vector, and near what means the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agents.common.embedding import MAX_CHARS, StaticEmbedding, embedding, words_of
from agents.drift.embedding import Embedding as Plugged

TEXTS = st.text(max_size=300) | st.sampled_from(("Onde está o meu pedido?", "zzyzx qwrtp", ""))


@given(st.lists(TEXTS, min_size=1, max_size=8))
def test_a_vector_does_not_depend_on_what_is_read_beside_it(texts: list[str]) -> None:
    together = embedding()(texts)
    assert together.shape == (len(texts), embedding().dimensions)
    assert together.dtype == np.float32
    for text, row in zip(texts, together, strict=True):
        assert np.array_equal(embedding()([text])[0], row)
        length = float(np.linalg.norm(row))
        assert abs(length - 1) < 1e-5 if words_of(text) else length == 0


def test_case_accents_and_what_follows_the_limit_do_not_matter() -> None:
    plain, accented = embedding()(["nao consigo acessar a conta", "NÃO consigo acessar à conta!"])
    assert np.array_equal(plain, accented)
    long = "palavra " * MAX_CHARS
    assert np.array_equal(*embedding()([long[:MAX_CHARS], long + " outra coisa"]))


def test_words_that_are_not_listed_are_near_those_that_look_alike() -> None:
    vectors = embedding()(["reembolssso", "reembolso", "xadrez"])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_forgotten_words_come_back_as_they_were() -> None:
    small = StaticEmbedding()
    before = small(["zzyzxa zzyzxb"])
    for n in range(StaticEmbedding.KEPT // 1_000 + 1):
        small([" ".join(f"{n}q{k}" for k in range(700))])
    assert np.array_equal(small(["zzyzxa zzyzxb"]), before)


def test_what_means_the_same_lies_together_in_and_across_languages() -> None:
    vectors = embedding()(
        [
            "how do I get my money back",
            "como peço reembolso do meu dinheiro",
            "I would like a refund",
            "qual a previsão do tempo para amanhã",
        ]
    )
    near = vectors @ vectors.T
    assert min(near[0, 1], near[0, 2], near[1, 2]) > max(near[0, 3], near[1, 3], near[2, 3])


def test_drift_can_be_given_it() -> None:
    plugged = Plugged("mirante:static")
    first, again, other = plugged(["onde está o pedido?", "Onde esta o pedido", "what a film"])
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
