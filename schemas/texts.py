"""The text of messages, whose content is a string or a list of parts."""

from __future__ import annotations

from typing import Any


def text_of(content: object) -> str:
    """The text of a message's content: a string, or the parts that have text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return " ".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))


def question_of(messages: list[dict[str, Any]]) -> str:
    """The last message of a user (or of nobody in particular), as text; '' if there is none."""
    for message in reversed(messages):
        if message.get("role") in ("user", None):
            return text_of(message.get("content"))
    return ""
