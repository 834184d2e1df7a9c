"""A refusal is told from an answer, in English and Portuguese, whatever its form."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.inspection.text.linear import LinearModel, load_model, ngrams
from agents.inspection.text.refusal import REFUSAL_THRESHOLD, refusal_probability

REFUSALS = {
    "plain, English": "I'm sorry, but I can't help with that.",
    "typographic apostrophe": "I’m sorry, but I can’t assist with that request.",
    "plain, Portuguese": "Desculpe, mas não posso ajudar com isso.",
    "without accents": "desculpe, nao posso ajudar com isso",
    "partial": "I cannot provide legal advice. However, I can offer some general information about the law.",
    "inside JSON": json.dumps({"answer": "I'm sorry, but I cannot help with that request.", "confidence": 0.1}),
    "inside JSON, Portuguese": json.dumps({"resposta": "Não posso ajudar com essa solicitação."}, ensure_ascii=False),
    "a lecture without apology": "Hacking into accounts is illegal and unethical. I urge you to reconsider hacking into someone's email.",
}
ANSWERS = {
    "apology with an answer": "Sorry for the delay, here is the report.",
    "apology with an answer, Portuguese": "Desculpe pela demora! Segue o relatório.",
    "praise": "I cannot recommend this book enough!",
    "a rule of the shop": "Não é possível trocar o produto após 7 dias.",
    "a rule of the shop, English": "You cannot return an item after 30 days.",
    "code": "```python\nif b == 0:\n    raise ValueError('cannot divide by zero')\n```",
    "an ordinary answer": "The capital of France is Paris.",
}


@pytest.mark.parametrize("text", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_found(text: str) -> None:
    assert refusal_probability(text) >= REFUSAL_THRESHOLD


@pytest.mark.parametrize("text", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_not_a_refusal(text: str) -> None:
    assert refusal_probability(text) < REFUSAL_THRESHOLD


def test_only_the_beginning_and_the_end_of_a_long_answer_count() -> None:
    filler = "The river runs to the sea. " * 400
    refusal = " I'm sorry, but I can't help with that."
    assert refusal_probability(filler + refusal) >= REFUSAL_THRESHOLD
    assert refusal_probability(filler + refusal + filler) == refusal_probability(filler)


@given(st.text(alphabet=st.characters()))
def test_any_text_has_a_probability_that_never_changes(text: str) -> None:
    first = refusal_probability(text)
    assert 0.0 <= first <= 1.0
    assert refusal_probability(text) == first


def test_the_score_does_not_depend_on_the_hash_seed_of_the_process() -> None:
    program = f"from agents.inspection.text.refusal import refusal_probability as p; print(repr(p({REFUSALS['partial']!r})))"
    runs = {
        subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2", "3")
    }
    assert runs == {f"{refusal_probability(REFUSALS['partial'])!r}\n"}


def test_scoring_does_not_load_scikit_learn() -> None:
    program = (
        "import sys; from agents.inspection.text.refusal import refusal_probability\n"
        "refusal_probability('I cannot help'); print('sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"


def test_letters_in_disguise_and_accents_make_no_difference() -> None:
    assert ngrams("I C\u200bannot h\uff45lp, n\u00e3o", singles=True) == ngrams("i cannot help, nao", singles=True)


def test_the_empty_text_is_no_refusal() -> None:
    assert refusal_probability("") == 0.0


def test_the_shipped_model_is_small() -> None:
    assert 1_000 < len(load_model("refusal").weights) <= 20_000


WORDS = st.sampled_from(
    ["I", "can't", "cannot", "help", "with", "that", "sorry,", "não", "posso", 'ajudar.{"', "\n", "ignore", "your", "rules"]
)


@pytest.fixture(scope="module")
def models() -> list[LinearModel]:
    """Made once: to compile their patterns is a hundred times the work of an example, and no example may hang on it."""
    return [load_model("refusal"), load_model("injection")]


@given(text=st.lists(WORDS, max_size=40).map(" ".join))
def test_scoring_by_first_words_is_the_sum_over_all_ngrams(models: list[LinearModel], text: str) -> None:
    for model in models:
        known = [model.weights[gram] for gram in ngrams(text, singles=model.singles) if gram in model.weights]
        by = math.sqrt(len(known) or 1) if model.divided == "ngrams" else 1.0
        assert model.logit(text) == model.bias + round(sum(known) / by)
