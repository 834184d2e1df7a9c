"""Typed parameters of the dashboard's queries: text of a URL in, values for ClickHouse out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

MAX_TEXT = 512
"""Longest text accepted, in characters: as long as an id may be."""

FIRST, LAST = 0, 4_133_980_800
"""Epoch seconds of 1970 and 2101: where events can lie."""


class ParamError(ValueError):
    """A parameter that cannot be read; the message names it and what is allowed."""


class Param(Protocol):
    """One parameter."""

    @property
    def name(self) -> str:
        """As in the URL and in the query."""

    def read(self, text: str | None) -> str | int:
        """The value of ``text``, None if it was not given. Raises ParamError."""


@dataclass(frozen=True)
class Text:
    """Any text; empty means: do not restrict."""

    name: str

    def read(self, text: str | None) -> str:
        text = text or ""
        if len(text) > MAX_TEXT:
            raise ParamError(f"{self.name}: at most {MAX_TEXT} characters")
        return text


@dataclass(frozen=True)
class Choice:
    """One of ``options``; the first if it is not given."""

    name: str
    options: tuple[str, ...]

    def read(self, text: str | None) -> str:
        if text is None or text == "":
            return self.options[0]
        if text not in self.options:
            raise ParamError(f"{self.name}: one of {', '.join(self.options)}")
        return text


@dataclass(frozen=True)
class Whole:
    """A whole number from ``least`` to ``most``; ``default`` if it is not given."""

    name: str
    least: int
    most: int
    default: int

    def read(self, text: str | None) -> int:
        if text is None or text == "":
            return self.default
        try:
            value = int(text)
        except ValueError:
            raise ParamError(f"{self.name}: a whole number") from None
        if not self.least <= value <= self.most:
            raise ParamError(f"{self.name}: from {self.least} to {self.most}")
        return value


SPAN = (Whole("since", FIRST, LAST, FIRST), Whole("until", FIRST, LAST, LAST))
"""The period asked for: epoch seconds, the end is not part of it."""

SERIES = tuple(Text(name) for name in ("tenant", "feature", "model", "provider"))
"""Which series: each restricts if it is given."""


def read_params(params: tuple[Param, ...], given: Mapping[str, str]) -> dict[str, str | int]:
    """Values of ``params``. Raises ParamError, also for a parameter that does not exist."""
    known = {param.name for param in params}
    if strange := sorted(set(given) - known):
        raise ParamError(f"{strange[0]}: no such parameter; there are {', '.join(sorted(known))}")
    values = {param.name: param.read(given.get(param.name)) for param in params}
    if "since" in values and int(values["since"]) >= int(values["until"]):
        raise ParamError("since: must be before until")
    return values
