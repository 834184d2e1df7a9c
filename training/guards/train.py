"""Makes the shipped models from templates alone: `python -m training.guards.train`. Needs scikit-learn.

Deterministic: the same source gives the same files. No data set is read; the figures it prints are on templates left out of training,
those on public data come from `tests/bench/refusals_injections.py`.
"""

from __future__ import annotations

import random
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import cache, partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix, diags, vstack  # type: ignore[import-untyped]
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from agents.inspection.folding import in_ascii
from agents.inspection.text.concepts import MEANING
from agents.inspection.text.linear import SCALE, LinearModel, cues_of, ngrams
from agents.inspection.text.refusal import without_quotes
from training.guards.grammar import Grammar
from training.guards.sentences import Languages, read

__all__ = ["TRAININGS", "main", "make_examples", "train"]

# ruff: noqa: E501, SIM905
_FUNCTION_WORDS: Final = frozenset(
    "the a an to of and in is it this that for on with as i im you we my your our their or at by from be are was has have its so but however if what when here heres there "
    'also may more some any these those he she they his her him them which who about into than then if as for . ? ! : " ` { < | [ # ^ '
    "o a os as um uma de do da dos das em no na nos nas e ou que se por para com como mas porem seu sua meu minha nosso nossa eu voce ele ela ao aos isso este esta esse essa mais ja foi ser ha entanto aqui qual sao pelo pela".split()
)
"""An n-gram of these alone says nothing; a long text has so many that together they would decide."""
_EVERYDAY: Final = frozenset(
    "how what when where who why which me us will would can could do does did am were been being not no any all every just now before after tell give show get got let like want need please one out up "
    "me te nos quando onde quem quero preciso pode posso diga antes agora tudo todo toda nao sim".split()
)
"""The same in questions; of answers they say whether something was declined."""


_COMMON: Final = frozenset(
    "not heres would me such just im other others different understanding json create only take still build else overview significant real policies programming response "
    "outra outro criar dar fazer pode ser general list text story people like use make many need way time work new good first one two example content "
    "texto lista resposta informacao informação conta pessoas forma dicas tipo "
    "answer customer know order line word used user users store car question company text set".split()
)
"""Words too common in questions and documents to be a reason for scoring."""


def _telling(text: str, singles: bool) -> list[str]:
    silent = _silent(singles)
    return sorted(gram for gram in ngrams(text, singles=singles) if not silent.issuperset(re.split("[ _]", gram)))


@cache
def _silent(questions: bool) -> frozenset[str]:
    return _FUNCTION_WORDS | _EVERYDAY if questions else _FUNCTION_WORDS


Rules = Mapping[str, Sequence[str]]
Example = tuple[str, bool]

MODELS: Final = Path(__file__).parents[2] / "agents" / "inspection" / "models"


class Training(NamedTuple):
    examples: int
    """Of each language."""
    strength: float
    """Inverse of the L2 penalty."""
    weights: int
    """The largest that are kept."""
    dropped: float
    """Share of the n-grams of a text that training does not see."""


TRAININGS: Final = {
    "refusal": Training(20_000, 3.0, 20_000, 0.0),
}
_CUES: Final = {"refusal": 4}
"""Cues that a positive example should have."""
_RARE: Final = 5
"""Added to how often a cue is among the other examples: the more, the more are common cues preferred."""
_LEAST_MET: Final = 12
"""Positive examples that a cue must help to cover."""
_ELSEWHERE: Final = 2
"""Weight of a harmless example of another model, beside one of its own: in these the everyday words of other texts are met."""
_SPLIT_FROM: Final = 12
"""Rules with at least this many productions leave a fifth of them to validation."""


def half(rules: Rules, *, training: bool, fold: int = 0) -> dict[str, Sequence[str]]:
    """The rules without the productions that belong to the other side of validation."""

    def kept(production: str) -> bool:
        return (zlib.crc32(production.encode()) % 5 != fold) is training

    return {
        name: ([p for p in productions if kept(p)] or productions) if len(productions) >= _SPLIT_FROM else productions
        for name, productions in rules.items()
    }


def _typed(text: str, rng: random.Random) -> str:
    """As people and models write: without capitals, accents or final marks at times."""
    text = re.sub(r" (['’]m )", r"\1", text).strip()
    text = re.sub(r"(^|[.!?]\s+|\n)(\w)", lambda m: m[1] + m[2].upper(), text)
    chance = rng.random()
    if chance < 0.12:
        text = text.lower()
    elif chance < 0.13:
        text = text.upper()
    if rng.random() < 0.1:
        text = in_ascii(text)
    if rng.random() < 0.1:
        text = text.rstrip(".!?")
    return text


def refusals(grammar: Grammar, rng: random.Random) -> Example:
    """A refusal or something that looks like one."""
    if rng.random() < 0.5:
        return without_quotes(_typed(grammar.make("refusal"), rng)), True
    kind = rng.choice(("plain",) * 10 + ("sorry_answer",) * 3 + ("cannot_answer",) * 5 + ("ethics_answer",) * 3 + ("quoted_answer",))
    return without_quotes(_typed(grammar.make(kind), rng)), False


_REFUSALS: Final = read("prose", "refusal_grammar", "refusal_varied")

KINDS: Final[dict[str, tuple[Callable[[Grammar, random.Random], Example], Languages]]] = {
    "refusal": (refusals, _REFUSALS),
}


_OF_MEANINGS: Final = 0.5
"""Scale of a feature of meanings: they are far-reaching, and cost as much as several words."""


def make_examples(kind: str, count: int, seed: int, select: Callable[[Rules], Rules] = lambda rules: rules) -> Iterator[Example]:
    """`count` distinct examples in each language. `select` takes the part of the rules to use."""
    maker, languages = KINDS[kind]
    for number, rules in enumerate(languages):
        rng = random.Random(seed * 10 + number)
        grammar = Grammar(select(rules), rng)
        yield from sorted({maker(grammar, rng) for _ in range(count)})


def train(kind: str, examples: Mapping[str, Sequence[Example]]) -> LinearModel:
    """Logistic regression (L2) on n-grams. Refusals are told without single words.

    With dropout each example is seen twice, each time without another part of its n-grams, so that a text is told by many of them and not
    by the few that suffice in the templates (dropout as regularisation: Wager, Wang and Liang, NIPS 2013).
    """
    _, strength, weights, dropped = TRAININGS[kind]
    singles = kind != "refusal"
    vectorizer = CountVectorizer(analyzer=partial(_telling, singles=singles), binary=True, min_df=4, dtype=np.float32)
    matrix = vectorizer.fit_transform([text for text, _ in examples[kind]])
    scales = np.ones(matrix.shape[1], np.float32)
    for gram, column in vectorizer.vocabulary_.items():
        if MEANING in gram:
            scales[column] = _OF_MEANINGS
    seen = [matrix] if not dropped else [_thinned(matrix, dropped, seed) for seed in (0, 1)]
    labels = [label for _, label in examples[kind]] * len(seen)
    classifier = LogisticRegression(C=strength, solver="liblinear", random_state=0).fit(vstack(seen) @ diags(scales), labels)
    whole = 1 - dropped / 2  # learned from parts of texts, met by whole ones: between one (words add nothing new) and the same sum
    coefficients = {
        gram: round(float(classifier.coef_[0, column] * scales[column]) * whole * SCALE) for gram, column in vectorizer.vocabulary_.items()
    }
    largest = sorted(coefficients.items(), key=lambda item: (-abs(item[1]), item[0]))[:weights]
    kept = dict(sorted((gram, weight) for gram, weight in largest if weight))
    least = 2 if kind == "injection" else 1  # documents are scored once and remembered, so they may cost more
    bias = round(float(classifier.intercept_[0]) * SCALE)
    return LinearModel(bias, kept, find_cues(kind, kept, examples), singles=singles, least=least)


def _thinned(matrix: csr_matrix, dropped: float, seed: int) -> csr_matrix:
    """`matrix` without some of its entries, by chance."""
    kept = matrix.copy()
    kept.data *= np.random.default_rng(seed).random(len(kept.data)) > dropped
    return kept


def find_cues(kind: str, weights: Mapping[str, int], examples: Mapping[str, Sequence[Example]]) -> list[str]:
    """A set of words and pairs that speak for the class and meet nearly every positive example several times, those that are rare among
    the others first (greedy cover). `examples`: of all kinds."""
    found: dict[str, list[int]] = defaultdict(list)
    need: dict[int, int] = {}
    for number, (text, label) in enumerate(examples[kind]):
        if label:
            need[number] = _CUES[kind]
            for cue in cues_of(text):
                if weights.get(cue, 0) > 0 and cue not in _COMMON:
                    found[cue].append(number)
    others = _harmless(kind, found.keys(), examples)
    chosen: list[str] = []
    for cue in sorted(found, key=lambda cue: (-len(found[cue]) / (others[cue] + _RARE), cue)):
        met = [number for number in found[cue] if number in need]
        if len(met) < _LEAST_MET:
            continue
        chosen.append(cue)
        for number in met:
            need[number] -= 1
            if not need[number]:
                del need[number]
    return chosen


def _harmless(kind: str, cues: Set[str], examples: Mapping[str, Sequence[Example]]) -> Counter[str]:
    """In how many negative examples each cue is, as many being taken of every kind as there are of `kind`."""
    negative = {name: [text for text, label in made if not label] for name, made in examples.items()}
    found: Counter[str] = Counter()
    for name, texts in negative.items():
        share = 1.0 if name == kind else _ELSEWHERE * len(negative[kind]) / len(texts)
        counts = Counter(cue for text in texts for cue in cues_of(text) & cues)
        found.update({cue: round(share * count) for cue, count in counts.items()})
    return found


def main() -> None:
    """Prints figures on left-out templates, then trains on all and writes the models."""
    part = {kind: list(make_examples(kind, TRAININGS[kind].examples, 1, lambda rules: half(rules, training=True))) for kind in KINDS}
    whole = {kind: list(make_examples(kind, TRAININGS[kind].examples, 1)) for kind in KINDS}
    for kind in KINDS:
        model = train(kind, part)
        held = list(make_examples(kind, 3000, 2, lambda rules: half(rules, training=False)))
        scored = [(model.probability(text) >= 0.5, label) for text, label in held]
        found = sum(hit for hit, label in scored if label) / sum(label for _, label in scored)
        false = sum(hit for hit, label in scored if not label) / sum(not label for _, label in scored)
        print(f"{kind}: templates not trained on: {found:.1%} found, {false:.1%} of the others flagged ({len(held)} texts)")
        final = train(kind, whole)
        path = MODELS / f"{kind}.json"
        path.write_bytes(final.to_json())
        print(f"{path.name}: {len(final.weights)} weights, {len(final.cues)} cues, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
