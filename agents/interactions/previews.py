"""What the table `deadletter` shows of a record that could not be processed: how it begins, without personal data.

The original bytes are in the dead-letter topic alone, from which `mirante deadletter replay` sends them back.
"""

from __future__ import annotations

import base64
import re

import msgspec

from agents.inspection.pii import Tagger, mask, mask_json
from schemas.depth import too_deep
from schemas.outputs import DeadLetter
from streams.deadletters import POISON, withheld

MOST_READ = 8_192
"""Bytes that are looked at: a letter may be as large as a message of Kafka."""
MOST_SHOWN = 2_000
_MARGIN = 128
"""Characters at a cut that are not shown: a number that the cut goes through is not known for one."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ESCAPED = re.compile(r"\\u(00[2-7][0-9a-fA-F])|\\(/)")
_SUSPECT = re.compile(r"""[^\s"',:;{}\[\]]*[0-9@][^\s"',:;{}\[\]]*""")


class Previews:
    """``secret``: of the tags, as of the rows' (agents/inspection/masking.py)."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __call__(self, letter: DeadLetter) -> DeadLetter:
        """The letter as its table holds it: key, value and headers as base64 of masked text, the reason masked. What has killed
        workers is not looked at again, so nothing of it is shown."""
        if letter.stage == POISON:
            return withheld(letter)
        key = base64.b64decode(letter.key or "")
        tag = Tagger(key.decode(errors="replace"), self._secret)
        return msgspec.structs.replace(
            letter,
            reason=mask(letter.reason, tag)[0],
            key=_masked(letter.key, tag),
            value=_masked(letter.value, tag),
            headers=[(mask(name, tag)[0], _masked(value, tag)) for name, value in letter.headers],
        )


def _masked(data: str | None, tag: Tagger) -> str | None:
    return None if data is None else base64.b64encode(preview(base64.b64decode(data), tag).encode("utf-8", "replace")).decode()


def preview(data: bytes, tag: Tagger) -> str:
    """How ``data`` begins, personal data masked. What holds none is shown as it was written."""
    if len(data) <= MOST_READ and (json := _json(data)) is not None:
        masked, found = mask_json(json, tag)
        if found:
            return _cut(masked.decode()[len(b'{"":') : -1], MOST_SHOWN)
    text = data[:MOST_READ].decode(errors="replace")
    # With control characters it is no text, or they break off words: what is in it can not be told.
    shown = _SUSPECT.sub("<UNREAD>", text) if _CONTROLS.search(text) else _masked_text(text, tag)
    if len(data) > MOST_READ:
        return _cut(shown[:-_MARGIN], MOST_SHOWN - 1) + "…"
    return _cut(shown, MOST_SHOWN)


def _masked_text(text: str, tag: Tagger) -> str:
    """Escapes of JSON hide what they stand for."""
    masked, spans = mask(_ESCAPED.sub(_unescaped, text), tag)
    return masked if spans else text


def _json(data: bytes) -> bytes | None:
    """``data``, if it is JSON, as the value of an object: written anew, so that nothing is in it twice or hidden by escapes."""
    try:
        return None if too_deep(data) else b'{"":%b}' % msgspec.json.encode(msgspec.json.decode(data))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None  # it is shown as text


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else "/"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
