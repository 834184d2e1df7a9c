"""Format `events`: JSON lines `{"topic": ..., "key": ..., "value": ...}`, published as they stand.

`topic`: `requests`, `responses`, `feedback`, `evaluations`, alone or after `llm.` or the configured prefix.
`key`: text; null publishes without a key; absent: the value's `session_id`, else `request_id`, else `response_id`.
`value`: an object (or any other JSON) is published byte for byte as written; text is published as that text, so it may
be anything, also what is not JSON; `{"base64": "..."}` publishes the bytes. The last two are for faulty events.

A line is published when its `time` is reached, or with the line before it if it has none or an earlier one: the order
of the file is kept, so a file may hold events that come late. Shifting rewrites `time` in objects; text and bytes are
opaque and stay.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from deploy.traffic.files import fault, lines
from deploy.traffic.record import AT_ONCE, SUFFIXES, Shift, TimedRecord, datetime_us, rfc3339


class _EventLine(msgspec.Struct):
    topic: str
    value: msgspec.Raw
    key: str | msgspec.UnsetType | None = msgspec.UNSET


_line = msgspec.json.Decoder(_EventLine)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode


def _string(raw: msgspec.Raw | None) -> str | None:
    if raw is None or not bytes(raw).startswith(b'"'):
        return None
    return _text.decode(raw)


def _time_us(fields: dict[str, msgspec.Raw]) -> int | None:
    """The value's time, or None if it has none that can be read: the event may be faulty on purpose."""
    text = _string(fields.get("time"))
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    # A time without zone is against the contract: shifting must not repair it.
    return None if moment.tzinfo is None else datetime_us(moment)


def _value(raw: msgspec.Raw, shift: Shift) -> tuple[bytes, int | None, str | None]:
    """(bytes to publish, event time, key for want of a better one)."""
    data = bytes(raw)
    if data.startswith(b'"'):
        return _text.decode(data).encode(), None, None
    if not data.startswith(b"{"):
        return data, None, None
    fields = _fields.decode(data)
    if fields.keys() == {"base64"}:
        text = _string(fields["base64"])
        if text is None:
            raise ValueError("base64 must be text")
        return base64.b64decode(text, validate=True), None, None
    at_us = _time_us(fields)
    if at_us is not None:
        at_us = shift(at_us)
        if shift.active:
            fields["time"] = msgspec.Raw(_encode(rfc3339(at_us)))
            data = _encode(fields)
    key = None
    for name in ("session_id", "request_id", "response_id"):
        key = _string(fields.get(name))
        if key:
            break
    return data, at_us, key


def read(
    path: Path,
    *,
    prefix: str = "llm.",
    shift_to: datetime | None = None,
    limit: int | None = None,
) -> Iterator[TimedRecord]:
    """The file's lines in its order. Raises `TrafficError` naming file and line for a line that is not of this form."""
    topics = {before + suffix: suffix for before in ("", "llm.", prefix) for suffix in SUFFIXES}
    shift = Shift(shift_to)
    reached = AT_ONCE
    for row, (number, line) in enumerate(lines(path)):
        if limit is not None and row >= limit:
            return
        try:
            entry = _line.decode(line)
            value, at_us, key = _value(entry.value, shift)
        except (msgspec.MsgspecError, binascii.Error, ValueError) as error:
            raise fault(path, number, f"not an event line: {error}. Correct or remove it.") from error
        except RecursionError as error:
            raise fault(path, number, "nested too deeply to read; give the value as text or base64.") from error
        topic = topics.get(entry.topic)
        if topic is None:
            known = ", ".join("llm." + name for name in SUFFIXES)
            raise fault(path, number, f"unknown topic {entry.topic!r}; use one of {known}.")
        if entry.key is not msgspec.UNSET:
            key = entry.key
        if at_us is not None:
            reached = max(reached, at_us / 1e6)
        yield TimedRecord(reached, topic, None if key is None else key.encode(), value)
