"""Template grammars of what users say after an answer, in English and Portuguese (``sentences.toml``): complaints, acceptances,
next steps, repetitions.

A template is text with alternatives in brackets: ``[a|b|]``, which may nest; ``*`` stands for a topic taken from a question. Expansion
is at random from a seeded generator. The benchmark has sentences of its own, written without these templates.
"""

from __future__ import annotations

import random
import re
import tomllib
from pathlib import Path

_INNERMOST = re.compile(r"\[([^\[\]]*)\]")

Templates = dict[str, tuple[str, ...]]
"""Language -> templates."""


def _templates(name: str) -> Templates:
    return {language: tuple(templates) for language, templates in _SENTENCES[name].items()}


_SENTENCES = tomllib.loads(Path(__file__).with_name("sentences.toml").read_text("utf-8"))
COMPLAINTS, ACCEPTANCES, NEXT = map(_templates, ("complaints", "acceptances", "next"))
AGAIN = _templates("again")
"""The same question with what people put around it."""
_STANDS_FOR = _templates("stands_for")


def expand(template: str, topic: str, chance: random.Random) -> str:
    """One sentence of a template."""
    while (found := _INNERMOST.search(template)) is not None:
        template = template[: found.start()] + chance.choice(found[1].split("|")) + template[found.end() :]
    text = template.replace("*", topic)
    return re.sub(r"\s+", " ", re.sub(r"\s+([,.!])", r"\1", text)).strip(" ,")


def topic_of(question: str, chance: random.Random) -> str:
    """The last words of a question."""
    words = question.rstrip("?.! ").split()
    return " ".join(words[-chance.randint(1, min(4, len(words))) :]) if words else ""


def lean(question: str, language: str, chance: random.Random) -> str:
    """The question as asked when its topic was named before: a word stands for its last ones, or nothing does."""
    words = question.rstrip("?.! ").split()
    if len(words) < 4:
        return question
    kept = words[: -chance.randint(1, min(4, len(words) - 2))]
    start = chance.choice(("", "", "", "and ", "ok, ")) if language == "en" else chance.choice(("", "", "", "e ", "tá, "))
    return f"{start}{' '.join(kept)} {chance.choice(_STANDS_FOR[language])}".strip() + ("?" if chance.random() < 0.5 else "")


def disturb(text: str, chance: random.Random) -> str:
    """The text as typed in haste: letters left out, doubled or exchanged, accents and punctuation missing."""
    letters = list(text)
    for _ in range(chance.choice((0, 1, 1, 2, 3))):
        if len(letters) < 5:
            break
        at = chance.randrange(1, len(letters) - 2)
        match chance.randrange(3):
            case 0:
                del letters[at]
            case 1:
                letters.insert(at, letters[at])
            case _:
                letters[at], letters[at + 1] = letters[at + 1], letters[at]
    found = "".join(letters)
    return found.rstrip("?.! ") if chance.random() < 0.5 else found
