"""A model of n-grams: what it reads of a text, what its file holds, and that it agrees with
scikit-learn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from agents.common.ngram_model import NgramModel, TextShape, View, load

SHAPE = TextShape(
    views=(
        View(part="whole", words=(1, 2, 3), characters=(4, 5)),
        View(part="first", words=(1, 2)),
        View(part="last", words=(1, 2)),
    ),
    bits=14,
    head=300,
    tail=100,
)
TEXTS = (
    "I can't help with that. Ask me something else.",
    "Não posso ajudar com isso, é contra as minhas diretrizes.",
    "I cannot provide instructions. It is illegal.",
    "The capital of France is Paris. It lies on the Seine.",
    "Claro! A capital da França é Paris: fica às margens do Sena.",
    "Here are three steps:\n1. Open the file.\n2. Read it.\n3. Close it.",
)
REFUSED = (1, 1, 1, 0, 0, 0)


def matrix(texts: tuple[str, ...]) -> csr_matrix:
    made = csr_matrix((len(texts), 1 << SHAPE.bits)).tolil()
    for row, text in enumerate(texts):
        slots, values = SHAPE.features(text)
        for slot, value in zip(slots.tolist(), values.tolist(), strict=True):
            made[row, slot] = value
    return made.tocsr()


@pytest.fixture(scope="module")
def fitted() -> tuple[LogisticRegression, NgramModel]:
    classifier = LogisticRegression(C=10.0).fit(matrix(TEXTS), REFUSED)
    coefficients = classifier.coef_[0]
    return classifier, NgramModel.fitted(SHAPE, classifier.intercept_[0], coefficients, 1 << 14)


def test_the_arrays_and_scikit_learn_agree(
    fitted: tuple[LogisticRegression, NgramModel], tmp_path: Path
) -> None:
    classifier, model = fitted
    model.save(tmp_path / "model.npz")
    read = load(tmp_path / "model.npz")
    others = ("I can't say.", "", "Paris. I'm sorry, I can't. Paris is big.", "x" * 2_000)
    expected = classifier.predict_proba(matrix((*TEXTS, *others)))[:, 1]
    assert [read.score(text) for text in (*TEXTS, *others)] == pytest.approx(expected, abs=2e-3)
    assert [read.score(t) for t in TEXTS] == [model.score(t) for t in TEXTS]


def test_only_the_largest_weights_are_kept(fitted: tuple[LogisticRegression, NgramModel]) -> None:
    classifier, _ = fitted
    few = NgramModel.fitted(SHAPE, 0.0, classifier.coef_[0], 20)
    assert np.count_nonzero(few.weights) == 20
    assert np.abs(few.weights).max() == round(np.abs(classifier.coef_[0]).max() * 4096)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Não posso", "nao posso"),
        ("I can’t", "I can't"),
        ("I c\u200bannot", "I cannot"),
        ("Ｉ cannot", "I cannot"),
        ("12 apples", "97 apples"),
        ("one  two\n three", "one two three"),
    ],
)
def test_what_makes_no_difference(text: str, same: str) -> None:
    shape = TextShape(views=(View(part="whole", words=(1, 2)),))
    assert shape.features(text)[0].tolist() == shape.features(same)[0].tolist()


def test_views_look_at_their_part_alone() -> None:
    middle = "Something stands in between, of some length. "
    for part, text, other in (
        (
            "first",
            "I cannot help you with that request. ",
            "There is nothing to be seen of it here.",
        ),
        (
            "last",
            "There is nothing to be seen of it here. ",
            "I cannot help you with that request.",
        ),
    ):
        shape = TextShape(views=(View(part=part, words=(1,)),))  # type: ignore[arg-type]
        seen = shape.features(text + middle + other)[0].tolist()
        alone = text if part == "first" else other
        assert seen == shape.features(alone)[0].tolist()


def test_evidence_grows_with_the_length_of_a_short_text() -> None:
    """given one weight for every n-gram, then below ``least`` they add up, and from there on their
    number is divided out as ever."""
    view = View(part="whole", words=(1,))
    ones = np.full(1 << 18, 4096, np.int32)
    plain, floored = (NgramModel(TextShape(views=(view,), least=n), 0, ones) for n in (1, 10))
    words = [f"{a}{b}" for a in "abcde" for b in "fghij"]
    for count in (1, 4, 10, 20):
        text = " ".join(words[:count])
        assert floored.logit(text) == pytest.approx(count / max(count, 10) ** 0.5, rel=1e-3)
        assert plain.logit(text) == pytest.approx(count**0.5, rel=1e-3)


def test_of_a_long_text_the_ends_are_read(fitted: tuple[LogisticRegression, NgramModel]) -> None:
    _, model = fitted
    text = "a" * 300 + " I cannot help " * 10_000 + "b" * 100
    assert model.score(text) == model.score("a" * 300 + "\n" + "b" * 100)


@given(text=st.text(alphabet=st.characters()), where=st.integers(0, 5))
def test_any_text_has_a_probability(
    fitted: tuple[LogisticRegression, NgramModel], text: str, where: int
) -> None:
    _, model = fitted
    text = text[:where] + TEXTS[where] + text[where:]
    slots, values = SHAPE.features(text)
    assert 0.0 <= model.score(text) <= 1.0
    expected = (model.bias + float((model.weights[slots] * values).sum())) / 4096
    assert model.logit(text) == pytest.approx(expected, abs=1e-9)


def test_every_process_gets_the_same_score(
    fitted: tuple[LogisticRegression, NgramModel], tmp_path: Path
) -> None:
    path = tmp_path / "model.npz"
    fitted[1].save(path)
    program = (
        "import sys; from pathlib import Path; from agents.common.ngram_model import load\n"
        f"print(load(Path({str(path)!r})).score({TEXTS[1]!r}), 'sklearn' in sys.modules)"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert runs == {f"{fitted[1].score(TEXTS[1])} False\n"}


def test_a_damaged_file_is_refused(
    fitted: tuple[LogisticRegression, NgramModel], tmp_path: Path
) -> None:
    path = tmp_path / "model.npz"
    np.savez(path, header=np.frombuffer(b"{}", dtype=np.uint8))
    with pytest.raises(ValueError, match="not a model"):
        load(path)
    fitted[1].save(path)
    with np.load(path) as file:
        parts = dict(file)
    np.savez(path, **{**parts, "steps": parts["steps"] + np.uint16(2_000)})
    with pytest.raises(ValueError, match="damaged"):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")
