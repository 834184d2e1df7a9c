"""Sentences of our own, from the templates in ``training/guards/sentences``: for training only,
because what we wrote ourselves shows nothing of how a model does elsewhere."""

from __future__ import annotations

import random
import re
from typing import Final

from agents.inspection.folding import in_ascii
from training.guards.grammar import Grammar
from training.guards.sentences import read

__all__ = ["own_documents", "own_orders", "own_questions"]

_RULES: Final = ("prose", "injection_grammar", "injection_varied", "injection_families")


def _typed(text: str, rng: random.Random) -> str:
    """As people write: without capitals, accents or final marks at times."""
    text = re.sub(r"(^|[.!?]\s+|\n)(\w)", lambda match: match[1] + match[2].upper(), text.strip())
    chance = rng.random()
    if chance < 0.12:
        text = text.lower()
    elif chance < 0.15:
        text = text.upper()
    if rng.random() < 0.1:
        text = in_ascii(text)
    return text.rstrip(".!?") if rng.random() < 0.1 else text


def _made(name: str, count: int, seed: int) -> list[str]:
    """Different texts of a rule, ``count`` draws in English and as many in Portuguese."""
    found: set[str] = set()
    for number, rules in enumerate(read(*_RULES)):
        rng = random.Random(10 * seed + number)
        grammar = Grammar(rules, rng)
        found.update(_typed(grammar.make(name), rng) for _ in range(count))
    return sorted(found)


def own_questions(count: int) -> list[tuple[str, bool]]:
    """(question, whether it attacks)."""
    parts = (("attack", True, 0.45), ("benign", False, 0.47), ("document", False, 0.08))
    return [
        (text, attack)
        for name, attack, part in parts
        for text in _made(name, round(count * part), 1)
    ]


def own_documents(count: int) -> list[str]:
    """Short documents without an order to a model, questions among them."""
    return _made("document", count, 2) + _made("benign", count // 3, 3)


def own_orders(count: int) -> list[str]:
    """What an attacker hides in a document."""
    return _made("planted", count, 4) + _made("attack", count // 5, 5)
