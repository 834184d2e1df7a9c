"""Many texts by several models at once: the same as one after another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec import structs

from agents.common.ngram_batch import logits
from agents.common.ngram_model import NgramModel, TextShape, View

SHAPE = TextShape(
    views=(
        View(part="whole", words=(1, 2), characters=(3, 5)),
        View(part="first", words=(1,), most=12, least=100),
        View(part="last", characters=(4,), most=20),
    ),
    bits=8,
    head=60,
    tail=20,
)


def model(seed: int, shape: TextShape = SHAPE) -> NgramModel:
    chance = np.random.default_rng(seed)
    return NgramModel(shape, seed, chance.integers(-9_000, 9_000, 1 << shape.bits).astype(np.int32))


MODELS = [model(1), model(2)]
TEXTS = st.lists(
    st.text(max_size=120)
    | st.sampled_from(("", " ", "a", "não é isso!", "No, the other one. " * 9)),
    max_size=12,
)


FLOORED = [model(seed, structs.replace(SHAPE, least=30)) for seed in (1, 2)]


@given(TEXTS, st.sampled_from((MODELS, FLOORED)))
@hypothesis_settings(deadline=None, max_examples=60)
def test_a_text_has_the_log_odds_that_it_has_alone_to_the_last_bit(
    texts: list[str], models: list[NgramModel]
) -> None:
    alone = [[each.logit(text) for each in models] for text in texts]
    assert logits(models, texts).tolist() == alone


def test_more_texts_than_are_read_in_one_pass() -> None:
    texts = [f"this is text {n}" for n in range(600)]
    assert logits(MODELS[:1], texts)[:, 0].tolist() == [MODELS[0].logit(text) for text in texts]


def test_models_of_different_shapes_are_refused() -> None:
    other = model(3, TextShape(views=(View(part="whole", words=(1,)),), bits=8))
    with pytest.raises(ValueError, match="different shapes"):
        logits([MODELS[0], other], ["a text"])
