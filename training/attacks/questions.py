"""The model that tells attacks from ordinary questions: trained and measured by source.

``python -m training.attacks.questions`` prints what is found and flagged of each source by models
that saw none of it, beside string matching and TF-IDF with logistic regression in the same run;
with ``--write`` it then makes the model that ships.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import normalize

from agents.inspection.folding import unmasked
from agents.inspection.text.cues import cues_of
from agents.inspection.text.injection import INJECTION_THRESHOLD, bounded
from agents.inspection.text.linear import SCALE, LinearModel, ngrams
from training.attacks.own import own_questions
from training.attacks.sources import ATTACKS, DOCUMENTS, QUESTIONS, available

__all__ = ["Text", "corpus", "left_out", "main"]

MODEL: Final = Path(__file__).parents[2] / "agents" / "inspection" / "models" / "injection.json"
_STRENGTH: Final = 10.0
"""Inverse of the L2 penalty. 3 to 30 were tried: the worst source hardly changes."""
_ROLES: Final = 3.0
"""Weight of a role prompt: there are few, and no text is as like a jailbreak."""
_START: Final = "^"
"""The n-gram that every text has."""
_NGRAMS: Final = 40_000
"""The commonest that are known."""
_ORDINARY: Final = ("clinc", "banking", "tau-bench users", "XSTest")
_NEAR: Final = 0.1
"""A text is left out of training if so much of it is word for word in a source left out."""
_SHINGLE: Final = 6
_FLAGGED: Final = 0.03
"""Of long role prompts, at the threshold: the aim is 0.04."""
_ORDINARY_FLAGGED: Final = 0.004
"""Of ordinary questions, at the threshold: the aim is 0.002 with the model's cues."""
_SHORT: Final = (0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0)
"""Logits that may be taken from a text, times its share: the shorter it is, the more."""
_CUES: Final = 5
"""Different cues that an attack should have."""
_RARE: Final = 5
_LEAST_MET: Final = 4
_OWN: Final = 2_500


class Text(NamedTuple):
    """One text, where it is from, and whether it attacks."""

    text: str
    source: str
    share: str
    trained: bool
    attack: bool


def corpus() -> list[Text]:
    """All sources, pieces of documents (which users paste) and sentences of our own."""
    rng = random.Random(1)
    found: list[Text] = []
    for sources, attack in ((ATTACKS, True), (QUESTIONS, False)):
        for source, texts in available(sources).items():
            found += (Text(t, source.name, source.share, source.trained, attack) for t in texts)
    for source, texts in available(DOCUMENTS).items():
        for text in texts[:60] if source.share not in ("bipia", "otlp") else ():
            start = rng.randrange(max(1, len(text) - 1_500))
            piece = text[start : start + rng.choice((300, 800, 1_500))]
            found.append(Text(piece, source.name, source.share, source.trained, False))
    found += (Text(text, "own", "own", True, attack) for text, attack in own_questions(_OWN))
    return [text._replace(text=bounded(unmasked(text.text))) for text in found]


def _shingles(text: str) -> set[int]:
    words = re.findall(r"\w+", text.lower())
    return {
        hash(tuple(words[at : at + _SHINGLE])) for at in range(max(1, len(words) - _SHINGLE + 1))
    }


def left_out(texts: Sequence[Text]) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """(what is trained on, what is measured): every source is measured once, by a model that saw
    neither it nor what repeats it word for word. Each fold leaves out one origin of attacks and
    some of harmless texts."""
    attacks = sorted({t.share for t in texts if t.attack and t.share != "own"})
    others = sorted({t.share for t in texts if not t.attack} - {*attacks, "own"})
    random.Random(1).shuffle(others)
    shingles = [_shingles(t.text) if t.attack and t.share != "own" else set() for t in texts]
    folds = []
    for number, origin in enumerate(attacks):
        away = {origin, *others[number :: len(attacks)]}
        held = np.array([t.share in away for t in texts])
        seen: set[int] = set().union(*(shingles[at] for at in np.flatnonzero(held)))
        near = [len(s & seen) > _NEAR * len(s) for s in shingles]
        kept = [
            t.trained and not out and not like
            for t, out, like in zip(texts, held, near, strict=True)
        ]
        folds.append((np.array(kept), held))
    return folds


def _matrix(texts: Sequence[Text]) -> tuple[csr_matrix, list[str]]:
    vectorizer = CountVectorizer(
        analyzer=lambda text: ngrams(text, singles=True),
        binary=True,
        max_features=_NGRAMS,
        dtype=np.float64,
    )
    matrix = vectorizer.fit_transform([t.text for t in texts])
    return normalize(matrix), list(vectorizer.get_feature_names_out())


def _weights(texts: Sequence[Text]) -> NDArray[np.float64]:
    return np.array([_ROLES if t.source.startswith("role") else 1.0 for t in texts])


def _fitted(
    matrix: csr_matrix, labels: NDArray[np.bool_], weights: NDArray[np.float64]
) -> LogisticRegression:
    classifier = LogisticRegression(
        C=_STRENGTH,
        solver="liblinear",
        dual=True,
        tol=0.01,
        class_weight="balanced",
        random_state=0,
    )
    return classifier.fit(matrix, labels, sample_weight=weights)


def _baseline(
    texts: Sequence[Text], labels: NDArray[np.bool_], kept: NDArray[np.bool_]
) -> Callable[[Sequence[str]], NDArray[np.float64]]:
    pipe = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=3, strip_accents="unicode"),
        LogisticRegression(
            C=10, solver="liblinear", dual=True, tol=0.01, class_weight="balanced", random_state=0
        ),
    )
    pipe.fit([text.text for text, used in zip(texts, kept, strict=True) if used], labels[kept])
    return lambda measured: np.asarray(pipe.decision_function(measured))


def _chosen(
    texts: Sequence[Text], scores: NDArray[np.float64], counted: NDArray[np.float64]
) -> tuple[float, float, float]:
    """(what is taken from short texts, threshold, mean share of the sources found): the best of
    :data:`_SHORT` that flags no more than is allowed of role prompts and of ordinary questions."""
    roles = np.array([t.source.startswith("role") for t in texts])
    ordinary = np.array([t.source.startswith(_ORDINARY) for t in texts])
    jailbreaks = [
        np.array([t.source == source for t in texts])
        for source in dict.fromkeys(t.source for t in texts if t.attack and t.trained)
        if source != "own"
    ]
    found = []
    for short in _SHORT:
        shifted = scores - short * counted
        threshold = max(
            float(np.quantile(shifted[roles], 1 - _FLAGGED)),
            float(np.quantile(shifted[ordinary], 1 - _ORDINARY_FLAGGED)),
        )
        shares = [float(np.mean(shifted[at] >= threshold)) for at in jailbreaks]
        found.append((float(np.mean(shares)), short, threshold))
        print(f"short {short}: threshold {threshold:.2f}, found {[round(s, 3) for s in shares]}")
    best = max(found)
    return best[1], best[2], best[0]


def report(
    texts: Sequence[Text],
    scores: Mapping[str, NDArray[np.float64]],
    thresholds: Mapping[str, float],
) -> None:
    """One row a source: how much of it each way of scoring calls an attack."""
    names = list(dict.fromkeys((t.source, t.attack) for t in texts if t.source != "own"))
    print(f"{'source':46}{'texts':>6}" + "".join(f"{name:>16}" for name in scores))
    for source, attack in names:
        at = np.array([t.source == source and t.attack is attack for t in texts])
        kind = "found" if attack else "flagged"
        row = "".join(f"{np.mean(s[at] >= thresholds[n]):16.1%}" for n, s in scores.items())
        print(f"{source:46}{at.sum():6}{row} {kind}")


def _cues(weights: Mapping[str, int], texts: Sequence[Text]) -> list[str]:
    """Words and pairs that speak for an attack and meet nearly every attack several times, those
    that are rare among harmless questions first (greedy cover)."""
    found: dict[str, list[int]] = defaultdict(list)
    need: dict[int, int] = {}
    harmless: Counter[str] = Counter()
    for number, text in enumerate(texts):
        if text.attack:
            need[number] = _CUES
            for cue in cues_of(text.text):
                if weights.get(cue, 0) > 0:
                    found[cue].append(number)
    for text in texts:
        if not text.attack and len(text.text) < 600:
            harmless.update(cues_of(text.text) & found.keys())
    chosen: list[str] = []
    for cue in sorted(found, key=lambda cue: (-len(found[cue]) / (harmless[cue] + _RARE), cue)):
        met = [number for number in found[cue] if number in need]
        if len(met) >= _LEAST_MET:
            chosen.append(cue)
            for number in met:
                need[number] -= 1
                if not need[number]:
                    del need[number]
    return chosen


def _shipped(
    texts: Sequence[Text],
    matrix: csr_matrix,
    grams: Sequence[str],
    threshold: float,
    short: float,
) -> LinearModel:
    kept = np.array([t.trained for t in texts])
    labels = np.array([t.attack for t in texts])
    classifier = _fitted(matrix[kept], labels[kept], _weights(texts)[kept])
    # the threshold of the models that were measured becomes the public one
    public = float(np.log(INJECTION_THRESHOLD / (1 - INJECTION_THRESHOLD)))
    bias = float(classifier.intercept_[0]) - threshold + public
    weights = {
        gram: round(float(weight) * SCALE)
        for gram, weight in sorted(zip(grams, classifier.coef_[0], strict=True))
    }
    weights[_START] -= round(short * SCALE)
    cues = _cues(weights, [t for t in texts if t.trained])
    return LinearModel(round(bias * SCALE), weights, cues, singles=True, least=2, divided="ngrams")


def main() -> None:
    """Prints the table, and writes the model if it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="make the model that ships")
    args = parser.parse_args()
    texts = corpus()
    labels = np.array([t.attack for t in texts])
    matrix, grams = _matrix(texts)
    weights = _weights(texts)
    ours, tfidf = np.zeros(len(texts)), np.zeros(len(texts))
    for kept, held in left_out(texts):
        ours[held] = _fitted(matrix[kept], labels[kept], weights[kept]).decision_function(
            matrix[held]
        )
        tfidf[held] = _baseline(texts, labels, kept)(
            [texts[at].text for at in np.flatnonzero(held)]
        )
    # what one n-gram of a text counts for: "^" is in all
    counted = matrix[:, grams.index(_START)].toarray().ravel()
    scores: dict[str, NDArray[np.float64]] = {}
    thresholds: dict[str, float] = {}
    shorts: dict[str, float] = {}
    for name, logits in (("n-grams", ours), ("TF-IDF", tfidf)):
        shorts[name], thresholds[name], _ = _chosen(texts, logits, counted)
        scores[name] = logits - shorts[name] * counted
    print(f"thresholds {thresholds}, less of short texts {shorts}")
    report(texts, scores, thresholds)
    if args.write:
        model = _shipped(texts, matrix, grams, thresholds["n-grams"], shorts["n-grams"])
        MODEL.write_bytes(model.to_json())
        print(f"{MODEL.name}: {len(model.weights)} weights, {len(model.cues)} cues")


if __name__ == "__main__":
    main()
