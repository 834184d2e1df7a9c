"""Sentences from templates: `{name}` is any production of a rule, `[a|b|]` one of the alternatives; both nest."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["Grammar", "joined"]

_CHOICE: Final = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_SLOT: Final = re.compile(r"\{([a-z_]+)\}")


def joined(rules: Mapping[str, Sequence[str]], more: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """`rules` with the productions of `more` added to those of the same name."""
    return {name: (*rules.get(name, ()), *more.get(name, ())) for name in [*rules, *(name for name in more if name not in rules)]}


class Grammar:
    """Rules by name. The same rules and seed give the same sentences on every machine."""

    def __init__(self, rules: Mapping[str, Sequence[str]], rng: random.Random) -> None:
        self._rules = rules
        self._rng = rng

    def make(self, name: str) -> str:
        """One production of the rule `name`. Raises KeyError for a rule that does not exist."""
        return self.expand(self._rng.choice(self._rules[name]))

    def expand(self, template: str) -> str:
        """`template` with all its choices made."""
        while match := _CHOICE.search(template):
            template = template[: match.start()] + self._rng.choice(match[1].split("|")) + template[match.end() :]
        return _SLOT.sub(lambda slot: self.make(slot[1]), template)
