"""An embedding model that is plugged in: checked at the start, used in the text test, harmless when it fails."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from agents.drift.embedding import Embedding, EmbeddingError
from agents.drift.rows import row_of
from agents.drift.settings import DriftSettings
from agents.drift.state import DriftState
from agents.drift.text import GRAMS, answer_grams, unpacked
from deploy.registry import agents
from schemas.samples import Sample
from streams.effects import Effects
from streams.settings import Settings, SettingsError
from tests.unit.builders import SOURCE
from tests.unit.drift_data import sample
from tests.unit.test_drift_state import ACCEPTS, FINDINGS, findings, in_messages, run

HERE = "tests.unit.embedding_model"


def new_state(function: str | None, **options: Any) -> DriftState:
    embedding = Embedding(f"{HERE}:{function}") if function else None
    return DriftState(0, SOURCE, FINDINGS, ACCEPTS, DriftSettings(**options), 1, embedding)


def stream(number: int = 400, change: int = 200) -> list[Sample]:
    """From ``change`` on, the same answers about the same things, but every answer is about the bank."""
    rng = random.Random(3)
    made = [sample(n, rng) for n in range(number)]
    bank = "The order is waiting for the bank. The order is waiting for the bank."
    return made[:change] + [sample(n, rng, answer=bank) for n in range(change, number)]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no_colon", "expected 'module:function'"),
        ("mirante:lsa", "what ships is mirante:static"),
        ("no.such.module:embed", "No module named"),
        (f"{HERE}:missing", "no attribute 'missing'"),
        (f"{HERE}:NUMBER", "no function but int"),
        (f"{HERE}:flat", r"an array of \(3, d\) is expected"),
        (f"{HERE}:without_numbers", "NaN or infinity"),
    ],
)
def test_what_does_not_embed_is_refused_at_the_start(name: str, says: str) -> None:
    with pytest.raises(EmbeddingError, match=says):
        Embedding(name)
    with pytest.raises(SettingsError, match=says):
        agents(Settings(drift={"embedding": name}), SOURCE)


@pytest.mark.parametrize("name", ["mirante:static", f"{HERE}:embed"])
def test_a_worker_starts_with_it(name: str) -> None:
    assert "drift" in {agent.name for agent in agents(Settings(drift={"embedding": name}), SOURCE)}


@pytest.mark.parametrize("function", ["embed", "wide"])
def test_vectors_keep_who_is_near_whom(function: str) -> None:
    embedding = Embedding(f"{HERE}:{function}")
    a, near, far = (
        v.astype(float) for v in embedding(["our team checks every order", "our team checks every invoice", "onde está o boleto"])
    )
    assert len(a) == GRAMS
    assert a @ near > a @ far


def test_they_take_the_place_of_the_character_n_grams() -> None:
    answer = sample(1, random.Random(1))
    (vector,) = Embedding(f"{HERE}:embed")([answer.answer])
    kept = unpacked(row_of(answer, 0, [[] for _ in range(9)], vector)["grams"])[0]
    assert (kept[:GRAMS] == vector).all()
    assert (kept[GRAMS:] == answer_grams(answer.answer)[GRAMS:]).all()


@pytest.mark.parametrize("name", ["mirante:static", f"{HERE}:embed"])
def test_a_drift_is_found_with_it(name: str) -> None:
    state = DriftState(0, SOURCE, FINDINGS, ACCEPTS, DriftSettings(), 1, Embedding(name))
    assert {finding.labels["metric"] for finding in findings(run(state, in_messages(stream())))} == {"answer_text"}


def test_answers_it_fails_on_are_counted_and_left_out() -> None:
    effects = run(new_state("only_short"), in_messages(stream(60)))
    assert effects.counts["drift_not_embedded", ""] == 60
    assert not findings(effects)


def test_another_model_learns_the_reference_anew() -> None:
    messages = in_messages(stream(200, 200))
    before = new_state(None)
    run(before, messages)
    after = new_state("embed")
    for piece in before.snapshot():
        after.load(piece)
    assert after.gauges()["drift_series"] == 1
    assert after.gauges()["drift_watched"] == 0
    same = new_state(None)
    for piece in before.snapshot():
        same.load(piece)
    assert same.gauges()["drift_watched"] == 1
    assert not findings(run(after, [], Effects()))


def test_signs_are_balanced() -> None:
    """A random projection keeps lengths on average."""
    vectors = np.random.default_rng(1).normal(size=(200, 400))
    from agents.drift.embedding import _signs

    lengths = np.linalg.norm(vectors @ _signs(400), axis=1) / (np.linalg.norm(vectors, axis=1) * np.sqrt(GRAMS))
    assert lengths.mean() == pytest.approx(1.0, abs=0.02) and lengths.std() < 0.1
