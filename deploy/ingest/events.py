"""``POST /v1/events``: a JSON array or JSON lines of ``{"topic": ..., "value": ...}``, free of I/O.

The value goes to Kafka in the bytes in which it came. Whether it is an event the worker's own
decoder says, so what is taken here is a row later, and what would be a dead letter is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec

from deploy.ingest.problems import BadEvent
from schemas.decoding import DECODERS, read_tree
from schemas.events import EventError, key_of
from streams.batches import Record

Kind = Literal["requests", "responses", "feedback", "evaluations"]


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    topic: Kind
    value: msgspec.Raw


class Accepted(NamedTuple):
    """An event that can be written. ``kind``: its topic without the prefix."""

    kind: Kind
    record: Record


_NEEDS = 'an object {"topic": ..., "value": ...}'
_AT = re.compile(r" - at `\$\.?(?P<path>.*)`$")
_MISSING = re.compile(r"^Object missing required field `(.*)`$")
_UNKNOWN = re.compile(r"^Object contains unknown field `(.*)`")
_OF_FIELD = re.compile(r"([A-Za-z_][\w.\[\]]*): (.*)", re.DOTALL)
_BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_document = msgspec.json.Decoder(msgspec.Raw).decode
_documents = msgspec.json.Decoder(list[msgspec.Raw]).decode
_entry = msgspec.json.Decoder(_Entry).decode


def read_events(body: bytes) -> list[Accepted]:
    """The events of a body, in order. Raises BadEvent for the first that is none: then nothing of
    the body is to be written."""
    events = [_accepted(place, text) for place, text in _split(body)]
    if not events:
        raise BadEvent(f"there is no event; send {_NEEDS} on each line, or an array of them")
    return events


def _split(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Each entry with its place."""
    begins = body.lstrip()
    if begins.startswith(b"["):
        yield from _places("item", _items(begins))
        return
    try:
        yield "line 1", bytes(_document(body))  # one event may span lines
    except _BAD_JSON:
        lines = body.split(b"\n")
        yield from (found for found in _places("line", lines) if found[1].strip())


def _places(name: str, texts: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    return ((f"{name} {number}", text) for number, text in enumerate(texts, 1))


def _items(array: bytes) -> Iterable[bytes]:
    try:
        return [bytes(item) for item in _documents(array)]
    except _BAD_JSON:
        try:
            tree, _ = read_tree(array)
        except EventError as error:
            raise BadEvent(error.reason) from None
        return [json.dumps(item).encode() for item in tree]


def _accepted(place: str, text: bytes) -> Accepted:
    try:
        entry = _entry(text)
    except msgspec.ValidationError as error:
        raise _of_entry(place, error) from None
    except _BAD_JSON:
        entry = _read_with_care(place, text)
    value = bytes(entry.value)
    try:
        event, _ = DECODERS[entry.topic](value)
    except EventError as error:
        raise _of_value(place, error.reason) from None
    return Accepted(entry.topic, Record(key_of(event).encode(), value))


def _read_with_care(place: str, text: bytes) -> _Entry:
    """The entry in JSON that the worker reads and the typed decoder does not: NaN, half surrogates,
    any depth."""
    try:
        tree, _ = read_tree(text)
    except EventError as error:
        raise BadEvent(error.reason, place) from None
    if isinstance(tree, dict) and "value" in tree:
        tree["value"] = msgspec.Raw(json.dumps(tree["value"]).encode())
    try:
        return msgspec.convert(tree, _Entry)
    except msgspec.ValidationError as error:
        raise _of_entry(place, error) from None


def _of_entry(place: str, error: msgspec.ValidationError) -> BadEvent:
    text = str(error)
    if missing := _MISSING.match(text):
        return BadEvent("required field is missing", place, missing[1])
    if unknown := _UNKNOWN.match(text):
        return BadEvent("unknown field; only topic and value go here", place, unknown[1])
    at = _AT.search(text)
    if at is not None and at["path"] == "topic":
        return BadEvent("expected one of requests, responses, feedback, evaluations", place, "topic")
    return BadEvent(f"expected {_NEEDS}", place)


def _of_value(place: str, reason: str) -> BadEvent:
    """A decoder's reason begins with the field, where one is at fault."""
    if of_field := _OF_FIELD.fullmatch(reason):
        return BadEvent(of_field[2], place, f"value.{of_field[1]}")
    return BadEvent(reason, place, "value")
