"""Makes ``agents/labels/model.npz``. Run: `python -m training.labels.train CORPUS VECTORS`, with what ``corpus.py`` and
``teacher.py`` wrote.

1. *Rarity*: inverse document frequency of every bucket over the questions and the grammar's sentences.
2. *Meaning*: a linear map from buckets to the main components of a sentence encoder's vectors (``teacher.py``), by ridge regression: the
   sum of a sentence's words, their beginnings and n-grams shall lie where the encoder puts it (distillation of an encoder to static
   vectors, as in Gupta & Jaggi 2021). A Portuguese sentence has the vector of the English one that it translates (Reimers & Gurevych 2020).
3. *Tone*: logistic regressions of complaint, acceptance and next step on the grammar's sentences and half of iard, against questions.
4. *Repetition*: a net with 16 tanh units on the features of a pair. The same: paraphrases (back-translation), questions disturbed or
   asked again, questions of one intent, questions that lean on the conversation and the same standing alone. Not the same: other intents,
   half of them of the same domain, refinements, next steps, complaints.

Deterministic: fixed seeds, one thread. Held-out intents and the benchmark's sentences are not seen.
"""

from __future__ import annotations

import random
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from agents.labels import text as texts
from agents.labels.text import BUCKETS, MODEL, TONES, Counted, TextModel, count_all, weigh
from training.labels import grammar
from training.labels.corpus import domains_of, read, shared_data, taught, training_part
from training.labels.teacher import english

SEED = 6
DIMENSIONS = 128
PENALTY = 1.0
STEPS = 12
"""Of conjugate gradients: to stop early regularises too."""
LEVELS = 31
"""Of a weight's size: finer ones find nothing more, and the file is a quarter larger."""
Record = dict[str, Any]


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


def pairs(records: list[Record], domains: dict[str, str], chance: random.Random) -> list[tuple[str, str, int, float]]:
    """(earlier, later, same, weight)."""
    found: list[tuple[str, str, int, float]] = []
    by_intent = defaultdict(list)
    for record in records:
        by_intent[record["intent"]].append(record)
    intents = sorted(by_intent)
    near = {intent: [i for i in intents if i != intent and domains.get(i) == domains.get(intent)] or intents for intent in intents}
    for language, other in (("en", "pt"), ("pt", "en")):
        again, back = f"{language}2", chance.random
        for record in records:
            question, same = record[language], chance.choice(by_intent[record["intent"]])[language]
            far = chance.choice(by_intent[chance.choice([i for i in intents if i != record["intent"]])])
            close = chance.choice(by_intent[chance.choice(near[record["intent"]])])
            paraphrase = str(record.get(again, same))
            if paraphrase.lower() != question.lower():
                found.append(
                    (question, grammar.disturb(paraphrase, chance) if back() < 0.3 else paraphrase, 1, 1.0 if again in record else 0.5)
                )
            found.append(
                (question, grammar.expand(chance.choice(grammar.AGAIN[language]), grammar.disturb(question, chance), chance), 1, 0.5)
            )
            if same != question:
                found.append((question, same, 1, 1.0))
                wrapped = grammar.expand(chance.choice(grammar.AGAIN[language]), same, chance)
                found.append((question, wrapped, 1, 0.5))
            found.append((question, far[language], 0, 1.0))
            found.append((question, close[language], 0, 1.0))
            found.append((question, grammar.expand(chance.choice(grammar.AGAIN[language]), far[language], chance), 0, 0.5))
            leaning = grammar.lean(question, language, chance)
            found.append((leaning, question if back() < 0.5 else paraphrase, 1, 0.5))
            found.append((leaning, chance.choice((far, close))[language], 0, 0.5))
            topic = grammar.topic_of(question, chance)
            for templates, weight in ((grammar.REFINED, 0.5), (grammar.NEXT, 1.5), (grammar.COMPLAINTS, 0.2), (grammar.ACCEPTANCES, 0.2)):
                found.append(
                    (
                        question,
                        grammar.expand(chance.choice(templates[language]), topic if templates is not grammar.REFINED else question, chance),
                        0,
                        weight,
                    )
                )
            # A long question, as people write who explain themselves, and what they ask next: some of its words return.
            long = f"{question}. {far[language]} {close[language]}"
            middle = grammar.topic_of(far[language], chance)
            found.append((long, grammar.expand(chance.choice(grammar.NEXT[language]), middle, chance), 0, 0.5))
            following = [
                grammar.expand(chance.choice(grammar.NEXT[language]), topic, chance)
                for topic in (middle, grammar.topic_of(question, chance))
            ]
            found.append((long, ". ".join(following), 0, 0.5))
            if again in record:
                found.append((long, f"{record[again]}. {far.get(again, far[language])} {close.get(again, close[language])}", 1, 0.3))
                found.append((long, record[again], 1, 0.2))
            if any(map(str.isdigit, question)):
                found.append((question, re.sub(r"\d+", lambda _: str(chance.randrange(2, 99)), paraphrase), 0, 1.0))
            if back() < 0.3:
                found.append((question, record[other], 1, 0.5))
                found.append((question, far[other], 0, 0.5))
    return found


class Taught(NamedTuple):
    """What a text means, as the teacher sees it."""

    text: str
    vector: NDArray[np.float32]
    intent: str
    """Empty if it has none."""


def lessons(records: list[Record], vectors: NDArray[np.float32]) -> list[Taught]:
    """Texts in both languages, with the main components of their English sentence's vector."""
    centred = vectors - vectors.mean(axis=0)
    components = np.linalg.svd(centred.T @ centred)[0][:, :DIMENSIONS]
    of = dict(zip(english(records), centred @ components, strict=True))
    found = []
    for record in taught(records):
        intent = "" if record["set"] == "iard_training" else record["intent"]
        for number in ("", "2"):
            if f"en{number}" in record:
                vector = of[record[f"en{number}"]]
                found += [Taught(record[f"{language}{number}"], vector, intent) for language in ("en", "pt")]
    return found


def projection(lessons: list[Taught], counted: list[Counted], rarity: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """From buckets to what a text means; as whole numbers, and what to multiply each dimension by. Ridge regression by conjugate gradients
    (Hestenes & Stiefel 1952), preconditioned by the diagonal, all dimensions at once."""
    importance = np.array([1.0 if lesson.intent else 0.5 for lesson in lessons], np.float32)
    x = weigh(counted, rarity)[0].multiply(importance[:, None]).tocsr()
    y = np.array([lesson.vector for lesson in lessons], np.float32) * importance[:, None]
    transposed = x.T.tocsr()
    diagonal = np.asarray(x.multiply(x).sum(axis=0)).reshape(-1, 1) + PENALTY
    meaning = np.zeros((BUCKETS, y.shape[1]), np.float32)
    residual = transposed @ y
    direction = preconditioned = residual / diagonal
    fit = (residual * preconditioned).sum(axis=0)
    for _ in range(STEPS):
        image = transposed @ (x @ direction) + PENALTY * direction
        step = fit / (direction * image).sum(axis=0)
        meaning += step * direction
        residual -= step * image
        preconditioned = residual / diagonal
        fit, before = (residual * preconditioned).sum(axis=0), fit
        direction = preconditioned + fit / before * direction
    scale = np.abs(meaning).max(axis=0) / LEVELS
    return np.round(meaning / scale).astype(np.int8), scale.astype(np.float32)


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


def features_of(model: TextModel, pairs: list[tuple[str, str, int, float]]) -> NDArray[np.float64]:
    return model.pairs(model.read_all([a for a, *_ in pairs]), model.read_all([b for _, b, *_ in pairs]))


def packed(arrays: dict[str, NDArray[Any]]) -> BytesIO:
    """The arrays as a file that cannot run code."""
    file = BytesIO()
    np.savez_compressed(
        file, allow_pickle=False, **{name: a.astype(np.float32) if a.dtype == np.float64 else a for name, a in arrays.items()}
    )
    file.seek(0)
    return file


def held_out_fold(records: list[Record], fold: int) -> set[str]:
    """Every second intent."""
    return set(sorted({record["intent"] for record in records})[fold::2])


def main(corpus: str, vectors: str) -> None:
    chance = random.Random(SEED)
    data = shared_data()
    if data is None:
        raise SystemExit("The development data are not there; set MIRANTE_SHARED to the folder that holds `data`.")
    everything = read(Path(corpus))
    records, domains = training_part(everything), domains_of(data)
    tasks = [record for record in everything if record["set"] == "mt_bench_training"]
    heard = [record for record in everything if record["set"] == "iard_training"]
    topics = {language: [record[language] for record in records] for language in ("en", "pt")}
    questions = [(record[key], record["intent"]) for record in records for key in ("en", "pt", "en2", "pt2") if key in record]
    counted = count_all([text for text, _ in questions])
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

    learned = lessons(everything, np.load(vectors, allow_pickle=False).astype(np.float32))
    counted_learned = count_all([lesson.text for lesson in learned])

    documents = np.zeros(BUCKETS)
    asked = [item for item, lesson in zip(counted_learned, learned, strict=True) if lesson.intent]
    for item in asked + counted_said:
        documents[item.buckets] += 1
    rarity = (np.log((1 + len(asked)) / (1 + documents)) + 0.3).clip(0.3, 7).astype(np.float16).astype(np.float32)

    meaning, scale = projection(learned, counted_learned, rarity)

    tone, bias = tones(counted, counted_said, [name for _, name in said], rarity)

    arrays: dict[str, NDArray[Any]] = {
        "rarity": rarity.astype(np.float16), "meaning": meaning, "meaning_scale": scale,
        "tone": tone, "tone_bias": bias,
        "hidden": np.zeros((len(texts.PAIR_FEATURES), 1)), "hidden_bias": np.zeros(1), "out": np.zeros((1, 1)), "out_bias": np.zeros(1),
        "pair_mean": np.zeros(len(texts.PAIR_FEATURES)), "pair_scale": np.ones(len(texts.PAIR_FEATURES)),
    }  # fmt: skip
    # A projection knows the sentences it was made for better than others, and so does the tone. So the net learns from what they make of
    # intents that are strange to them.
    examples: list[tuple[str, str, int, float]] = []
    features: list[NDArray[np.float64]] = []
    for fold in (0, 1):
        strange = held_out_fold(records, fold)
        kept = [at for at, lesson in enumerate(learned) if lesson.intent not in strange]
        part, part_scale = projection([learned[at] for at in kept], [counted_learned[at] for at in kept], rarity)
        known = [at for at, (_, intent) in enumerate(questions) if intent not in strange]
        part_tone, part_bias = tones([counted[at] for at in known], counted_said[::2], [name for _, name in said[::2]], rarity)
        model = TextModel(packed(arrays | {"meaning": part, "meaning_scale": part_scale, "tone": part_tone, "tone_bias": part_bias}))
        found = pairs([record for record in records if record["intent"] in strange], domains, chance)
        examples += found
        features.append(features_of(model, found))
    # Long tasks and what is asked next; every task stands for many.
    for first, second in zip(tasks[::2], tasks[1::2], strict=True):
        for language in ("en", "pt"):
            found = [(first[language], second[language], 0, 8.0), (first[language], first[f"{language}2"], 1, 4.0)]
            found.append((second[language], second[f"{language}2"], 1, 2.0))
            examples += found
            features.append(features_of(model, found))
    same = np.array([s for _, _, s, _ in examples])
    weights = np.array([w for *_, w in examples])
    x = np.concatenate(features)
    mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-6
    net = MLPClassifier((16,), activation="tanh", alpha=1.0, max_iter=40, batch_size=500, random_state=SEED, early_stopping=False)
    net.fit((x - mean) / spread, same, sample_weight=weights / weights.mean())
    arrays |= {
        "hidden": net.coefs_[0], "hidden_bias": net.intercepts_[0], "out": net.coefs_[1], "out_bias": net.intercepts_[1],
        "pair_mean": mean, "pair_scale": spread,
    }  # fmt: skip
    MODEL.write_bytes(packed(arrays).getbuffer())
    size = MODEL.stat().st_size / 1e6
    print(f"{len(learned)} texts taught, {len(questions)} questions, {len(said)} sentences, {len(examples)} pairs; {size:.1f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
