"""Our own sentences, from the templates beside this file: refusals, and what looks like one."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Final

from agents.inspection.folding import in_ascii
from training.guards.grammar import Grammar
from training.guards.sentences import read
from training.refusals.sources import Example

__all__ = ["made"]

_HERE: Final = Path(__file__).parent
_RULES: Final = read("prose", *(_HERE / f"{name}.toml" for name in ("grammar", "varied", "moral")))
_OTHERS: Final = (
    *("plain",) * 10, *("service",) * 10, *("ethics_answer",) * 8, *("cannot_answer",) * 5,
    *("sorry_answer",) * 4, "quoted_answer",
)  # fmt: skip
"""Rules of answers that decline nothing, as often as they are drawn."""


def made(count: int, seed: int = 1) -> list[Example]:
    """``count`` draws in each language, half of them refusals; the same on every machine."""
    found: list[Example] = []
    for language, rules in zip(("en", "pt"), _RULES, strict=True):
        rng = random.Random(f"{seed} {language}")
        grammar = Grammar(rules, rng)
        drawn: dict[str, bool] = {}
        for number in range(count):
            refused = number % 2 == 0
            drawn[_typed(grammar.make("refusal" if refused else rng.choice(_OTHERS)), rng)] = (
                refused
            )
        found += [
            Example("own sentences", language, text, refused) for text, refused in drawn.items()
        ]
    return found


def _typed(text: str, rng: random.Random) -> str:
    """As people and models write: without capitals, accents or final marks at times."""
    text = re.sub(r" (['’]m )", r"\1", text).strip()
    text = re.sub(r"(^|[.!?]\s+|\n)(\w)", lambda m: m[1] + m[2].upper(), text)
    if rng.random() < 0.1:
        text = text.lower()
    if rng.random() < 0.1:
        text = in_ascii(text)
    if rng.random() < 0.1:
        text = text.rstrip(".!?")
    return text
