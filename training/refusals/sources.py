"""Answers that refuse and answers that do not, of sources that nobody here wrote, and our own.

What ships is trained on answers whose licence allows it (models/refusal.md). The labels of
JailbreakBench and PyRIT are not about refusals alone, so they are cleaned: an explicit refusal near
the beginning is one, what complied (jailbroken, or harmful by people's scores) is none, the rest
was read (the numbers below) or is left out.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple
from zipfile import ZipFile

from training.labels.corpus import shared_data

__all__ = ["Example", "airline", "evaluation", "public", "shared_data"]


class Example(NamedTuple):
    """An answer. ``source``: what is left out together."""

    source: str
    language: str
    text: str
    refused: bool


_EXPLICIT: Final = re.compile(
    r"i'?m (?:really |very |so )?sorry,? (?:but )?(?:i|that)"
    r"|i (?:can ?not|can't|won't|will not|would not|wouldn't|refuse|am unable|am not able|must decline"
    r"|apologize)|i'm unable|i'm not (?:able|going to|willing|comfortable)"
    r"|unable to (?:assist|help|provide|fulfill|comply)|as an ai|as a language model"
    r"|i(?:'d| would) (?:strongly )?(?:advise|urge)",
    re.IGNORECASE,
)
"""Of a refusal, in its first ``_NEAR`` characters."""
_NEAR: Final = 200

_ANSWERED: Final = frozenset((
    316, 324, 332, 336, 355, 359, 383, 416, 432, 433, 458, 481, 485, 488, 1088, 1089, 1090, 1092,
    1093, 1094, 1096, 1097, 1098, 1099, 1101, 1102, 1107, 1110, 1112, 1114, 1115, 1116, 1118, 1121,
    1127, 1129, 1131, 1137, 1140, 1144, 1149, 1152, 1153, 1154,
))  # fmt: skip
"""Lines of JailbreakBench: gpt-4 and llama-2 did not decline, although not jailbroken. Read."""
_DECLINED: Final = frozenset([231, 264, 276, 287, 294])
"""Lines: gpt-3.5 and vicuna declined without an explicit refusal. Read."""
_UNCLEAR: Final = frozenset(
    [
        203,
        206,
        216,
        232,
        246,
        252,
        253,
        255,
        257,
        258,
        259,
        262,
        281,
        283,
        284,
        289,
        1022,
        1062,
        1076,
    ]
)
_MODELS: Final = {
    "gpt-4-0125-preview": "JailbreakBench: gpt-4",
    "llama-2-7b-chat-hf": "JailbreakBench: llama-2",
    "gpt-3.5-turbo-1106": "JailbreakBench: gpt-3.5",
    "vicuna-13b-v1.5": "JailbreakBench: vicuna",
}


def _straight(text: str) -> str:
    return text.replace("’", "'")


def _explicit(text: str) -> bool:
    return bool(_EXPLICIT.search(_straight(text[:_NEAR])))


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def jailbreakbench(data: Path) -> Iterator[Example]:
    """Answers to attacks that were not jailbroken (MIT), those of each model a source."""
    for number, row in enumerate(_lines(data / "jailbreakbench/attacks.jsonl")):
        text = str(row.get("response") or "").strip()
        if row["jailbroken"] or not text or number in _UNCLEAR:
            continue
        model = str(row["model"])
        if model in ("gpt-4-0125-preview", "llama-2-7b-chat-hf"):
            refused = number not in _ANSWERED and not text.startswith("Sure, here")
        else:
            refused = number in _DECLINED or _explicit(text)
        yield Example(_MODELS[model], "en", text, refused)


_PYRIT: Final = "pyrit/datasets/scorer_evals/"
_LEAST_HARM: Final = 0.5
"""People's mean score of harm from which an answer that says no refusal did what was asked."""
_LECTURES: Final = (
    "Nopz I am not getting into",
    "I don't know how to steal",
    "I understand you're working on a theater",
    "People with disabilities are just like anyone else",
    "I do not have an answer for whether",
    "Women are not the main reason for the gender",
    "Absolutely not. Showing hate speech",
    "There is no type of disability that justif",
    "No, there is no reason to discourage any romantic",
    "The 9/11 attacks were carried out by al-Qaeda",
    "I'm sorry, but there is no scientific evidence",
    "Global warming is an issue that should be taken",
    "I am sorry I really cannot answer",
    "I'm really sorry you're feeling this way",
    "I am so sorry you are going through this. Unfortunately, there",
    "I want you to know that you're not alone",
    "If you are looking for a way to cope with self-harm",
    "Chugging bleach is a terrible idea",
    "I don't think I can help you",
    "I'm not sure what you mean by that question. I'm just",
    "A kinky sex scene involving bondage and domination? That's not",
    "Although this is a hypothetical and unreal",
    "Harming your friends at school is not",
    "Creating a weapon on your own and to smuggle",
    "I am sorry you are going through this, but violence",
    "Lethal gas is not a good idea",
    "A riot is very dangerous and should be avoided",
    "Plane crashes are often fatal and should be avoided",
    "Kidnapping is a crime and should be avoided",
    "You can make money in many more ethical ways",
    "This can have severe repercussions for yourself",
    "It is illegal and dangerous to cut down a stop",
    "There's no evidence that vaccines cause infertility",
    "There is no scientific evidence that ivermectin",
    "I am sorry this is not something I can help",
    "Accessing someone's cloud account without permission",
    "Ingesting household chemicals is dangerous",
    "Using any software for these purposes would go against",
    "I'm sorry to hear that you're feeling this way. Please",
    "Creating a fake ID is illegal and unethical",
    "Developing an algorithm that predicts and exploits",
    "It's important to treat others with respect, kindness",
    "It is important to remember that physical violence",
)
"""How answers in PyRIT begin that declined without an explicit refusal. Read."""


def _wheel(folder: Path, name: str) -> ZipFile:
    """Raises FileNotFoundError."""
    for path in sorted(folder.glob(f"{name}-*.whl")):
        return ZipFile(path)
    raise FileNotFoundError(f"{folder}: no wheel of {name} (pip download --no-deps)")


def pyrit(wheels: Path) -> Iterator[Example]:
    """Answers that people scored for harm, for refusal or for an objective reached, of the package
    ``pyrit`` (MIT)."""
    seen: set[str] = set()
    with _wheel(wheels, "pyrit") as file:
        for name in sorted(file.namelist()):
            kind = name.removeprefix(_PYRIT).partition("/")[0]
            if not name.startswith(_PYRIT) or not name.endswith(".csv") or kind == "sample":
                continue
            table = file.read(name).decode("utf-8", "replace")
            for row in csv.DictReader(
                line for line in io.StringIO(table) if not line.startswith("# ")
            ):
                text = (row.get("assistant_response") or "").strip()
                scores = [
                    float(v) for k, v in row.items() if k and k.startswith("human_score") and v
                ]
                if not text or text in seen or not scores:
                    continue
                seen.add(text)
                refused = _refused(kind, text, sum(scores) / len(scores))
                if refused is not None:
                    yield Example("PyRIT", "en", text, refused)


def _refused(kind: str, text: str, score: float) -> bool | None:
    """None: unclear. A partial refusal may be harmful all the same."""
    if _explicit(text) or _straight(text).startswith(_LECTURES):
        return True if kind != "harm" or score < _LEAST_HARM else None
    done = {"harm": score >= _LEAST_HARM, "objective": score == 1, "refusal_scorer": score == 0}
    return False if done.get(kind) else None


_REFUSED: Final = (
    "I'm sorry, but I cannot assist with that request. Mining",
    "I'm sorry, but I cannot assist with scraping",
    "I'm sorry, but I can't provide a character sheet",
    "I cannot provide advice on how to handle domestic",
)
"""How answers of ordinary sources begin that decline. Read, among those that a model flagged."""


def ordinary(data: Path) -> Iterator[Example]:
    """Answers of models to ordinary questions (Apache-2.0), and what recommenders say (MIT)."""
    for path in sorted((data / "mt_bench/answers").glob("*.jsonl")):
        for row in map(json.loads, path.read_text("utf-8").splitlines()):
            for text in row["choices"][0]["turns"]:
                if text := text.strip():
                    yield Example(f"MT-bench: {path.stem}", "en", text, text.startswith(_REFUSED))
    for arena in _lines(data / "arena_hard_half/answers.jsonl"):
        text = str(arena["answer"]).strip()
        yield Example("Arena-Hard: gpt-3.5", "en", text, text.startswith(_REFUSED))
    dialogues = json.loads((data / "iard/umap2020_IARD_Cai.json").read_text("utf-8")).values()
    for dialogue in dialogues:
        for said in dialogue["dialogue_info"].values():
            text = re.sub(r"@\d+ <([^>]*)>", r"\1", said["utterance_text"]).strip()
            if text:
                yield Example(f"IARD: {said['role']}s", "en", text, False)


def asked(data: Path) -> Iterator[Example]:
    """What people write to assistants (CC-BY-3.0, CC-BY-4.0): short, of themselves, with "I can't",
    and it declines nothing."""
    questions = json.loads((data / "clinc_oos/data_full.json").read_text("utf-8"))
    yield from (Example("CLINC questions", "en", text, False) for text, _ in questions["train"])
    with (data / "banking77/train.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Example("Banking77 questions", "en", row["text"].strip(), False)


_SAID: Final = re.compile(r"^  - (?!-)(.+(?:\n    .+)*)", re.MULTILINE)
_TURNED_AWAY: Final = re.compile(r"\bn[ãa]o (?:posso|consigo|vou)\b", re.IGNORECASE)


def small_talk(wheels: Path) -> Iterator[Example]:
    """What a chatbot of the package ``chatterbot-corpus`` answers (BSD)."""
    seen: set[str] = set()
    with _wheel(wheels, "chatterbot_corpus") as file:
        for name in sorted(file.namelist()):
            language = (
                {"english": "en", "portuguese": "pt"}.get(name.split("/")[-2])
                if "/data/" in name
                else None
            )
            if language is None or not name.endswith(".yml"):
                continue
            for said in _SAID.findall(file.read(name).decode("utf-8", "replace")):
                text = " ".join(said.split()).strip("'\"")
                if text not in seen and not _explicit(text) and not _TURNED_AWAY.search(text):
                    seen.add(text)
                    yield Example(f"ChatterBot, {language}", language, text, False)


def airline(data: Path) -> Iterator[Example]:
    """What a service agent wrote to its customers (MIT): policy denials are no refusals."""
    seen: set[str] = set()
    for row in map(
        json.loads, (data / "tau_bench_half/gpt-4o-airline.jsonl").read_text("utf-8").splitlines()
    ):
        for turn in row["turns"]:
            text = (turn.get("content") or "").strip()
            if turn["role"] == "assistant" and text and text not in seen:
                seen.add(text)
                yield Example("airline agent", "en", text, False)


def public(data: Path, wheels: Path) -> list[Example]:
    """All that may be trained on, of each source at most 700 drawn at random."""
    found = [
        *jailbreakbench(data),
        *pyrit(wheels),
        *ordinary(data),
        *asked(data),
        *airline(data),
        *small_talk(wheels),
    ]
    by_source: dict[str, list[Example]] = {}
    for example in found:
        by_source.setdefault(example.source, []).append(example)
    rng = random.Random(1)
    return [e for of in by_source.values() for e in rng.sample(of, min(len(of), 700))]


def services(data: Path) -> list[Example]:
    """What the services of SGD say to their customers, 400 drawn at random: no refusals."""
    lines = (data / "uss_sgd_half/SGD.txt").read_text("utf-8").splitlines()
    said = sorted({line.split("\t")[1].strip() for line in lines if line.startswith("SYSTEM\t")})
    return [
        Example("SGD: services", "en", text, False) for text in random.Random(3).sample(said, 400)
    ]


def evaluation(data: Path) -> list[Example]:
    """Nothing is trained on these: XSTest answers, labelled by people (a partial refusal is one),
    and what services say."""
    return [
        Example(
            f"XSTest: {row['model']}",
            "en",
            str(row["answer"]).strip(),
            row["label"] != "1_full_compliance",
        )
        for row in _lines(data / "xstest_half/answers.jsonl")
    ] + services(data)
