"""Attributes read without trust: any may have any type, size or content."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from schemas.events import MAX_NAME, MAX_TOKENS

MAX_TEXT = 4 * 1024 * 1024
"""Longest text that is parsed, in characters."""
_MAX_REPR = 64 * 1024
"""Longest Python repr that is parsed: Python's parser takes 100 times as long as JSON's."""
_MAX_LEVELS = 32
"""Deepest nesting of what is parsed; what lies deeper is left out (None)."""
_MAX_PATH = 12
"""Most levels of a flattened name."""
_MAX_DIGITS = 24


def text(attributes: Mapping[str, Any], *names: str) -> str:
    """The first of these attributes that says something; numbers are ids written as such."""
    for name in names:
        value = attributes.get(name)
        if value is None:
            continue
        if isinstance(value, str):
            if value:
                return value
        elif isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return ""


def short(attributes: Mapping[str, Any], *names: str) -> str:
    """The same, cut to the length a name may have."""
    return text(attributes, *names)[:MAX_NAME]


def number(value: Any) -> float | None:
    """A finite number, also one written as text, as LiteLLM does."""
    if isinstance(value, str) and len(value) <= _MAX_DIGITS:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        value = float(value)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def count(value: Any) -> int | None:
    """A number of tokens."""
    found = value if value.__class__ is int else number(value)
    return int(found) if found is not None and 0 <= found <= MAX_TOKENS else None


def positive(value: Any, most: float) -> float | None:
    """A number above 0 and at most `most`: costs of 0 are those that nobody computed."""
    found = number(value)
    return found if found is not None and 0 < found <= most else None


def flag(value: Any) -> bool | None:
    """True or false, also as Python or JSON writes it."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def parsed(value: Any) -> Any:
    """What an attribute holds: structure as it is, or JSON in text. None if it is neither."""
    if isinstance(value, str):
        if len(value) > MAX_TEXT or value.lstrip()[:1] not in ("{", "[", '"'):
            return None
        try:
            found = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
        is_shallow = value.count("{") + value.count("[") <= _MAX_LEVELS
        return found if is_shallow else plain(found)
    return plain(value) if isinstance(value, dict | list) else None


def literal(value: Any) -> Any:
    """The same, of text that may also be the repr of a Python object. Nothing is evaluated."""
    found = parsed(value)
    if found is not None or not isinstance(value, str):
        return found
    if len(value) > _MAX_REPR or value[:1] not in ("{", "["):
        return None
    try:
        # There and back: what JSON cannot hold (sets, bytes, half surrogates) is no attribute.
        return plain(orjson.loads(orjson.dumps(ast.literal_eval(value))))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def plain(value: Any, levels: int = _MAX_LEVELS) -> Any:
    """`value` without what lies too deep."""
    if isinstance(value, dict):
        return {k: plain(v, levels - 1) for k, v in value.items()} if levels else None
    if isinstance(value, list):
        return [plain(v, levels - 1) for v in value] if levels else None
    return value


def as_dict(value: Any) -> dict[str, Any]:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """`value` if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def written(value: Any) -> str:
    """Any value as text: text as it is, structure as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(plain(value)).decode()


def below(attributes: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The attributes under a prefix that ends in a dot, without it."""
    size = len(prefix)
    return {k[size:]: v for k, v in attributes.items() if k.startswith(prefix)}


def tree(attributes: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Flattened attributes as objects: `prefix.0.role` is `["0"]["role"]`."""
    found: dict[str, Any] = {}
    for name, value in below(attributes, prefix).items():
        *path, last = name.split(".", _MAX_PATH)
        node = found
        for key in path:
            inner = node.setdefault(key, {})
            if not isinstance(inner, dict):  # a value and an object of the same name
                inner = node[key] = {}
            node = inner
        if not isinstance(node.get(last), dict):
            node[last] = value
    return found


def items(node: Any) -> list[Any]:
    """The elements of a flattened array, in order."""
    numbered = [(int(k), v) for k, v in as_dict(node).items() if k.isdecimal() and len(k) < 10]
    return [value for _, value in sorted(numbered, key=lambda item: item[0])]


def first(values: Iterable[Any]) -> Any:
    """The first that says something, else None."""
    return next((value for value in values if value), None)
