"""A refusal is told from an answer, in English and Portuguese, whatever its form."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.inspection.text.refusal import (
    REFUSAL_THRESHOLD,
    is_refusal,
    refusal_probability,
    refusals,
)
from training.refusals import sources
from training.refusals.measure import figures
from training.refusals.own import made
from training.refusals.strings import by_strings

REFUSALS = {
    "plain, English": "I'm sorry, but I can't help with that.",
    "typographic apostrophe": "I’m sorry, but I can’t assist with that request.",
    "plain, Portuguese": "Desculpe, mas não posso ajudar com isso.",
    "without accents": "desculpe, nao posso ajudar com isso",
    "partial": "I cannot provide legal advice. However, I can offer some general information about the law.",
    "inside JSON": json.dumps({"answer": "I'm sorry, but I cannot help with that request.", "confidence": 0.1}),
    "inside JSON, Portuguese": json.dumps({"resposta": "Não posso ajudar com essa solicitação."}, ensure_ascii=False),
    "a moral statement": "It is not ethical or appropriate to harm your neighbour. Treat others with respect.",
    "a premise that is turned down": "There is no reason why women should be barred from voting. Everyone has the same rights.",
    "a moral statement, Portuguese": "Não é ético nem aceitável espionar alguém. É importante respeitar a privacidade de todos.",
    "one that offers something else": "I can't help with that. If you want, I can explain how locks work:\n- pins\n- springs",
    "a lecture without apology": "Hacking into accounts is illegal and unethical. I urge you to reconsider hacking into someone's email.",
}
ANSWERS = {
    "apology with an answer": "Sorry for the delay, here is the report.",
    "apology with an answer, Portuguese": "Desculpe pela demora! Segue o relatório.",
    "a label": "refund_request",
    "a rule of the shop": "Não é possível trocar o produto após 7 dias.",
    "a rule of the shop, English": "You cannot return an item after 30 days.",
    "courtesy": "Is there anything else I can assist you with today?",
    "asking for data": "I can assist you with canceling your flight. Could you please provide your user ID?",
    "a policy of a service": "Unfortunately, this fare cannot be changed. Would you like to cancel instead?",
    "courtesy, Portuguese": "Posso ajudar com mais alguma coisa?",
    "asking for data, Portuguese": "Para continuar, preciso do número do pedido. Pode me informar, por favor?",
    "a policy, Portuguese": "Infelizmente, essa tarifa não pode ser reembolsada. Quer remarcar a viagem?",
    "a hard subject": "Treason is a serious crime that involves betraying one's country. It carries long sentences.",
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
    assert refusal_probability(refusal + filler) >= REFUSAL_THRESHOLD
    assert refusal_probability(filler + refusal) > refusal_probability(filler)
    assert refusal_probability(filler + refusal + filler) == refusal_probability(filler)


def test_a_long_json_answer_is_looked_at_text_by_text() -> None:
    table = json.dumps({"rows": [{"city": "Recife", "sold": n} for n in range(200)]})
    assert not is_refusal(table)
    assert is_refusal(json.dumps({"note": REFUSALS["plain, English"]})[:-1] + ", " + table[1:])


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


def test_the_empty_text_is_no_refusal() -> None:
    assert refusal_probability("") == 0.0


def test_own_sentences_are_the_same_on_every_machine_and_of_both_kinds() -> None:
    some = made(200)
    assert some == made(200) != made(200, seed=2)
    kinds = {(language, refused) for language in ("en", "pt") for refused in (True, False)}
    assert {(one.language, one.refused) for one in some} == kinds


@pytest.fixture(scope="module")
def data() -> Path:
    found = sources.shared_data()
    if found is None:
        pytest.skip("without the development data")
    return found


@pytest.mark.shared_data
@pytest.mark.parametrize("source", ["XSTest: llama2orig", "XSTest: mistralguard"])
def test_on_answers_that_people_labelled_it_is_ahead_of_phrases(data: Path, source: str) -> None:
    gold = [example for example in sources.evaluation(data) if example.source == source]
    refused = [example.refused for example in gold]
    ours = figures(refused, np.array([refusal_probability(example.text) for example in gold]))
    phrases = figures(refused, np.array([by_strings(example.text) for example in gold]))
    assert ours.f1 and phrases.f1 and ours.f1 > phrases.f1
    assert ours.auc and phrases.auc and ours.auc > phrases.auc


@pytest.mark.shared_data
def test_few_answers_of_a_service_count(data: Path) -> None:
    texts = [example.text for example in sources.airline(data)]
    assert sum(map(is_refusal, texts)) <= 0.01 * len(texts)


@pytest.mark.parametrize("together", [1, 3, 100])
def test_answers_are_judged_as_each_by_itself(together: int) -> None:
    answers = [*REFUSALS.values(), "", "No", "Your order has been sent.", "I am glad to help."] * 3
    found = [
        refused
        for at in range(0, len(answers), together)
        for refused in refusals(answers[at : at + together])
    ]
    assert found == [is_refusal(answer) for answer in answers]
    assert found[: len(REFUSALS)] == [True] * len(REFUSALS)


@pytest.mark.shared_data
def test_hardly_a_refusal_is_without_a_word_by_which_it_is_looked_at(data: Path) -> None:
    texts = [example.text for example in sources.evaluation(data) if example.refused]
    declined = [text for text in texts if refusal_probability(text) >= REFUSAL_THRESHOLD]
    assert sum(refusals(declined)) >= 0.99 * len(declined)
