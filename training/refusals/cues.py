"""Words without which hardly an answer declines: by them most answers need no score.

Run: `python -m training.refusals.cues WHEELS` (a folder with that of pyrit). Chosen on answers to
attacks, PyRIT's answers and our own sentences, against ordinary answers; XSTest, which nothing is
chosen on, tells what is lost.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agents.inspection.text.plain import spaced
from agents.inspection.text.refusal import (
    CUES_NEEDED,
    REFUSAL_THRESHOLD,
    looked_at,
    refusal_probability,
)
from training.refusals.model import SHAPE
from training.refusals.own import made
from training.refusals.sources import (
    Example,
    airline,
    evaluation,
    jailbreakbench,
    ordinary,
    pyrit,
    shared_data,
)

__all__ = ["covering", "main", "words_of"]

FILE: Final = Path(__file__).parents[2] / "agents" / "inspection" / "models" / "refusal_cues.txt"
_MOST: Final = 220
_RARE: Final = 20
"""Ordinary answers with a word are counted from here on, or one that is in none would be chosen for
a single refusal."""
_EACH: Final = 3
"""Words that an answer that declines should have: others are written in other words."""
_ALWAYS: Final = (
    *("apologise", "apologize", "cannot", "cant", "decline", "refuse", "sorry", "unable", "wont"),
    *("desculpe", "incapaz", "lamento", "nao", "recuso"),
)
"""Said in so many refusals that they are taken whatever their share in ordinary answers."""
_DRAWS: Final = 3_000


def words_of(text: str) -> frozenset[str]:
    """Of what is looked at of an answer."""
    return frozenset(spaced(SHAPE.bounded(looked_at(text))).decode().split())


def covering(
    declining: Sequence[frozenset[str]], others: Sequence[frozenset[str]], most: int = _MOST
) -> list[str]:
    """At most so many words of which nearly every set of ``declining`` has three: ``_ALWAYS``, then
    those first that are rare among ``others`` (greedy weighted set cover, Chvátal 1979)."""
    ordinary_with = Counter(word for words in others for word in words)
    need = dict.fromkeys(range(len(declining)), _EACH)
    met = Counter(word for words in declining for word in words)
    chosen: list[str] = []
    first = list(_ALWAYS)
    while first or (need and len(chosen) < most and met):
        best = (
            first.pop()
            if first
            else min(met, key=lambda word: (-met[word] / (ordinary_with[word] + _RARE), word))
        )
        chosen.append(best)
        for number in [n for n in need if best in declining[n]]:
            need[number] -= 1
            if not need[number]:
                del need[number]
                met.subtract(declining[number])
        met.pop(best, None)
    return chosen


def is_found(text: str) -> bool:
    """Whether the model takes an answer for a refusal."""
    return refusal_probability(text) >= REFUSAL_THRESHOLD


def main(wheels: str) -> None:
    """Writes the words, and prints what is lost and what passes."""
    data = shared_data()
    if data is None:
        raise SystemExit("The development data are not there; set MIRANTE_SHARED to their folder.")
    groups: dict[str, list[Example]] = {
        "answers to attacks": list(jailbreakbench(data)),
        "PyRIT": list(pyrit(Path(wheels))),
        "ordinary answers": list(ordinary(data)),
        "airline agent": list(airline(data)),
        "own sentences": made(_DRAWS),
        "XSTest (not chosen on)": evaluation(data),
    }
    flagged = {
        name: [example.refused and is_found(example.text) for example in examples]
        for name, examples in groups.items()
    }
    words = {name: [words_of(example.text) for example in of] for name, of in groups.items()}
    seen = [name for name in groups if not name.startswith("XSTest")]
    found = covering(
        [w for name in seen for w, is_one in zip(words[name], flagged[name], strict=True) if is_one],
        [
            w
            for name in seen
            if name != "own sentences"
            for w, is_one in zip(words[name], flagged[name], strict=True)
            if not is_one
        ],
    )
    FILE.write_text("\n".join(sorted(found)) + "\n", "ascii")
    print(f"{len(found)} words")
    for name, of in words.items():
        has = [
            len(w.intersection(found)) >= CUES_NEEDED.of(len(SHAPE.bounded(looked_at(example.text))))
            for w, example in zip(of, groups[name], strict=True)
        ]
        declined = [h for h, is_one in zip(has, flagged[name], strict=True) if is_one]
        others = [h for h, is_one in zip(has, flagged[name], strict=True) if not is_one]
        lost = len(declined) - sum(declined)
        passing = sum(others) / len(others)
        print(f"{name:24} {lost} of {len(declined)} refusals lost, {passing:.0%} of others scored")


if __name__ == "__main__":
    main(*sys.argv[1:])
