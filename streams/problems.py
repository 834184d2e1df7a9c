"""What is wrong with settings, told so that it can be put right.

That is: the key, its value, what is allowed, and the nearest right name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import inspect
from pydantic import BaseModel, ValidationError

_SECRET = re.compile(r"password|secret|headers|(key|token)\b", re.IGNORECASE)
"""What settings that nobody must read are called."""

MOST = 60
"""Characters of a value that are shown."""

_NOTHING = object()


class Problem(NamedTuple):
    """One setting that is not usable. ``key``: as it is written, joined by dots."""

    key: str
    wrong: str
    value: object = _NOTHING
    source: str = ""
    """The environment variable it came from; empty: the file."""

    @property
    def _meant(self) -> str:
        """The right name, if one is like it: what was to be a secret is none the less."""
        found = re.search(r"did you mean (\w+)", self.wrong)
        return found[1] if found else ""

    def __str__(self) -> str:
        given = "" if self.value is _NOTHING else shown(f"{self.key} {self._meant}", self.value)
        source = f" ({self.source})" if self.source else ""
        return f"{self.key}{f' = {given}' if given else ''}{source}: {self.wrong}"


class Problems(ValueError):
    """Several at once."""

    def __init__(self, found: Iterable[Problem]) -> None:
        self.found = list(found)
        super().__init__("\n".join(map(str, self.found)))


def shown(key: str, value: object) -> str:
    """A value as it may be read by anybody; empty where it is or may hold a secret."""
    tables = value if isinstance(value, list) else [value]
    if any(isinstance(table, Mapping) for table in tables) or _SECRET.search(key):
        return ""
    if isinstance(value, str) and "://" in value:
        parts = urlsplit(value)
        return repr(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= MOST else f"{text[:MOST]}..."


def nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """``; did you mean NAME?`` if one of the known names is like it.

    ``prefix``: what all names begin with besides.
    """
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {prefix}{found[0]}?" if found else ""


def unknown(key: str, name: str, known: Iterable[str], value: object = _NOTHING) -> Problem:
    """A key that does not exist."""
    names = sorted(known)
    wrong = f"there is no such key{nearest(name, names)}"
    return Problem(
        key,
        f"{wrong} Known are {', '.join(names)}"
        if "?" in wrong
        else f"{wrong}; known are {', '.join(names)}",
        value,
    )


def of_pydantic(
    error: ValidationError, model: type[BaseModel], where: str = ""
) -> Iterator[Problem]:
    """What a model of pydantic does not take. ``where``: begins every key."""
    for e in error.errors():
        cause = e.get("ctx", {}).get("error")
        if isinstance(cause, Problems):
            yield from cause.found
            continue
        place = [str(part) for part in e["loc"] if part != "[key]"]
        key = where + ".".join(place)
        kind, value = e["type"], e["input"]
        if kind == "extra_forbidden":
            yield unknown(key, place[-1], _fields_at(model, place[:-1]), value)
        elif kind == "missing":
            yield Problem(key, "is needed")
        elif kind == "literal_error":
            yield Problem(
                key, one_of(value, re.findall(r"'([^']*)'", str(e["ctx"]["expected"]))), value
            )
        else:
            yield Problem(key or where.rstrip(".: "), _plain(e["msg"]), value)


def of_struct(
    kind: type[msgspec.Struct], row: Mapping[str, Any], where: str, *, complete: bool = True
) -> Iterator[Problem]:
    """What a struct does not take, key by key: msgspec itself stops at the first.

    ``complete``: whether all it needs must be there.
    """
    hints = get_type_hints(kind, include_extras=True)
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    fields = {field.name: field for field in described.fields}
    tag = kind.__struct_config__.tag_field
    for name, value in row.items():
        if name == tag:
            continue
        if name not in fields:
            yield unknown(where + name, name, [*fields, *([tag] if tag else [])], value)
            continue
        try:
            msgspec.convert(value, hints[name])
        except (msgspec.ValidationError, ArithmeticError) as error:
            yield Problem(where + name, _wrong(fields[name].type, value) or str(error), value)
    if complete:
        for name, field in fields.items():
            if field.required and name not in row:
                yield Problem(where + name, f"is needed: {_allowed(field.type)}")


def one_of(value: object, choices: list[str]) -> str:
    """What is allowed instead of a value, or of an entry of a list."""
    entries = value if isinstance(value, list) else [value]
    wrong = next((str(entry) for entry in entries if entry not in choices), "")
    return f"must be one of {', '.join(choices)}{nearest(wrong, choices)}"


def _wrong(kind: inspect.Type, value: object) -> str:
    if choices := sorted(_choices(kind)):
        return one_of(value, choices)
    allowed = _allowed(kind)
    return f"must be {allowed}" if allowed else ""


def _plain(message: str) -> str:
    """The words of pydantic in ours."""
    message = message.removeprefix("Value error, ").replace("Input should be ", "must be ")
    message = re.sub(r"a valid integer.*", "a whole number", message)
    message = re.sub(
        r"a valid (number|boolean|string|list|dictionary).*",
        lambda found: _WORDS[found[1]],
        message,
    )
    return re.sub(
        r"\b(greater|less) than or equal to (\S+)",
        lambda found: f"at {_LEAST[found[1]]} {found[2]}",
        message,
    )


_WORDS = {
    "number": "a number",
    "boolean": "true or false",
    "string": "a text",
    "list": "a list",
    "dictionary": "a table",
}
_LEAST = {"greater": "least", "less": "most"}


def _fields_at(model: type[BaseModel], place: list[str]) -> list[str]:
    """The names that may stand at a place within a model."""
    for name in place:
        field = model.model_fields.get(name)
        if field is None or not (
            isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        ):
            return []
        model = field.annotation
    return list(model.model_fields)


def _choices(kind: inspect.Type) -> set[str]:
    """The texts that a type of fixed choices allows."""
    if isinstance(kind, inspect.LiteralType):
        return {str(value) for value in kind.values}
    if isinstance(kind, inspect.UnionType):
        return set[str]().union(*map(_choices, kind.types))
    return _choices(kind.item_type) if isinstance(kind, inspect.ListType) else set()


def _allowed(kind: inspect.Type) -> str:
    """What values a type has, in words."""
    match kind:
        case inspect.IntType() | inspect.FloatType() | inspect.DecimalType():
            word = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
            bounds = [
                f"{name} {bound:g}"
                for name, bound in (
                    ("at least", getattr(kind, "ge", None)),
                    ("greater than", getattr(kind, "gt", None)),
                    ("at most", getattr(kind, "le", None)),
                    ("less than", getattr(kind, "lt", None)),
                )
                if bound is not None
            ]
            return " ".join([word, " and ".join(bounds)]).rstrip()
        case inspect.BoolType():
            return "true or false"
        case inspect.StrType():
            return "a text"
        case inspect.DateType():
            return "a day, such as 2026-01-31"
        case inspect.ListType():
            return f"a list, each {_allowed(kind.item_type)}"
        case inspect.DictType():
            return f"a table, each value {_allowed(kind.value_type)}"
        case inspect.UnionType():
            return " or ".join(
                filter(
                    None,
                    map(_allowed, (t for t in kind.types if not isinstance(t, inspect.NoneType))),
                )
            )
        case inspect.LiteralType():
            return f"one of {', '.join(map(str, kind.values))}"
    return ""
