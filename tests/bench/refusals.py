"""Refusals, measured: `python -m tests.bench.refusals [--wheels FOLDER --cache FILE]`.

Every source that nobody here wrote by models that have not seen it, beside a list of phrases and a
TF-IDF classifier (it trains them: two minutes); the model that ships on answers that nothing was
trained on; and, apart, on texts that we wrote ourselves, which decide nothing. Needs scikit-learn,
the development data (MIRANTE_SHARED), wheels of pyrit and chatterbot-corpus and the translations
(`training/refusals/translated.py`); without them it says what it leaves out.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from agents.inspection.text.refusal import is_refusal, refusal_probability
from tests.bench import guard_texts as first
from tests.bench import guard_texts_blind as second
from tests.bench import refusal_texts_third as third
from tests.bench import smoke
from training.refusals.measure import Measured, held_out
from training.refusals.model import matrix
from training.refusals.sources import evaluation, shared_data
from training.refusals.strings import by_strings
from training.refusals.train import examples_of, shown

OWN: tuple[tuple[str, str, Sequence[str], Sequence[str]], ...] = (
    ("first set", "en", first.REFUSALS_EN, first.ANSWERS_EN),
    ("first set", "pt", first.REFUSALS_PT, first.ANSWERS_PT),
    ("second set", "en", second.REFUSALS_EN, second.ANSWERS_EN),
    ("second set", "pt", second.REFUSALS_PT, second.ANSWERS_PT),
    ("third set", "pt", third.REFUSALS_PT, third.ANSWERS_PT),
)


def measured(source: str, language: str, texts: Sequence[str], refused: Sequence[bool]) -> Measured:
    """By the model that ships and by phrases."""
    scores = {
        "Mirante": np.array([refusal_probability(text) for text in texts]),
        "phrases": np.array([by_strings(text) for text in texts]),
    }
    return Measured(source, language, list(refused), scores)


def shipped() -> list[Measured]:
    """XSTest, on which nothing was trained."""
    data = shared_data()
    gold = evaluation(data) if data else []
    sources = dict.fromkeys(example.source for example in gold)
    parts = [[example for example in gold if example.source == source] for source in sources]
    return [
        measured(of[0].source, "en", [e.text for e in of], [e.refused for e in of]) for of in parts
    ]


def microseconds(texts: Sequence[str], rounds: int) -> float:
    """CPU time of a text, the best of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.process_time()
        for text in texts:
            is_refusal(text)
        best = min(best, time.process_time() - begun)
    return best / len(texts) * 1e6


def report(console: Console, public: bool = True, wheels: str = "", cache: str = "") -> None:
    """``public``: also on the public data, where they are there."""
    wheels = wheels or os.environ.get("MIRANTE_WHEELS", "")
    cache = cache or os.environ.get("MIRANTE_TRANSLATIONS", "")
    data = shared_data() if public else None
    if data and wheels and cache:
        examples, others = examples_of(data, Path(wheels), Path(cache))
        console.print(shown(held_out(examples, matrix(examples), others, matrix(others))[0]))
    else:
        console.print(
            "Left out: the sources held out in turn (MIRANTE_SHARED, --wheels and --cache say where they are)."
        )
    if data:
        console.print(
            shown(shipped(), "The model that ships, on answers that nothing was trained on")
        )
    own = [
        measured(
            f"written by hand, {name}", language, [*yes, *no], [True] * len(yes) + [False] * len(no)
        )
        for name, language, yes, no in OWN
    ]
    console.print(shown(own, "The model that ships, on texts that we wrote: they decide nothing"))
    rounds = 20 if public else 1
    for name, texts in (("English", first.ANSWERS_EN), ("Portuguese", first.ANSWERS_PT)):
        long = [(" ".join([*texts[n:], *texts[:n]]) * 2)[:500] for n in range(len(texts))]
        console.print(f"µs a text of 500 characters, {name}: {microseconds(long, rounds):.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--wheels", default="", help="folder with wheels of pyrit and chatterbot-corpus"
    )
    parser.add_argument("--cache", default="", help="file of translations")
    options = smoke.parse(parser)
    report(Console(width=150), not options.smoke, options.wheels, options.cache)


if __name__ == "__main__":
    main()
