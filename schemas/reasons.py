"""Why bytes are not an event, in words that name the field and the fault. What a decoder's errors
become."""

import json
import re
from typing import Any, get_args

import msgspec

from schemas.events import FeedbackKind, Status, shown
from schemas.formats import envelope, recognised

MAX_REASON = 500
"""Longest reason of an `EventError`, in characters."""

_AT = re.compile(r" - at `\$(?P<path>.*)`$", re.DOTALL)
_STEP = re.compile(r"([^.\[\]`]+)")
_MISSING = re.compile(r"^Object missing required field `(.*)`$")
_MALFORMED = re.compile(r"^JSON is malformed: (.*) \(byte (\d+)\)$")
_OF_RULES = ("time: ", "value: ", "response_id: ")
"""How the errors begin that events raise themselves: already in the form of a reason."""

_CHOICES: dict[str, tuple[str, ...]] = {"status": get_args(Status), "kind": get_args(FeedbackKind)}


UNKNOWN = "*"
"""Stands for a field when unknown fields are the fault."""


def field_of(error: Exception) -> str | None:
    """The field of the event in which `error` of the typed decoder lies, e.g. `usage`; None if it
    lies in no one field."""
    if not isinstance(error, msgspec.ValidationError):
        return None
    text = str(error)
    if text.startswith("Object contains unknown field"):
        return UNKNOWN
    at = text.rfind("`$.")
    step = _STEP.match(text, at + 3) if at >= 0 else None
    return step[1] if step is not None else None


def of_field(error: msgspec.ValidationError, tree: dict[str, Any]) -> str:
    """Why `tree` is not an event: the field at fault, what was expected and what was found."""
    if (text := str(error)).startswith(_OF_RULES):
        return _bounded(text)
    at = _AT.search(text)
    path = at["path"].lstrip(".") if at is not None else ""
    text = text[: at.start()] if at is not None else text
    if missing := _MISSING.match(text):
        reason = f"{path}.{missing[1]}".lstrip(".") + ": required field is missing"
        return _bounded(f"{reason}; {inside}" if (inside := envelope(tree)) is not None else reason)
    text = text.replace("`", "").replace(" | null", "")
    text = text[:1].lower() + text[1:]
    if ", got " not in text:
        found = tree.get(path)
        if text.startswith("invalid enum value"):
            text = f"expected one of {', '.join(_CHOICES[path])}, got {shown(found)}"
        else:
            text = f"{text}, got {shown(found)}"
    return _bounded(f"{path}: {text}")


def not_json(value: bytes) -> str:
    """Why `value` cannot be read as JSON, and what it is instead if that can be told."""
    if (name := recognised(value)) is not None:
        return name
    try:
        msgspec.json.decode(value)
    except UnicodeDecodeError as error:
        return _not_utf8(value, error)
    except msgspec.DecodeError as error:
        malformed = _MALFORMED.match(str(error))
        if (
            malformed is None or "surrogate" in malformed[1]
        ):  # not what is wrong: such text and numbers can be read
            return f"not valid JSON: {_fault(value)}"
        if malformed[1] == "trailing characters" and value[int(malformed[2]) - 1 :].startswith(
            b"{"
        ):
            at = malformed[2]
            return f"several JSON documents, the second at byte {at}: publish one event per record"
        return f"not valid JSON: {malformed[1]} at byte {malformed[2]}"
    except RecursionError:
        pass
    return "not valid JSON, and nested too deep to say where"


def _fault(value: bytes) -> str:
    """What the standard library says is wrong with `value`, which it is more exact about than
    msgspec."""
    try:
        json.loads(value.decode())
    except json.JSONDecodeError as error:
        at = len(error.doc[: error.pos].encode())
        if at >= len(value) or error.msg.startswith("Unterminated string"):
            return f"ends too early at byte {len(value)}"
        return f"{error.msg[:1].lower()}{error.msg[1:]} at byte {at}"
    except (ValueError, RecursionError):
        pass
    return "ends too early or has a character that is no text"


def _not_utf8(value: bytes, error: UnicodeDecodeError) -> str:
    try:
        value.decode()  # msgspec gives the position within the string, this one within the event
    except UnicodeDecodeError as whole:
        error = whole
    return f"not valid UTF-8: byte 0x{error.object[error.start]:02x} at byte {error.start}"


def _bounded(reason: str) -> str:
    return reason if len(reason) <= MAX_REASON else reason[: MAX_REASON - 3] + "..."
