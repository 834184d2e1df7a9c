"""How well labels tell what users thought. Run it: `python -m tests.bench.labels [--corpus FILE] [--answers N]`.

*Signals*: each inferred signal on text that was not trained on, in English and Portuguese, beside baselines on the same text: regular
expressions in the style of LiteLLM's router, Jaccard similarity of words, and character n-gram TF-IDF. Hand-written conversations are in
``labels_data.py``, rewrites and utterances of chatbots in ``labels_rewrites.py``; with ``--corpus`` (made by
`python -m training.labels.corpus`) also intents of clinc_oos and banking77 that were
held out ("same request": two questions of one intent against questions of two), paraphrases by back-translation, second turns of mt_bench
that were held out, and what users say in the dialogues of iard that were held out. Portuguese of these is machine translation.

*Labels*: simulated users with hidden satisfaction, whose habits differ from what the model assumes at first, go through the agent's state;
the second half of the answers is judged by their final labels. Single signals and "last explicit feedback wins" see the same.

*Time*: per turn, everything the agent does.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import permutations
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer

from agents.common.label_settings import LabelSettings
from agents.labels.detectors import WEAK, MessageReader, Tone, TopicChange
from agents.labels.state import LabelsState
from agents.labels.wording import words_of
from schemas.outputs import Label
from schemas.turns import FeedbackSignal, Turn, Turns
from streams.effects import Effects
from tests.bench import smoke
from tests.bench.labels_data import ACCEPTANCES, COMPLAINTS, FEATURES, Known, Triple, reactions, triples, users
from tests.bench.labels_rewrites import CHATBOT, blocks, conversations
from tests.bench.labels_talks import Listening
from tests.unit.builders import FakeBatch
from tests.unit.builders import Record as KafkaRecord
from training.labels.corpus import Record, benchmark_part, read

MISALIGNED = re.compile(
    r"\b(no,? i meant|i meant|that'?s (not|wrong)|not what i|you misunderstood|wrong|incorrect|try again"
    r"|still (not|doesn'?t)|doesn'?t work)\b",
    re.I,
)
SATISFIED = re.compile(r"\b(thanks|thank you|perfect|great|awesome|works|that worked|exactly|solved)\b", re.I)
"""In the style of LiteLLM's adaptive router: English phrases, whatever the language of the text."""


def area(scores: Sequence[float], truth: Sequence[bool]) -> float:
    """The area under the ROC curve: how often a positive has the larger score; ties count half."""
    values, y = np.asarray(scores, float), np.asarray(truth, bool)
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives, negatives = int(y.sum()), int((~y).sum())
    return float((ranks[y].sum() - positives * (positives + 1) / 2) / (positives * negatives)) if positives and negatives else float("nan")


def jaccard(first: str, second: str) -> float:
    a, b = set(words_of(first)), set(words_of(second))
    return len(a & b) / len(a | b) if a | b else 0.0


def character_tfidf(pairs: Sequence[tuple[str, str, bool]]) -> list[float]:
    """Cosines of scikit-learn's plain TF-IDF of character n-grams, fitted to the very texts that are compared."""
    earlier, later = [a for a, *_ in pairs], [b for _, b, _ in pairs]
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True).fit(dict.fromkeys(earlier + later))
    cosines = vectors.transform(earlier).multiply(vectors.transform(later)).sum(axis=1)
    return [float(cosine) for cosine in np.asarray(cosines)[:, 0]]


class Signals:
    """The table of inferred signals."""

    def __init__(self) -> None:
        self.reader = MessageReader()
        self.tone = Tone(self.reader)
        self.topic = TopicChange(self.reader)
        self.table = Table(title="Inferred signals, on text that was not trained on")
        for column in ("signal", "data", "language", "positive", "negative", "precision", "recall", "F1", "AUC", "baselines (AUC)"):
            self.table.add_column(column, justify="left" if column in ("signal", "data", "baselines (AUC)") else "right")

    def add(self, signal: str, data: str, language: str, scores: Sequence[float], truth: Sequence[bool], baselines: str) -> None:
        y, said = np.asarray(truth, bool), np.asarray(scores) >= WEAK
        hits = int((y & said).sum())
        precision, recall = hits / max(int(said.sum()), 1), hits / max(int(y.sum()), 1)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        self.table.add_row(
            signal, data, language, str(y.sum()), str((~y).sum()), f"{precision:.2f}", f"{recall:.2f}", f"{f1:.2f}",
            f"{area(scores, truth):.3f}", baselines,
        )  # fmt: skip

    def reformulation(self, data: str, language: str, same: Iterable[tuple[str, str]], different: Iterable[tuple[str, str]]) -> None:
        pairs = [(*pair, True) for pair in same] + [(*pair, False) for pair in different]
        truth = [y for *_, y in pairs]
        model = self.reader.model
        texts = model.read_all([text for a, b, _ in pairs for text in (a, b)])
        even = np.arange(0, len(texts), 2)
        likenesses = model.compare_among(texts, even, even + 1)
        words = [jaccard(a, b) for a, b, _ in pairs]
        regex = [float(bool(MISALIGNED.search(b))) for _, b, _ in pairs]
        baselines = f"TF-IDF {area(character_tfidf(pairs), truth):.3f}, Jaccard {area(words, truth):.3f}, regex {area(regex, truth):.3f}"
        self.add("reformulation", data, language, [likeness.same for likeness in likenesses], truth, baselines)

    def reaction(self, signal: str, data: str, language: str, positive: Sequence[str], negative: Sequence[str]) -> None:
        texts, truth = [*positive, *negative], [True] * len(positive) + [False] * len(negative)
        index, pattern = (0, MISALIGNED) if signal == "complaint" else (1, SATISFIED)
        regex = [float(bool(pattern.search(text))) for text in texts]
        scores = [self.tone.probabilities(text)[index] for text in texts]
        self.add(signal, data, language, scores, truth, f"regex {area(regex, truth):.3f}")

    def written(self) -> None:
        for language in ("en", "pt"):
            found = triples(language)
            chance = random.Random(1)
            same = [(t.question, t.again) for t in found] + [(t.again, t.question) for t in found]
            further = [(t.question, t.further) for t in found]
            other = [(t.question, chance.choice([o for o in found if o is not t]).again) for t in found]
            self.reformulation("written: against next steps and refinements", language, same, further)
            self.reformulation("written: against those and other questions", language, same, further + other)
            bad, good = reactions(COMPLAINTS, language), reactions(ACCEPTANCES, language)
            questions = [t.question for t in found] + [t.again for t in found] + [t.further for t in found]
            self.reaction("complaint", "written: against questions, next steps, acceptance", language, bad, questions + good)
            self.reaction("acceptance", "written: against questions, next steps, complaints", language, good, questions + bad)
            changed = [(t.question, chance.choice([o for o in found if o is not t]).question) for t in found for _ in range(3)]
            stayed = same + further + [(t.question, text) for t in found for text in (chance.choice(bad), chance.choice(good))]
            scores = [float(self.topic.changed(a, b)) for a, b in changed + stayed]
            truth = [True] * len(changed) + [False] * len(stayed)
            self.add(
                "topic_change",
                "written",
                language,
                scores,
                truth,
                f"Jaccard {area([-jaccard(a, b) for a, b in changed + stayed], truth):.3f}",
            )

    def rewritten(self) -> None:
        """Rewrites of questions of conversations, and utterances of chatbots, both in ``labels_rewrites.py``."""
        for language in ("en", "pt"):
            chance = random.Random(4)
            talks = conversations(language)
            same = [pair for talk in talks for pair in talk]
            others = [
                (question, chance.choice(chance.choice([t for t in talks if t is not talk]))[1]) for talk in talks for question, _ in talk
            ]
            own = [(question, chance.choice([r for q, r in talk if q != question])) for talk in talks for question, _ in talk]
            self.reformulation("rewrites: against other conversations", language, same, others)
            self.reformulation("rewrites: against the same conversation", language, same, own)
        chance = random.Random(5)
        intents = blocks(CHATBOT)
        alike = [pair for intent in intents for pair in permutations(intent, 2)]
        apart = [(text, chance.choice(chance.choice([i for i in intents if i is not intent]))) for intent in intents for text in intent * 3]
        self.reformulation("chatbots: same request", "pt", alike, apart)

    def public(self, records: list[Record]) -> None:
        for name in ("clinc", "banking"):
            rows = [record for record in benchmark_part(records) if record["set"] == name]
            by_intent = defaultdict(list)
            for record in rows:
                by_intent[record["intent"]].append(record)
            intents = sorted(by_intent)
            for language in ("en", "pt"):
                chance = random.Random(2)
                different = [
                    (r[language], chance.choice(by_intent[chance.choice([i for i in intents if i != r["intent"]])])[language]) for r in rows
                ]
                same = [(r[language], chance.choice([o for o in by_intent[r["intent"]] if o is not r])[language]) for r in rows]
                again = [
                    (r[language], r[f"{language}2"])
                    for r in rows
                    if f"{language}2" in r and r[language].lower() != r[f"{language}2"].lower()
                ]
                self.reformulation(f"{name}, intents held out: same request", language, same, different)
                self.reformulation(f"{name}: paraphrase by back-translation", language, again, different)
        turns = [record for record in records if record["set"] == "mt_bench"]
        for language in ("en", "pt"):
            steps = [(turns[n][language], turns[n + 1][language]) for n in range(0, len(turns), 2)]
            repeated = [(t.question, t.again) for t in triples(language)]
            self.reformulation("written, against second turns of mt_bench", language, repeated, steps)

    def dialogues(self, records: list[Record]) -> None:
        """iard, dialogues held out: what seekers say of a recommendation, without those who do both."""
        for language in ("en", "pt"):
            said = defaultdict(list)
            for record in records:
                if record["set"] == "iard":
                    said[record["intent"]].append(record[language])
            for signal, opposite in (("complaint", "acceptance"), ("acceptance", "complaint")):
                self.reaction(signal, f"iard: against {opposite}", language, said[signal], said[opposite])
                self.reaction(signal, "iard: against all others", language, said[signal], said[opposite] + said["other"])


def simulate(count: int) -> tuple[dict[str, Label], dict[str, Known], Listening, float, list[bytes]]:
    """(final labels, truth, state, microseconds per turn, sums for the agent ``satisfaction``) after simulated users."""
    state = Listening(LabelSettings(settle=0.0))
    effects = Effects()
    pools: dict[str, Sequence[Triple]] = {language: triples(language) for language in ("en", "pt")}
    items: list[tuple[float, Turn | FeedbackSignal]] = []
    truth: dict[str, Known] = {}
    for found, known in users(count, 3, pools):
        items += found
        truth |= known
    items.sort(key=lambda item: item[0])
    values = []
    for at in range(0, len(items), 100):
        part = items[at : at + 100]
        turns = [item for _, item in part if isinstance(item, Turn)]
        signals = [item for _, item in part if isinstance(item, FeedbackSignal)]
        values.append(msgspec.msgpack.encode(Turns("bench", 0, part[-1][0], False, turns, signals)))
    values.append(msgspec.msgpack.encode(Turns("bench", 0, items[-1][0] + 10_000, False)))
    began = time.process_time()
    for n, value in enumerate(values):
        state.apply(FakeBatch("turns", 0, [KafkaRecord("turns", 0, n, 0, None, value, ())], n + 1), effects)
        state.changes()
    spent = (time.process_time() - began) / len(truth) * 1e6
    labels: dict[str, Label] = {}
    for message in effects.messages:
        if message.topic != "labels":
            continue
        label = msgspec.json.decode(message.value, type=Label)
        labels[label.response_id] = label
    return labels, truth, state, spent, [message.value for message in effects.messages if message.topic == "satisfaction"]


def judged(labels: dict[str, Label], truth: dict[str, Known], console: Console) -> None:
    half = list(truth)[len(truth) // 2 :]
    y = [truth[a].satisfied for a in half]
    scores = [labels[a].score for a in half]
    table = Table(title=f"Final labels of {len(half)} answers of simulated users; {np.mean(y):.0%} satisfied")
    for column in ("who judges", "AUC", "AUC without explicit feedback", "Brier"):
        table.add_column(column, justify="left" if column == "who judges" else "right")
    silent = [n for n, a in enumerate(half) if truth[a].thumb is None]

    def add(name: str, values: Sequence[float], brier: bool = False) -> None:
        without = area([values[n] for n in silent], [y[n] for n in silent])
        squared = f"{np.mean((np.asarray(values) - np.asarray(y)) ** 2):.3f}" if brier else "-"
        table.add_row(name, f"{area(values, y):.3f}", f"{without:.3f}", squared)

    add("Mirante", scores, brier=True)
    best = [1 / (1 + float(np.exp(-truth[a].odds()))) for a in half]
    add("someone who knows every habit and understands every text", best, brier=True)
    base = float(np.mean([known.satisfied for known in truth.values()]))
    add("always the share of satisfied users", [base] * len(y), brier=True)
    add("last explicit feedback wins", [base if (t := truth[a].thumb) is None else t for a in half], brier=True)
    regex: Callable[[str], float] = lambda text: bool(SATISFIED.search(text)) - float(bool(MISALIGNED.search(text)))  # noqa: E731
    add("regular expressions on the next message", [regex(truth[a].following) for a in half])
    add("Jaccard with the next message", [-jaccard(truth[a].question, truth[a].following) for a in half])
    kinds = (
        "reformulation",
        "complaint",
        "acceptance",
        "topic_change",
        "session_end",
        "thumbs_up",
        "thumbs_down",
        "copy",
        "edit",
        "dwell",
        "regenerate",
    )
    for kind in kinds:
        weights = [sum(s.weight for s in labels[a].signals if s.kind == kind) for a in half]
        add(f"only {kind}", weights)
    console.print(table)
    bins = Table(title="Calibration: how many of the answers with such a score did satisfy")
    for column in ("score", "answers", "mean score", "satisfied"):
        bins.add_column(column, justify="right")
    for at in range(10):
        inside = [n for n, s in enumerate(scores) if at / 10 <= s < (at + 1) / 10 or (at == 9 and s == 1)]
        if inside:
            bins.add_row(
                f"{at / 10:.1f}", str(len(inside)), f"{np.mean([scores[n] for n in inside]):.3f}", f"{np.mean([y[n] for n in inside]):.3f}"
            )
    console.print(bins)


def weights(state: LabelsState, console: Console) -> None:
    table = Table(title="Learned weights, in log-odds: what a signal adds")
    for column in ("feature", "signal", "learned", "true"):
        table.add_column(column)
    for feature, habits in FEATURES.items():
        for kind, (yes, no) in (("copy", habits.copy), ("regenerate", habits.regenerate)):
            learned = state.model.weight(f"t\n{feature}", f"{kind}:")
            true = np.log(yes / no) - np.log((1 - yes) / (1 - no))
            table.add_row(feature, kind, f"{learned:.2f}", f"{true:.2f}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--corpus", type=Path, help="file written by `python -m training.labels.corpus`")
    parser.add_argument("--answers", type=int, default=20_000, help="answers of simulated users")
    given = smoke.parse(parser, answers=200)
    console = Console(width=200)
    signals = Signals()
    signals.written()
    signals.rewritten()
    if given.corpus is not None:
        records = read(given.corpus)
        signals.public(records)
        signals.dialogues(records)
    else:
        console.print("No --corpus: clinc_oos, banking77, mt_bench and iard are left out.")
    console.print(signals.table)
    labels, truth, state, spent, _ = simulate(given.answers)
    judged(labels, truth, console)
    weights(state, console)
    questions = [text for language in ("en", "pt") for triple in triples(language) for text in triple]
    began = time.process_time()
    read_ = signals.reader.model.read_all(questions * 5)
    reading = (time.process_time() - began) / len(read_) * 1e6
    began = time.process_time()
    places = np.arange(len(read_))
    signals.reader.model.compare_among(read_, places[:-1], places[1:])
    comparing = (time.process_time() - began) / len(read_) * 1e6
    alike = f"{comparing:.0f} µs to compare it with an earlier one (4 at most)"
    console.print(f"Detection, hundreds at once: {reading:.0f} µs to read a turn, {alike}")
    console.print(f"{spent:.0f} µs per turn, with its feedback, its labels and the changes of the state")


if __name__ == "__main__":
    main()
