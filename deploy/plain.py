"""Text of events, made harmless where it could be taken for more than text: in a terminal, a chat, a spreadsheet.

The only place where that is done. Who prints or sends what an event says passes it through here.
"""

from __future__ import annotations

import json
import re
from typing import Any

_CONTROL = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # but tab and line feed
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"  # what turns the direction of the text around, or ends a line
    "\ufff9-\ufffb\ud800-\udfff"
)
_HIDDEN = re.compile(f"[{_CONTROL}]")
_HIDDEN_IN_LINE = re.compile(f"[{_CONTROL}\t\n]")
_SHORT = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}

_BREAK = "\u200b"
"""A space of no width: what it stands in is read as ever, and no program takes it for a mention or an address."""
_MENTION = re.compile(r"<(?=[!@#])|@(?=[\w!&])|(?<=[a-zA-Z]):(?=//)|(?<=mailto|script):", re.IGNORECASE)

_FORMULA = re.compile(rb'(^|[,\r\n])"(?=[=+\-@\t\r\n]|\xef\xbc[\x9d\x8b\x8d\xa0])')


def printable(text: str) -> str:
    """``text`` for a terminal: control characters are shown as escapes (``\\x1b``) and do nothing; tabs and line breaks stay."""
    return _HIDDEN.sub(_shown, text)


def one_line(text: str) -> str:
    """The same in one line: tabs and line breaks are shown, too."""
    return _HIDDEN_IN_LINE.sub(_shown, text)


def json_text(value: Any, **options: Any) -> str:
    """``value`` as JSON that can be shown in a terminal: readers get the same value, whatever is in it."""
    return _HIDDEN.sub(_escaped, json.dumps(value, ensure_ascii=False, **options))


def for_chat(text: str) -> str:
    """``text`` for a message that people get: it calls nobody (``@here``, ``<!channel>``) and links nowhere."""
    return _MENTION.sub(_broken, printable(text))


def for_slack(text: str) -> str:
    """The same in Slack's mrkdwn, https://docs.slack.dev/messaging/formatting-message-text."""
    text = for_chat(text).replace("`", "'")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def for_spreadsheet(csv: bytes) -> bytes:
    """CSV as ClickHouse writes it (texts in quotes, numbers bare) in which no text is a formula: such a one begins with an apostrophe
    (OWASP, CSV injection)."""
    return _FORMULA.sub(rb"""\1"'""", csv)


def _shown(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"


def _broken(match: re.Match[str]) -> str:
    return match.group() + _BREAK
