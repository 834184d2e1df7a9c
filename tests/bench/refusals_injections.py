"""The injection classifiers on data they were not trained on: `python -m tests.bench.refusals_injections`, and what the
benches of guards share.

The shipped models are trained on templates only, so that no text here was trained on. The figures of the whole table were seen
during development (see the model cards). The baseline is a list of patterns.
"""

# ruff: noqa: E501

from __future__ import annotations

import csv
import json
import os
import random
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from agents.inspection.text.injection import DOCUMENT_THRESHOLD, INJECTION_THRESHOLD, injection_probability
from tests.bench import guard_texts as own
from tests.bench import smoke

Score = Callable[[str], float]
SHARED = Path(os.environ.get("MIRANTE_SHARED", Path(__file__).parents[3] / "shared")) / "data"

INJECTION_PATTERN = re.compile(
    r"(ignore|disregard|forget|override)\b.{0,30}\b(previous|above|prior|all|earlier)\b.{0,30}(instruction|prompt|rule)|system prompt|you are now|do anything now|developer mode|jailbreak"
    r"|(ignore|desconsidere|esqueça)\b.{0,30}(instruções|regras)|prompt do sistema|você agora é|modo desenvolvedor",
    re.IGNORECASE | re.DOTALL,
)


def by_pattern(text: str) -> float:
    return float(INJECTION_PATTERN.search(text) is not None)


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


def table(title: str) -> Table:
    made = Table(title=title, title_justify="left")
    for name in ("set (positives + negatives)", "classifier", "precision", "recall", "F1", "AUC", "negatives flagged"):
        made.add_column(name)
    return made


def _pair(score: Score, texts: Sequence[str]) -> str:
    return "{:.1f}, {:.2f}".format(*microseconds(score, texts))


def as_document(text: str) -> float:
    return injection_probability(text, retrieved=True)


def _yaml_turns(path: Path) -> list[str]:
    """The attacker's turns of a cilada file: quoted items under `turnos:`."""
    return [m[1] for block in re.findall(r"turnos:\n((?:\s+- .*\n)+)", path.read_text()) for m in re.finditer(r'- "(.*)"', block)]


def injections(console: Console, public: bool = True) -> None:
    """``public``: also on the public data sets, where they are there."""
    shown = table("Injection and jailbreak: questions")
    rows: list[tuple[str, Sequence[str], Sequence[str]]] = [
        ("en: in the wild, written by hand + trigger words used harmlessly", own.ATTACKS_EN, own.TRIGGERS_EN),
        ("pt: in the wild, written by hand + trigger words used harmlessly", own.ATTACKS_PT, own.TRIGGERS_PT),
    ]
    documents: list[tuple[str, Sequence[str], Sequence[str]]] = [("written by hand, en and pt", own.PLANTED, own.DOCUMENTS)]
    questions: list[str] = list(own.TRIGGERS_EN)
    if public and SHARED.exists():
        attacks = [json.loads(line) for line in (SHARED / "jailbreakbench/attacks.jsonl").read_text().splitlines()]
        questions = [q for q, _ in json.loads((SHARED / "clinc_oos/data_full.json").read_text())["test"]]
        banking = [row["text"] for row in csv.DictReader((SHARED / "banking77/test.csv").open())]
        first_turns = [t for line in (SHARED / "mt_bench/question.jsonl").read_text().splitlines() for t in json.loads(line)["turns"]]
        for method in ("JBC", "prompt_with_random_search", "PAIR", "GCG", "DSN"):
            rows.append((f"en: {method} + clinc test", sorted({a["prompt"] for a in attacks if a["method"] == method}), questions))
        rows += [("en: - + banking77 test", [], banking), ("en: - + mt_bench questions", [], first_turns)]
        rows.append(("pt: cilada injecao + -", _yaml_turns(SHARED / "cilada_pt/injecao.yaml"), []))
        others = sorted(p for p in (SHARED / "cilada_pt").glob("*.yaml") if p.stem not in ("injecao", "_base"))
        rows.append(("pt: - + cilada, pressure without injection", [], [t for p in others for t in _yaml_turns(p)]))
        documents += _bipia()
    for name, yes, no in rows:
        shown.add_row(f"{name} ({len(yes)} + {len(no)})", "Mirante", *figures(injection_probability, INJECTION_THRESHOLD, yes, no))
        shown.add_row("", "patterns", *figures(by_pattern, 0.5, yes, no), end_section=True)
    console.print(shown)
    shown = table("Indirect injection: retrieved documents")
    for name, yes, no in documents:
        shown.add_row(f"{name} ({len(yes)} + {len(no)})", "Mirante", *figures(as_document, DOCUMENT_THRESHOLD, yes, no))
        shown.add_row("", "patterns", *figures(by_pattern, 0.5, yes, no), end_section=True)
    console.print(shown)
    console.print(
        f"µs per question and per kB: {_pair(injection_probability, questions)}; per document and per kB: {_pair(as_document, documents[-1][2])}"
    )


def _bipia() -> list[tuple[str, Sequence[str], Sequence[str]]]:
    """The test attacks planted in the test e-mails and tables, at the beginning, in the middle or at the end."""
    orders = json.loads((SHARED / "bipia/text_attack_test.json").read_text())
    tasks = ("Task Automation", "Business Intelligence", "Conversational Agent", "Research Assistance", "Sentiment Analysis")
    kinds = {
        "orders about the answer": [o for k, v in orders.items() if k not in tasks for o in v],
        "a bare other task": [o for k in tasks for o in orders[k]],
    }
    kinds["code to include"] = [o for v in json.loads((SHARED / "bipia/code_attack_test.json").read_text()).values() for o in v]
    made: list[tuple[str, Sequence[str], Sequence[str]]] = []
    for source in ("email", "table"):
        contexts = [json.loads(line)["context"] for line in (SHARED / f"bipia/{source}_test.jsonl").read_text().splitlines()]
        for kind, planted in kinds.items():
            rng = random.Random(7)
            texts = []
            for number, order in enumerate(planted):
                lines = re.split(r"(?<=[.!?])\s|\n", contexts[number % len(contexts)])
                lines.insert(rng.choice((0, len(lines) // 2, len(lines))), order)
                texts.append("\n".join(lines))
            made.append((f"bipia {source}: {kind}", texts, contexts))
    return made


def main() -> None:
    console = Console(width=170)
    public = not smoke.asked_for()
    injections(console, public)


if __name__ == "__main__":
    main()
