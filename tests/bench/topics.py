"""Topics against intents given by hand: `python -m tests.bench.topics [--questions N] [--smoke]`.

Streams of CLINC (150 intents, and out of scope) and Banking77, shuffled, in periods of 30
questions. Printed: adjusted mutual information of the topic a question got when it came, of all and
of the last quarter; microseconds of processor time a question; purity among the first 100 questions
of an intent that appears halfway. Beside it, in the same run: k-means that has all vectors at once
and is told the number of intents, which is what these vectors can give; river's DBSTREAM on the
same vectors and TextClust on the same texts, of as many questions as they manage in ``--seconds``,
beside ours on as many.
"""

from __future__ import annotations

import csv
import json
import random
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from river.cluster import DBSTREAM, TextClust
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score

from agents.common.embedding import embed, words_of
from agents.topics.settings import TopicSettings
from agents.topics.sums import TopicSums
from agents.topics.themes import Themes
from agents.topics.watch import Metric, TopicHealth, is_new
from schemas.samples import Sample
from schemas.topic_rows import OTHER
from tests.bench import smoke

DATA = Path(__file__).parents[3] / "shared" / "data"
AIMS = {"clinc": 0.75, "banking77": 0.70}
PERIOD = 30

Question = tuple[str, str]
"""A text and its intent."""


def clinc(data: Path) -> list[Question]:
    kept = json.loads((data / "clinc_oos" / "data_full.json").read_text())
    return [(text, intent) for part in sorted(kept) for text, intent in kept[part]]


def banking77(data: Path) -> list[Question]:
    found: list[Question] = []
    for part in ("train", "test"):
        with (data / "banking77" / f"{part}.csv").open(newline="") as file:
            found += [(row["text"], row["category"]) for row in csv.DictReader(file)]
    return found


def sample(n: int, question: str) -> Sample:
    return Sample(
        n, f"r{n}", f"s{n}", float(n), "acme", "chat", "m", "m", "", "live", "", "", "stop", "",
        "ok", question, "",
    )  # fmt: skip


def ours(texts: Sequence[str], told: list[str] | None = None) -> list[str]:
    """The topic of each question as it was when it came. ``told``: gets the topics that are told as
    new, looked at every ten periods."""
    themes, found = Themes(TopicSettings()), list[str]()
    for at in range(0, len(texts), PERIOD):
        part = [sample(at + n, text) for n, text in enumerate(texts[at : at + PERIOD])]
        found += themes.take("chat", part)
        themes.take_merged()
        if told is not None and at % (10 * PERIOD) == 0:
            asked = themes.asked["chat"]
            told += [
                name
                for name, theme in themes.of("chat")
                if name not in told and is_new(theme.founded, asked, theme.questions)
            ]
    return found


def offline(texts: Sequence[str], number: int) -> list[str]:
    return [str(n) for n in KMeans(number, n_init=1, random_state=0).fit_predict(embed(texts))]


def dbstream(texts: Sequence[str], seconds: float) -> list[str]:
    model = DBSTREAM(clustering_threshold=0.8, fading_factor=0.001, minimum_weight=1.0)
    vectors = [dict(enumerate(map(float, vector))) for vector in embed(texts)]
    return list(_within(seconds, vectors, model.learn_one, model.predict_one))


def textclust(texts: Sequence[str], seconds: float) -> list[str]:
    model: Any = TextClust(  # type: ignore[no-untyped-call]
        radius=0.5, fading_factor=0.0005, real_time_fading=False
    )
    bags = [Counter(words_of(text)) for text in texts]
    return list(_within(seconds, bags, model.learn_one, model.predict_one))


def _within(
    seconds: float,
    given: Sequence[Mapping[Any, Any]],
    learn: Callable[[Any], object],
    predict: Callable[[Any], int],
) -> Iterator[str]:
    begun = process_time()
    for one in given:
        if process_time() - begun > seconds:
            return
        learn(one)
        yield str(predict(one))


def agreement(questions: Sequence[Question], found: Sequence[str]) -> float:
    intents = [intent for _, intent in questions[: len(found)]]
    return float(adjusted_mutual_info_score(intents, found))


def new_intents(questions: Sequence[Question], intents: int, rng: random.Random) -> str:
    """Of intents that appear after 1,000 questions, 100 among 1,000 others: purity of the topic that
    most of them got (the mean), how many were told as new topics, and how many others were."""
    names = sorted({intent for _, intent in questions})
    shares, right, wrong = [], 0, 0
    for new in rng.sample(names, intents):
        own = [q for q in questions if q[1] == new][:100]
        rest = [q for q in questions if q[1] != new][:2_000]
        after = [*rest[1_000:], *own]
        rng.shuffle(after)
        stream, told = [*rest[:1_000], *after], list[str]()
        found = ours([text for text, _ in stream], told)
        topics = [t for t, (_, intent) in zip(found, stream, strict=True) if intent == new]
        counts = Counter(t for t in topics if t != OTHER)
        topic, size = counts.most_common(1)[0] if counts else ("", 0)
        whole = sum(t == topic for t in found[1_000:])
        shares.append(size / whole if whole else 0.0)
        right += topic in told
        wrong += len(set(told) - {topic})
    return (
        f"purity of a new intent's topic: {np.mean(shares):.2f} (aim 0.8);"
        f" told as new: {right} of {intents}, and {wrong} other topics"
    )


def quiet_and_failing(topics: int, windows: int, rng: np.random.Generator) -> str:
    """False alarms of topics that stay as they are, and windows until one that fails is told: some
    ten sampled calls in five minutes, 2% errors, 3% refusals, costs lognormal; then 20% errors."""
    alarms, delays = 0, []
    for _ in range(topics):
        health, firing = TopicHealth.unknown(), set[Metric]()
        for at in range(windows + 100):
            calls = int(rng.poisson(10))
            share = 0.02 if at < windows else 0.20
            sums = TopicSums(
                calls=calls, priced=calls, spent=float(rng.lognormal(-5, 1, calls).sum())
            )
            sums.failed, sums.refused = (
                int(rng.binomial(calls, share)),
                int(rng.binomial(calls, 0.03)),
            )
            now = {metric for metric, score in health.update(300.0 * at, sums) if score.alarm}
            alarms += len(now - firing) if at < windows else 0
            firing = now
            if at >= windows and "errors" in now:
                delays.append(at - windows + 1)
                break
    return (
        f"{alarms} false alarms in {topics * windows:,} windows of quiet topics; of ten times the"
        f" errors {len(delays)} of {topics} told, after {np.median(delays or [0]):.0f} windows"
    )


def measure(name: str, questions: Sequence[Question], seconds: float, intents: int) -> None:
    texts, number = [text for text, _ in questions], len({intent for _, intent in questions})
    table = Table("method", "questions", "AMI", "last quarter", "us a question", title=name)

    def line(method: str, run: Callable[[], list[str]]) -> int:
        begun = process_time()
        found = run()
        cost = (process_time() - begun) / max(len(found), 1) * 1e6
        last = 3 * len(found) // 4
        table.add_row(
            method,
            f"{len(found):,}",
            f"{agreement(questions, found):.3f}",
            f"{agreement(questions[last:], found[last:]):.3f}",
            f"{cost:.0f}",
        )
        return len(found)

    line(f"ours (aim {AIMS[name]})", lambda: ours(texts))
    line("k-means, all at once, true k", lambda: offline(texts, number))
    few = line("DBSTREAM", lambda: dbstream(texts, seconds))
    line("ours, as many", lambda: ours(texts[:few]))
    few = line("TextClust", lambda: textclust(texts, seconds))
    line("ours, as many", lambda: ours(texts[:few]))
    Console().print(table)
    told: list[str] = []
    ours(texts, told)
    print(f"told as new in a stream that stays as it is: {len(told)} in {len(texts):,} questions")
    print(new_intents(questions, intents, random.Random(2)))


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--questions", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--intents", type=int, default=10)
    parser.add_argument("--topics", type=int, default=40)
    parser.add_argument("--windows", type=int, default=2_016)
    parser.add_argument("--data", type=Path, default=DATA)
    given = smoke.parse(parser, questions=300, seconds=0.5, intents=1, topics=1, windows=50)
    if not given.data.is_dir():
        print(f"skipped: there is no {given.data}")
        return
    for name, read in (("clinc", clinc), ("banking77", banking77)):
        questions = read(given.data)
        random.Random(1).shuffle(questions)
        measure(name, questions[: given.questions], given.seconds, given.intents)
    print(quiet_and_failing(given.topics, given.windows, np.random.default_rng(3)))


if __name__ == "__main__":
    main()
