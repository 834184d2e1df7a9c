"""What the shipped models call an attack, by source: `python -m tests.bench.attacks [--smoke]`.

One row for each source that nobody here wrote (``training/attacks/sources.py``), beside plain
patterns; those that were trained on are marked, and their figures show no more than that the model
is what it was made to be: what holds elsewhere is on the model card, measured leave-one-source-out
(``python -m training.attacks.questions``, ``python -m training.attacks.documents``). Sentences
written by hand come last and decide nothing. Sources that this machine does not have are named and
left out.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections.abc import Callable, Iterable, Sequence

from rich.console import Console
from rich.table import Table

from agents.inspection.text.injection import (
    DOCUMENT_THRESHOLD,
    INJECTION_THRESHOLD,
    injection_probability,
)
from tests.bench import guard_texts as first
from tests.bench import guard_texts_blind as blind
from tests.bench import guard_texts_third as third
from tests.bench import smoke
from training.attacks.planting import HOSTS, plant
from training.attacks.sources import ATTACKS, DOCUMENTS, ORDERS, QUESTIONS, Source, available

Judge = Callable[[str], bool]

_PATTERN = re.compile(
    r"(ignore|disregard|forget|override)\b.{0,30}\b(previous|above|prior|all|earlier)\b.{0,30}"
    r"(instruction|prompt|rule)|system prompt|you are now|do anything now|developer mode|jailbreak"
    r"|(ignore|desconsidere|esqueça)\b.{0,30}(instruções|regras)|prompt do sistema|você agora é"
    r"|modo desenvolvedor",
    re.IGNORECASE | re.DOTALL,
)

_DOCUMENTS = 60
"""Of a source."""
_LONGEST = 24_000
_HOST = 4_000
"""Characters of a document in which an instruction is hidden."""


def attacks(text: str) -> bool:
    """Whether a question is an attempt."""
    return injection_probability(text) >= INJECTION_THRESHOLD


def instructs(text: str) -> bool:
    """Whether a document holds instructions to the model."""
    return injection_probability(text, retrieved=True) >= DOCUMENT_THRESHOLD


def microseconds(score: Callable[[str], object], texts: Sequence[str]) -> tuple[float, float]:
    """CPU time per text and per kB, the best of five rounds."""
    best = float("inf")
    for _ in range(5):
        begun = time.process_time()
        for text in texts:
            score(text)
        best = min(best, time.process_time() - begun)
    return best / len(texts) * 1e6, best / sum(map(len, texts)) * 1e9


def _pattern(text: str) -> bool:
    return _PATTERN.search(text) is not None


def _table(title: str) -> Table:
    made = Table(title=title, title_justify="left")
    for name in ("source", "texts", "trained on", "should be", "Mirante", "patterns"):
        made.add_column(name)
    return made


def _row(
    shown: Table, name: str, trained: bool, attack: bool, texts: Sequence[str], ours: Judge
) -> None:
    found = [sum(map(judge, texts)) / len(texts) for judge in (ours, _pattern)]
    shown.add_row(
        name,
        str(len(texts)),
        "yes" if trained else "",
        "found" if attack else "let through",
        *(f"{share:.1%}" for share in found),
    )


def _rows(shown: Table, sources: Iterable[Source], attack: bool, ours: Judge, most: int) -> None:
    for source, texts in available(sources).items():
        _row(shown, source.name, source.trained, attack, texts[:most], ours)


def public(console: Console) -> None:
    """Sources that nobody here wrote."""
    shown = _table("Attacks in questions")
    _rows(shown, ATTACKS, True, attacks, 400)
    _rows(shown, QUESTIONS, False, attacks, 400)
    console.print(shown)
    shown = _table("Instructions hidden in documents")
    _rows(shown, DOCUMENTS, False, instructs, _DOCUMENTS)
    hosts = available(source for source in DOCUMENTS if source.name in HOSTS)
    for source, orders in available(ORDERS).items():
        for host, texts in hosts.items():
            rng = random.Random(7)
            hidden = [
                plant(texts[at % len(texts)][:_HOST], order, rng) for at, order in enumerate(orders)
            ]
            name = f"{source.name} in {host.name}"
            _row(shown, name, source.trained, True, hidden, instructs)
    console.print(shown)


def by_hand(console: Console) -> None:
    """Sentences of the repository, and what one text costs."""
    shown = _table("Written by hand: decides nothing")
    sets: tuple[tuple[str, Sequence[str], Sequence[str]], ...] = (
        ("first set, en", first.ATTACKS_EN, first.TRIGGERS_EN),
        ("first set, pt", first.ATTACKS_PT, first.TRIGGERS_PT),
        ("second set, en", blind.ATTACKS_EN, blind.TRIGGERS_EN),
        ("second set, pt", blind.ATTACKS_PT, blind.TRIGGERS_PT),
        ("third set, en", third.ATTACKS_EN, third.TRIGGERS_EN),
        ("third set, pt", third.ATTACKS_PT, third.TRIGGERS_PT),
    )
    for name, yes, no in sets:
        _row(shown, name, False, True, yes, attacks)
        _row(shown, f"{name}: the same words, harmless", False, False, no, attacks)
    _row(shown, "documents with an instruction", False, True, first.PLANTED, instructs)
    _row(shown, "documents without", False, False, first.DOCUMENTS, instructs)
    console.print(shown)
    long = [" ".join(first.TRIGGERS_EN)[at : at + 500] for at in range(0, 1_500, 100)]
    for name, judge, texts in (
        ("question", injection_probability, first.TRIGGERS_EN),
        ("question of 500 characters", injection_probability, long),
        ("document of 500 characters", lambda t: injection_probability(t, retrieved=True), long),
    ):
        each, per_kilobyte = microseconds(judge, texts)
        console.print(f"{name}: {each:.1f} µs, {per_kilobyte:.1f} µs/kB")


def report(console: Console, everything: bool) -> None:
    """``everything``: also the public sources, where they are there."""
    if everything:
        public(console)
    by_hand(console)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    args = smoke.parse(parser)
    report(Console(width=150), not args.smoke)


if __name__ == "__main__":
    main()
