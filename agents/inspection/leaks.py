"""Where personal data was found in a call: in the question, in the context, or in the answer without having been in the question."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, get_args

import msgspec

from agents.inspection.pii import KINDS, Found

__all__ = ["DIRECTIONS", "Direction", "Sighting", "sightings"]

Direction = Literal["question", "context", "answer", "echo"]
"""`answer`: what the answer gives away; `echo`: what it repeats of the question."""

DIRECTIONS: Final = get_args(Direction)

_QUESTION: Final = ("messages", "prompt_variables", "params")
_CONTEXT: Final = ("documents", "system_instructions", "tools")
_ANSWER: Final = ("output", "tool_calls")

_TAG: Final = re.compile(rb"<((?:" + "|".join(KINDS).encode() + rb")):\d{1,4}>")
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Sighting(NamedTuple):
    """A kind of personal data and where it was."""

    direction: Direction
    kind: str


def sightings(line: bytes, found: Found) -> list[Sighting]:
    """Of an interaction's masked row. One value has one tag throughout a session, so tags tell what the answer repeats."""
    seen: set[Sighting] = set()
    for columns, direction in ((_QUESTION, "question"), (_CONTEXT, "context")):
        kinds = (kind for column in columns for kind in found.get(column, ()) if kind != "UNREAD")  # which may be anything
        seen.update(Sighting(direction, kind) for kind in kinds)  # type: ignore[arg-type]
    if any(column in found for column in _ANSWER):
        fields = _fields(line)
        asked = set(_tags(fields, _QUESTION))
        for tag, kind in _tags(fields, _ANSWER):
            seen.add(Sighting("echo" if (tag, kind) in asked else "answer", kind))
    return sorted(seen)


def _tags(fields: dict[str, msgspec.Raw], columns: tuple[str, ...]) -> Iterator[tuple[bytes, str]]:
    for column in columns:
        if (raw := fields.get(column)) is not None:
            for match in _TAG.finditer(bytes(raw)):
                yield match[0], match[1].decode()
