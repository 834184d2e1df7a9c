"""Whether an answer is the JSON that was asked for.

`jsonschema-rs` validates in microseconds where pure Python takes milliseconds, covers all drafts, never follows a remote reference
(`offline`), and matches patterns in linear time or, with look-around, with a limit on backtracking. What it does not bound is the number
of times a schema can make it look at one value, so that is bounded here: twenty definitions that each refer to the next twice ask
for a million looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import jsonschema_rs
import msgspec

__all__ = ["UNCHECKED", "Validity", "validity"]

_MOST_SCHEMA: Final = 65_536
_MOST_ANSWER: Final = 1_048_576
"""Bytes of a schema, characters of an answer; larger ones are not checked."""
_MOST_LOOKS: Final = 2_000
"""At one value."""
_MOST_PATTERNS: Final = 50
"""In one schema: a compiled pattern may take up to a megabyte."""
_CACHED: Final = 64
"""Compiled schemas per process."""
_MOST_PATH: Final = 200
"""Characters of a path."""

_PATTERNS: Final = jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000, size_limit=1 << 20, dfa_size_limit=1 << 20)

_HERE = ("allOf", "anyOf", "oneOf")
_HERE_ONE = ("not", "if", "then", "else")
_BELOW_ONE = ("additionalProperties", "unevaluatedProperties", "propertyNames", "contains", "additionalItems", "unevaluatedItems")


class Validity(NamedTuple):
    """`valid`: None if there is nothing to say. `error`: where the first error is and which keyword it breaks (`/items/3/price: type`), or
    why nothing could be said. It never holds a value of the answer."""

    valid: bool | None
    error: str = ""


UNCHECKED: Final = Validity(None)


class _Unusable(ValueError):
    """Why a schema can not be used to check anything."""


def validity(schema: Mapping[str, Any] | bool, answer: str) -> Validity:
    """Check the text `answer` against a JSON Schema (draft 4 to 2020-12; without `$schema` the newest). `format` is not checked."""
    written = msgspec.json.encode(schema)
    if len(written) > _MOST_SCHEMA:
        return Validity(None, f"schema is larger than {_MOST_SCHEMA} bytes")
    checker = _compiled(written)
    if isinstance(checker, str):
        return Validity(None, checker)
    if len(answer) > _MOST_ANSWER:
        return Validity(None, f"answer is longer than {_MOST_ANSWER} characters")
    try:
        value = msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Validity(False, "not JSON, but a code block" if answer.lstrip().startswith("```") else "not JSON")
    return checker.check(value)


class _Checker:
    """A compiled schema."""

    def __init__(self, schema: Any) -> None:
        self._validator = jsonschema_rs.validator_for(schema, validate_formats=False, offline=True, pattern_options=_PATTERNS)
        self._looks = _Looks(schema)
        self._free = self._looks.most(0) == self._looks.most(64)
        """Whether the depth of the answer does not matter, as without recursion."""

    def check(self, value: Any) -> Validity:
        if not self._free and self._looks.most(_depth(value)) > _MOST_LOOKS:
            return Validity(None, "checking an answer this deep against this recursive schema would take too long")
        try:
            if self._validator.is_valid(value):
                return Validity(True)
            error = next(iter(self._validator.iter_errors(value)))
        except ValueError as failure:  # deeper than the library goes
            return Validity(None, f"not checked: {failure}"[:_MOST_PATH])
        path = "".join(f"/{step}" for step in error.instance_path)
        return Validity(False, f"{path[:_MOST_PATH]}: {error.schema_path[-1] if error.schema_path else 'false'}")


@lru_cache(maxsize=_CACHED)
def _compiled(schema: bytes) -> _Checker | str:
    """The checker of an encoded schema, or why there is none."""
    try:
        decoded = msgspec.json.decode(schema)
        if _Looks(decoded).most(0) > _MOST_LOOKS:
            raise _Unusable("it would look at one value too many times")
        if _patterns(decoded) > _MOST_PATTERNS:
            raise _Unusable(f"it has more than {_MOST_PATTERNS} patterns")
        return _Checker(decoded)
    except jsonschema_rs.ValidationError as error:
        path = "".join(f"/{step}" for step in error.instance_path)
        return f"schema is not usable at {path[:_MOST_PATH] or '/'}"
    except (ValueError, RecursionError) as error:  # also _Unusable, and ReferencingError of the library
        return f"schema is not usable: {error}"[:_MOST_PATH]


class _Looks:
    """How many schemas may be applied to one value, at most.

    Every way from the root to a value counts: those of `allOf`, `anyOf`, `oneOf`, `if` and `$ref` at the value itself, those of
    `properties`, `items` and the like on the way down. Of properties the worst counts, as each is another value. References are followed
    inside the document only; a circle at one value, anchors and dynamic references are refused.
    """

    def __init__(self, root: Any) -> None:
        self._root = root
        self._known: dict[tuple[int, int], int] = {}
        self._open: set[tuple[int, int]] = set()

    def most(self, depth: int) -> int:
        """For values that are nested `depth` deep. Raises _Unusable."""
        return self._most(self._root, depth)

    def _most(self, schema: Any, depth: int) -> int:
        if not isinstance(schema, dict):
            return 1
        key = id(schema), depth
        if (known := self._known.get(key)) is not None:
            return known
        if key in self._open:
            raise _Unusable("it refers to itself")
        if schema is not self._root and ("$id" in schema or ("id" in schema and isinstance(schema["id"], str))):
            raise _Unusable("$id inside a schema is not supported")
        if "$dynamicRef" in schema or "$recursiveRef" in schema:
            raise _Unusable("dynamic references are not supported")
        self._open.add(key)
        looks = 1 + sum(self._most(child, depth) for child in self._here(schema))
        if depth > 0:
            looks += self._below(schema, depth - 1)
        self._open.discard(key)
        self._known[key] = looks = min(looks, 10 * _MOST_LOOKS)
        return looks

    def _here(self, schema: Mapping[str, Any]) -> Iterator[Any]:
        for name in _HERE:
            if isinstance(children := schema.get(name), list):
                yield from children
        for name in _HERE_ONE:
            if name in schema:
                yield schema[name]
        for name in ("dependentSchemas", "dependencies"):
            if isinstance(named := schema.get(name), dict):
                yield from named.values()
        if isinstance(reference := schema.get("$ref"), str):
            yield self._target(reference)

    def _below(self, schema: Mapping[str, Any], depth: int) -> int:
        looks = sum(self._most(schema[name], depth) for name in _BELOW_ONE if name in schema)
        if isinstance(patterns := schema.get("patternProperties"), dict):
            looks += sum(self._most(child, depth) for child in patterns.values())
        if isinstance(properties := schema.get("properties"), dict):
            looks += max((self._most(child, depth) for child in properties.values()), default=0)
        for name in ("items", "prefixItems"):
            if isinstance(items := schema.get(name), list):
                looks += max((self._most(child, depth) for child in items), default=0)
            elif items is not None:
                looks += self._most(items, depth)
        return looks

    def _target(self, reference: str) -> Any:
        if reference != "#" and not reference.startswith("#/"):
            raise _Unusable("references outside the schema and to anchors are not followed")
        found = self._root
        for step in reference[2:].split("/") if len(reference) > 1 else ():
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdigit() and int(name) < len(found):
                found = found[int(name)]
            elif isinstance(found, dict) and name in found:
                found = found[name]
            else:
                raise _Unusable("a reference leads nowhere")
            if isinstance(found, dict) and found is not self._root and isinstance(found.get("$id"), str):
                raise _Unusable("$id inside a schema is not supported")
        return found


def _patterns(value: Any) -> int:
    """Regular expressions in a schema, at least."""
    found = sum(map(_patterns, _inside(value)))
    if isinstance(value, dict):
        named = value.get("patternProperties")
        found += isinstance(value.get("pattern"), str) + (len(named) if isinstance(named, dict) else 0)
    return found


def _depth(value: Any) -> int:
    """How deep lists and objects are nested."""
    depth, level = 0, [value]
    while level := [item for held in level for item in _inside(held)]:
        depth += 1
    return depth


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
