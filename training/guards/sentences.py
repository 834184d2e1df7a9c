"""The rules of the template grammars, from the files in ``sentences/``: TOML, with a table for each language.

A rule is a list of productions. One that is more probable than others stands there as ``[times, "production"]``.
"""

from __future__ import annotations

import tomllib
from functools import reduce
from pathlib import Path
from typing import Final, NamedTuple

from training.guards.grammar import joined

__all__ = ["FOLDER", "Languages", "Rules", "read"]

FOLDER: Final = Path(__file__).with_name("sentences")

Rules = dict[str, tuple[str, ...]]
"""Name -> productions, each as often as it is to be drawn."""


class Languages(NamedTuple):
    """The rules of each language."""

    english: Rules
    portuguese: Rules


def read(*names: str | Path) -> Languages:
    """The rules of these files together, those of ``sentences/`` by name: productions of the same
    rule are added, in the order of the files."""
    paths = [FOLDER / f"{name}.toml" if isinstance(name, str) else name for name in names]
    files = [tomllib.loads(path.read_text("utf-8")) for path in paths]
    return Languages(*(reduce(joined, [_rules(file[language]) for file in files]) for language in Languages._fields))


def _rules(table: dict[str, list[str | list[int | str]]]) -> Rules:
    return {name: tuple(text for entry in entries for text in _repeated(entry)) for name, entries in table.items()}


def _repeated(entry: str | list[int | str]) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    times, text = entry
    assert isinstance(times, int) and isinstance(text, str), entry
    return [text] * times
