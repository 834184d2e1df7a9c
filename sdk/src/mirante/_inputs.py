"""What goes to a model: its texts, to be checked and changed, and its messages, to be published.

Inputs are what the providers' clients take: a text, a list of messages or of items, with content as
text or as parts. What the service itself wrote (system and developer messages) is not looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mirante._reading import plain

_OWN = ("system", "developer")
_TEXTS = ("content", "text", "input", "output", "arguments")
_BELOW = (*_TEXTS, "tool_calls", "function", "custom", "source")


def texts(value: Any) -> Iterator[str]:
    """Every text that users, tools and models wrote, the oldest first."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from texts(item)
    elif (members := _members(value)) is not None:
        for name, item in members.items():
            if name in _BELOW or _is_text_data(members, name):
                yield from texts(item)


def with_texts(value: Any, changed: Mapping[str, str]) -> Any:
    """A copy with texts replaced. Parts in which nothing changes are the given ones."""
    if isinstance(value, str):
        return changed.get(value, value)
    if isinstance(value, (list, tuple)):
        items = [with_texts(item, changed) for item in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    members = _members(value)
    if members is None:
        return value
    found = {}
    for name, item in members.items():
        if name in _BELOW or _is_text_data(members, name):
            new = with_texts(item, changed)
            if new is not item:
                found[name] = _still_json(item, new) if name == "arguments" else new
    return {**members, **found} if found else value


def _members(value: Any) -> dict[str, Any] | None:
    if value is None or isinstance(value, (int, float, bytes)):
        return None
    members = value if isinstance(value, dict) else plain(value)
    return members if isinstance(members, dict) and members.get("role") not in _OWN else None


def _is_text_data(members: Mapping[str, Any], name: str) -> bool:
    return name == "data" and members.get("type") == "text"


_BARE_TAG = re.compile(r'(?<!")<([A-Z]+)>(?!")')


def _still_json(old: Any, new: Any) -> Any:
    """A number in JSON text that has become a tag needs quotes."""
    if isinstance(old, str) and isinstance(new, str) and not _is_json(new) and _is_json(old):
        return _BARE_TAG.sub(r'"<\1>"', new)
    return new


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def messages(value: Any) -> list[dict[str, Any]] | None:
    """Inputs as the ``messages`` of a request event."""
    if value is None:
        return None
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if not isinstance(value, (list, tuple)):
        value = [value]
    return [_message(item) for item in value]


def _message(item: Any) -> dict[str, Any]:
    if isinstance(item, str):
        return {"role": "user", "content": item}
    members = item if isinstance(item, dict) else plain(item)
    if not isinstance(members, dict):
        return {"role": "user", "content": str(type(item).__name__)}
    kind = members.get("type")
    if "role" in members:
        return {
            name: value for name, value in members.items() if value is not None and name != "type"
        }
    if kind in ("function_call_output", "custom_tool_call_output"):
        output = members.get("output")
        content = (
            output if isinstance(output, str) or output is None else json.dumps(output, default=str)
        )
        return {"role": "tool", "content": content, "tool_call_id": members.get("call_id")}
    if kind in ("function_call", "custom_tool_call"):
        arguments = members.get("arguments", members.get("input"))
        call = {
            "id": members.get("call_id"),
            "function": {"name": members.get("name"), "arguments": arguments},
        }
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    return {"role": "user" if kind is None else str(kind), "content": [members]}
