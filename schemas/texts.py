"""The text of messages, whose content is a string or a list of parts."""

from __future__ import annotations


def text_of(content: object) -> str:
    """The text of a message's content: a string, or the parts that have text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return " ".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
