"""Makes ``agents/labels/model.npz``. Run: `python -m training.labels.train CORPUS`, with what ``corpus.py`` wrote.

1. *Rarity*: inverse document frequency of every bucket over the questions and the grammar's sentences.
2. *Tone*: logistic regressions of complaint, acceptance and next step on the grammar's sentences and half of iard, against questions.

Deterministic: fixed seeds, one thread. Held-out intents and the benchmark's sentences are not seen.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from agents.labels.text import BUCKETS, MODEL, TONES, Counted, count_all, weigh
from training.labels import grammar
from training.labels.corpus import read, taught, training_part

SEED = 6
_KEYS = ("en", "pt", "en2", "pt2")


def sentences(templates: Mapping[str, tuple[str, ...]], topics: dict[str, list[str]], each: int, chance: random.Random) -> list[str]:
    """Sentences of both languages, ``each`` of every template, some disturbed; each once."""
    found: dict[str, None] = {}
    for language, patterns in templates.items():
        for pattern in patterns:
            for _ in range(each):
                topic = grammar.topic_of(chance.choice(topics[language]), chance)
                sentence = grammar.expand(pattern, topic, chance)
                found[grammar.disturb(sentence, chance) if chance.random() < 0.3 else sentence] = None
    return list(found)


def tones(
    questions: list[Counted], said: list[Counted], names: list[str], rarity: NDArray[np.float32]
) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """A weight per bucket for each of ``TONES``, and their biases; questions have none of them."""
    x = weigh(questions + said, rarity)[0]
    names = [""] * len(questions) + names
    tone, bias = np.zeros((BUCKETS, len(TONES)), np.float16), np.zeros(len(TONES), np.float32)
    for index, name in enumerate(TONES):
        fitted = LogisticRegression(C=3.0, max_iter=300, class_weight="balanced").fit(x, [n == name for n in names])
        tone[:, index], bias[index] = fitted.coef_[0], fitted.intercept_[0]
    return tone, bias


def main(corpus: str) -> None:
    chance = random.Random(SEED)
    everything = read(Path(corpus))
    records = training_part(everything)
    tasks = [record for record in everything if record["set"] == "mt_bench_training"]
    heard = [record for record in everything if record["set"] == "iard_training"]
    topics = {language: [record[language] for record in records] for language in ("en", "pt")}
    counted = count_all([record[key] for record in records for key in _KEYS if key in record])
    asked = count_all([record[key] for record in taught(everything) for key in _KEYS if key in record])
    classes = {
        "complaint": sentences(grammar.COMPLAINTS, topics, 250, chance),
        "acceptance": sentences(grammar.ACCEPTANCES, topics, 300, chance),
        "next": sentences(grammar.NEXT, topics, 250, chance),
    }
    said = [(sentence, name) for name, found in classes.items() for sentence in found]
    # What people say of a film is not what they say of an answer, but they are people: each act counts.
    said += [(record[language], record["intent"]) for record in heard for language in ("en", "pt")]
    said += [(record[language], "next") for record in tasks[1::2] for language in ("en", "pt")]
    counted_said = count_all([sentence for sentence, _ in said])
    documents = np.zeros(BUCKETS)
    for item in asked + counted_said:
        documents[item.buckets] += 1
    rarity = (np.log((1 + len(asked)) / (1 + documents)) + 0.3).clip(0.3, 7).astype(np.float16).astype(np.float32)
    tone, bias = tones(counted, counted_said, [name for _, name in said], rarity)
    np.savez_compressed(MODEL, allow_pickle=False, rarity=rarity.astype(np.float16), tone=tone, tone_bias=bias)
    print(f"{len(asked)} questions, {len(said)} sentences; {MODEL.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
