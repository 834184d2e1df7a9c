"""How well repetitions are told from follow-up questions. Run it: `python -m
tests.bench.labels_pairs [--corpus FILE]`.

One row for each source: the area under the ROC curve of the model, of Jaccard similarity of
words, of TF-IDF of character n-grams (fitted to the very pairs) and of the static embedding's
cosine; and the share of its pairs that do not ask the same but are flagged. The pairs are those
of ``training/labels/repetitions.py``, on which the few constants of ``agents/labels/pairs.py``
were chosen: its word vectors are the only part that is learned, and not from pairs. Apart from
these, the users' turns of uss_sgd, where hardly any is a repetition, and the hand-written
rewrites and utterances of chatbots (``labels_rewrites.py``). With ``--corpus``, made by `python
-m training.embedding.corpus`, there is Portuguese of the public sets too, and their intents.
Names need Faker (the extra `train`).

Last the similarity of Portuguese sentences: Pearson's correlation with grades given by hand
(``graded_pairs.py``), and the time per text.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from agents.common.embedding import embedding
from agents.labels.detectors import STRONG, WEAK
from agents.labels.pairs import pair_model
from agents.labels.wording import UNITS
from tests.bench import smoke
from tests.bench.graded_pairs import GRADED
from tests.bench.labels import area, character_tfidf
from tests.bench.labels_rewrites import CHATBOT, blocks, conversations
from training.embedding.corpus import translations
from training.labels.corpus import shared_data
from training.labels.repetitions import Pair, all_pairs, chosen

Numbers = NDArray[np.float64]


def rewrites() -> Iterator[Pair]:
    """Questions as asked and written out, against the next ones; by hand."""
    for language in ("en", "pt"):
        name = f"rewrites_{language}"
        for conversation in conversations(language):
            yield from (Pair(name, "written out", a, b, True) for a, b in conversation)
            for (raw, full), (raw_next, full_next) in pairwise(conversation):
                yield Pair(name, "raw, next written out", raw, full_next, False)
                yield Pair(name, "raw, next raw", raw, raw_next, False)
                yield Pair(name, "written out, next written out", full, full_next, False)


def chatbots(chance: random.Random) -> Iterator[Pair]:
    """Utterances of one intent, and of two; by hand."""
    intents = blocks(CHATBOT)
    for intent in intents:
        for text in intent:
            yield from (Pair("chatbots_pt", "same", text, b, True) for b in intent if b != text)
            for other in chance.sample([i for i in intents if i is not intent], 10):
                yield Pair("chatbots_pt", "other", text, chance.choice(other), False)


def spoken(data: Path) -> Iterator[Pair]:
    """What users of the tasks of uss_sgd say, and say next."""
    for block in (data / "uss_sgd_half/SGD.txt").read_text().split("\n\n"):
        rows = [line.split("\t") for line in block.splitlines() if line.startswith("USER")]
        said = [row[1] for row in rows if row[1] != "OVERALL"]
        yield from (Pair("uss_sgd", "next turn", a, b, False) for a, b in pairwise(said) if a != b)


class Scores(NamedTuple):
    """Of each pair."""

    same: Numbers
    words: Numbers
    meaning: Numbers


def judged(pairs: list[Pair]) -> Scores:
    """What the model makes of the pairs, and plain cosines of the embedding."""
    model = pair_model()
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.earlier, pair.later)))
    place = dict(zip(texts, range(len(texts)), strict=True))
    earlier = np.array([place[pair.earlier] for pair in pairs])
    later = np.array([place[pair.later] for pair in pairs])
    read = model.read_all(texts)
    meanings = np.array([utterance.meaning for utterance in read], np.float64) / UNITS
    cosines = (meanings[earlier] * meanings[later]).sum(axis=1).tolist()
    alike = model.compare_among(read, earlier, later)
    of_pairs = [(of.same, of.words, cosine) for of, cosine in zip(alike, cosines, strict=True)]
    return Scores(*np.array(of_pairs).T)


def show(pairs: list[Pair], found: Scores, console: Console) -> None:
    """The table."""
    table = Table(title="Does the later message ask the same?")
    for column in ("source", "same", "AUC", "Jaccard", "TF-IDF", "embedding", "found"):
        table.add_column(column, justify="left" if column == "source" else "right")
    for column in ("not the same", "flagged", "sure"):
        table.add_column(column, justify="right")
    for source in dict.fromkeys(pair.source for pair in pairs):
        here = np.flatnonzero([pair.source == source for pair in pairs])
        these = [pairs[n] for n in here]
        y, p = np.array([pair.same for pair in these]), found.same[here]
        tfidf = character_tfidf([(pair.earlier, pair.later, pair.same) for pair in these])
        columns: list[Numbers] = [p, found.words[here], np.array(tfidf), found.meaning[here]]
        areas = [f"{area(list(scores), list(y)):.3f}" for scores in columns]
        row = [str(y.sum()), *areas, f"{(p[y] >= WEAK).mean():.1%}"] if y.any() else [""] * 6
        wrong = [f"{(p[~y] >= level).mean():.1%}" for level in (WEAK, STRONG)]
        table.add_row(source, *row, str((~y).sum()), *wrong)
    console.print(table)


def flagged(pairs: list[Pair], found: Numbers, console: Console) -> None:
    """The share of each kind of pair that is flagged."""
    table = Table("source", "kind", "pairs", "flagged", title="Kinds of pairs")
    for key in dict.fromkeys((pair.source, pair.kind) for pair in pairs):
        here = np.array([(pair.source, pair.kind) == key for pair in pairs])
        table.add_row(*key, str(here.sum()), f"{(found[here] >= WEAK).mean():.1%}")
    console.print(table)


def similarity(console: Console) -> None:
    """Pearson's correlation with the grades."""
    model, grades, texts = pair_model(), [], list[str]()
    for one, two, grade in GRADED:
        texts += (one, two)
        grades.append(grade)
    read = model.read_all(texts)
    even = np.arange(0, len(read), 2)
    alike = model.compare_among(read, even, even + 1)
    first, second = embedding()(texts[::2]), embedding()(texts[1::2])
    for name, scores in (
        ("meaning", [likeness.meaning for likeness in alike]),
        ("embedding", (first * second).sum(axis=1)),
        ("Jaccard", [likeness.words for likeness in alike]),
    ):
        r = np.corrcoef(scores, grades)[0, 1]
        console.print(f"similarity of {len(grades)} Portuguese pairs, {name}: Pearson {r:.3f}")


def cost(texts: list[str], console: Console) -> None:
    """Processor time per text of 500 characters, and per pair."""
    model = pair_model()
    long = [(" ".join(texts[n : n + 12]) + " " * 500)[:500] for n in range(0, len(texts), 3)]
    began = time.process_time()
    read = model.read_all(long)
    each = (time.process_time() - began) / len(long)
    places = np.arange(len(long))
    began = time.process_time()
    model.compare_among(read, places[:-1], places[1:])
    pair = (time.process_time() - began) / (len(long) - 1)
    console.print(f"a text of 500 characters: {each * 1e6:.0f} µs to read, {pair * 1e6:.0f} a pair")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Repetitions and follow-up questions.")
    parser.add_argument("--corpus", help="translations")
    parser.add_argument("--most", type=int, default=3_000, help="pairs of a source")
    given = smoke.parse(parser, most=60)
    console, data = Console(width=130), shared_data()
    pairs = [*rewrites(), *chatbots(random.Random(1))]
    if data is None:
        console.print("the development data are not there: only what was written by hand is judged")
    else:
        pairs += [*all_pairs(data, translations(Path(given.corpus or ""))), *spoken(data)]
    pairs = chosen(pairs, given.most)
    found = judged(pairs)
    show(pairs, found, console)
    flagged(pairs, found.same, console)
    similarity(console)
    cost([pair.earlier for pair in pairs][:600], console)


if __name__ == "__main__":
    main()
