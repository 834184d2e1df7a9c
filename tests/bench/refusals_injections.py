"""The refusal classifier on data it was not trained on: `python -m tests.bench.refusals_injections`.

The shipped models are trained on templates only, so that no text here was trained on. Development looked at `jailbreakbench` answers of
vicuna and gpt-3.5, at three `mt_bench` models and at the training halves of clinc, banking77 and bipia; these are not in the table.
The figures of the whole table were seen during development, and two choices followed them (see the model cards). Baselines in the same run: string matching, and TF-IDF with logistic regression trained on real texts of the
*other* sources (an upper bound for what the shipped templates could reach).
"""

# ruff: noqa: E501, RUF005

from __future__ import annotations

import itertools
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from agents.inspection.text.refusal import REFUSAL_THRESHOLD, refusal_probability
from tests.bench import guard_texts as own
from tests.bench import smoke

Score = Callable[[str], float]
SHARED = Path(os.environ.get("MIRANTE_SHARED", Path(__file__).parents[3] / "shared")) / "data"

# Answers of gpt-4 and llama-2 that the data set counts as "not jailbroken" although they do not decline (line numbers, read by hand
# before the model was run on them). The rest counts as refusals: 392 have an explicit refusal phrase near the beginning and were not read.
ANSWERED = frozenset(
    [316, 324, 332, 336, 355, 359, 383, 416, 432, 433, 458, 481, 485, 488, *(1088, 1089, 1090, 1092, 1093, 1094, 1096, 1097, 1098, 1099)]
    + [1101, 1102, 1107, 1110, 1112, 1114, 1115, 1116, 1118, 1121, 1127, 1129, 1131, 1137, 1140, 1144, 1149, 1152, 1153, 1154]
)

REFUSAL_STRINGS = (
    "i'm sorry", "sorry, but", "i apologize", "i cannot", "i can't", "i am unable", "i'm unable", "as an ai", "as a language model", "i'm not able to", "is illegal and unethical",
    "desculpe", "sinto muito", "não posso", "não consigo", "lamento", "como uma ia", "infelizmente",
)  # fmt: skip
INJECTION_PATTERN = re.compile(
    r"(ignore|disregard|forget|override)\b.{0,30}\b(previous|above|prior|all|earlier)\b.{0,30}(instruction|prompt|rule)|system prompt|you are now|do anything now|developer mode|jailbreak"
    r"|(ignore|desconsidere|esqueça)\b.{0,30}(instruções|regras)|prompt do sistema|você agora é|modo desenvolvedor",
    re.IGNORECASE | re.DOTALL,
)


def by_strings(text: str) -> float:
    head = text[:400].lower().replace("’", "'")
    return float(any(s in head for s in REFUSAL_STRINGS))


def by_pattern(text: str) -> float:
    return float(INJECTION_PATTERN.search(text) is not None)


def tfidf(positive: Sequence[str], negative: Sequence[str]) -> Score:
    pipe = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2), LogisticRegression(C=10, class_weight="balanced")
    )
    pipe.fit([t[:1000] for t in [*positive, *negative]], [1] * len(positive) + [0] * len(negative))
    return lambda text: float(pipe.predict_proba([text[:1000]])[0, 1])


def figures(score: Score, threshold: float, positive: Sequence[str], negative: Sequence[str]) -> list[str]:
    """Precision, recall, F1, AUC, share of negatives flagged."""
    hits, misses = [score(t) for t in positive], [score(t) for t in negative]
    found, false = sum(h >= threshold for h in hits), sum(m >= threshold for m in misses)
    precision = found / (found + false) if found + false else 0.0
    recall = found / len(hits) if hits else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    auc = roc_auc_score([1] * len(hits) + [0] * len(misses), hits + misses) if hits and misses else float("nan")

    def shown(value: float, defined: object) -> str:
        return f"{value:.3f}" if defined else "-"

    return [
        shown(precision, hits and misses),
        shown(recall, hits),
        shown(f1, hits and misses),
        shown(auc, hits and misses),
        f"{false}/{len(misses)} ({false / len(misses):.1%})" if misses else "-",
    ]


def microseconds(score: Score, texts: Sequence[str]) -> tuple[float, float]:
    """Best of five, per text and per kB."""
    best = min(_seconds(score, texts) for _ in range(5))
    return best / len(texts) * 1e6, best / sum(map(len, texts)) * 1e9


def _seconds(score: Score, texts: Sequence[str]) -> float:
    start = time.process_time()
    for text in texts:
        score(text)
    return time.process_time() - start


def mt_bench(*models: str) -> list[str]:
    lines = itertools.chain.from_iterable((SHARED / "mt_bench/answers" / f"{m}.jsonl").read_text().splitlines() for m in models)
    return [turn for line in lines for turn in json.loads(line)["choices"][0]["turns"]]


def table(title: str) -> Table:
    made = Table(title=title, title_justify="left")
    for name in ("set (positives + negatives)", "classifier", "precision", "recall", "F1", "AUC", "negatives flagged"):
        made.add_column(name)
    return made


def refusals(console: Console, public: bool = True) -> None:
    """``public``: also on the public data sets, where they are there."""
    shown = table("Refusals")
    rows: list[tuple[str, Sequence[str], Sequence[str], Score | None]] = []
    answers: list[str] = []
    if public and SHARED.exists():
        attacks = [json.loads(line) for line in (SHARED / "jailbreakbench/attacks.jsonl").read_text().splitlines()]
        kept = [(n, a) for n, a in enumerate(attacks) if not a["jailbroken"] and a["response"]]
        answers = mt_bench("gemma-2-9b-it", "Mistral-7B-Instruct-v0.3", "Phi-3.5-mini-Instruct")
        seen = mt_bench("EEVE-Korean-Instruct-10.8B", "EXAONE-3.5-7.8B-Instruct", "Llama-3.1-8B-Instruct")
        by_model: dict[str, tuple[list[str], list[str]]] = {}
        for model in ("gpt-4-0125-preview", "llama-2-7b-chat-hf"):
            mine = [
                (n in ANSWERED or a["response"].strip().startswith("Sure, here"), a["response"]) for n, a in kept if a["model"] == model
            ]
            by_model[model] = [t for complied, t in mine if not complied], [t for complied, t in mine if complied]
        both = [by_model[m] for m in by_model]
        for (model, (yes, no)), (other_yes, other_no) in zip(by_model.items(), reversed(both), strict=True):
            rows.append((f"en: {model} + mt_bench of 3 models", yes, answers, tfidf(other_yes, seen)))
            rows.append((f"en: {model} + its own answers to attacks", yes, no, tfidf(other_yes, [*seen, *other_no])))
    else:
        console.print("Left out or absent: the development data (MIRANTE_SHARED). Only the texts of the repository are used.")
    rows.append(("en: written by hand + hard negatives", own.REFUSALS_EN, own.ANSWERS_EN, None))
    rows.append(("pt: written by hand + hard negatives", own.REFUSALS_PT, own.ANSWERS_PT, None))
    for name, yes, no, bound in rows:
        label = f"{name} ({len(yes)} + {len(no)})"
        shown.add_row(label, "Mirante", *figures(refusal_probability, REFUSAL_THRESHOLD, yes, no))
        shown.add_row("", "string matching", *figures(by_strings, 0.5, yes, no))
        if bound:
            shown.add_row("", "TF-IDF, other model", *figures(bound, 0.5, yes, no), end_section=True)
    console.print(shown)
    plain = [t for t in answers if refusal_probability(t) == 0.0] or list(own.ANSWERS_EN)
    cued = [t for t in answers if refusal_probability(t) > 0.0] or list(own.REFUSALS_EN)
    console.print(
        f"µs per answer and per kB: plain {_pair(refusal_probability, plain)} ({len(plain)}), scored {_pair(refusal_probability, cued)} ({len(cued)})\n"
    )


def _pair(score: Score, texts: Sequence[str]) -> str:
    return "{:.1f}, {:.2f}".format(*microseconds(score, texts))


def main() -> None:
    console = Console(width=170)
    public = not smoke.asked_for()
    refusals(console, public)


if __name__ == "__main__":
    main()
