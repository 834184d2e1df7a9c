"""Messages as each library writes them, to the messages of Mirante's events.

Read are the parts of OpenTelemetry (`gen_ai.input.messages`), of OpenAI's Chat and Responses APIs,
of Anthropic's blocks and of the AI SDK; flattened attributes are made objects first (`values.tree`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from agents.otlp.values import as_dict, as_list, parsed, short, text, written
from schemas.events import Message, ToolCall

_TEXT = frozenset({"text", "output_text", "input_text"})
_CALL = frozenset({"tool_call", "tool-call", "tool_use", "function_call", "function"})
_RESULT = frozenset({"tool_call_response", "tool-result", "tool_result", "function_call_output"})
_BESIDE = _CALL | _RESULT
"""What stands beside messages in the Responses API."""
_THOUGHT = frozenset({"reasoning", "thinking", "redacted_thinking"})
_MAX_ID = 512


class FirstAnswer(msgspec.Struct, frozen=True, gc=False):
    """What a model answered, of its first choice."""

    output: str = ""
    tool_calls: list[ToolCall] = []
    finish_reason: str = ""


class _Parts:
    """The content of one message, taken apart."""

    def __init__(self) -> None:
        self.content: list[Any] = []
        self.calls: list[dict[str, Any]] = []
        self.call_id = ""
        self.is_refused = False

    def add(self, part: Any) -> None:
        if isinstance(part, str):
            self._text(part)
            return
        if not isinstance(part, dict):
            return
        kind = _type(part)
        if kind in _TEXT or (kind is None and isinstance(part.get("text"), str)):
            self._text(text(part, "text", "content"))
        elif kind in _CALL:
            self.calls.append(_called(part))
        elif kind in _RESULT:
            self.call_id = self.call_id or text(part, "id", "toolCallId", "tool_use_id", "call_id")
            named = ("result", "response", "output", "content")
            self._text(written(next((part[name] for name in named if name in part), None)))
        elif kind == "refusal":
            self.is_refused = True
            self._text(text(part, "refusal", "content"))
        elif kind in _THOUGHT:
            self.content.append({"type": "reasoning", "reasoning": text(part, "content", "text")})
        else:
            self.content.append(part)

    def _text(self, found: str) -> None:
        if found:
            self.content.append({"type": "text", "text": found})

    def joined(self) -> str:
        """The text of it: blocks are pieces of one text."""
        return "".join(part.get("text", "") for part in self.content if part.get("type") == "text")

    def of_message(self) -> str | list[Any] | None:
        if not self.content:
            return None
        if len(self.content) == 1 and self.content[0].get("type") == "text":
            return str(self.content[0]["text"])
        return self.content


def messages_of(value: Any) -> list[Message]:
    """Messages that were sent to a model: an array of them, one, or the text of a user."""
    if isinstance(value, str):
        return [Message(role="user", content=value)] if value else []
    if isinstance(value, dict):
        inner = value.get("messages", value.get("input"))
        if isinstance(inner, str):
            return messages_of(inner)
        value = inner if isinstance(inner, list) else [value]
    found = (_message(item) for item in as_list(value))
    return [message for message in found if message is not None]


def answer_of(value: Any) -> FirstAnswer:
    """The first choice among messages that a model returned; its text, if it is no message."""
    if isinstance(value, str):
        return FirstAnswer(output=value)
    for item in [value] if isinstance(value, dict) else as_list(value):
        if isinstance(item, str):
            return FirstAnswer(output=item)
        if not isinstance(item, dict):
            continue
        inner = as_dict(item.get("message")) or item
        parts = _parts(inner)
        reason = text(item, "finish_reason", "finishReason", "stop_reason") or text(
            inner, "finish_reason"
        )
        if parts.is_refused and reason in ("", "stop"):
            reason = "refusal"
        output = parts.joined()
        if output or parts.calls or reason:
            return FirstAnswer(output, [_tool_call(call) for call in parts.calls], reason)
    return FirstAnswer()


def system_of(value: Any) -> str:
    """Instructions: text, or parts of text."""
    found = parsed(value)
    if found is None:
        return value if isinstance(value, str) else ""
    parts = _Parts()
    for part in found if isinstance(found, list) else [found]:
        parts.add(part)
    return "\n".join(part["text"] for part in parts.content if part.get("type") == "text")


def _message(item: Any) -> Message | None:
    if isinstance(item, str):
        return Message(role="user", content=item)
    if not isinstance(item, dict):
        return None
    parts = _parts(item)
    call_id = parts.call_id or text(item, "tool_call_id", "call_id")
    message = Message(
        role=short(item, "role") or None,
        content=parts.of_message(),
        name=short(item, "name") or None,
        tool_call_id=call_id[:_MAX_ID] or None,
        tool_calls=parts.calls or None,
    )
    is_empty = message.content is None and message.tool_calls is None
    return None if is_empty else message


def _parts(item: dict[str, Any]) -> _Parts:
    parts = _Parts()
    if _type(item) in _BESIDE:
        parts.add(item)
        return parts
    content = item.get("parts", item.get("content", item.get("text")))
    if isinstance(content, str):
        structured = parsed(content) if content[:2] in ("[{", "[]") else None
        content = structured if _are_parts(structured) else content
    if isinstance(content, dict):
        content = [content]
    for part in content if isinstance(content, list) else [content]:
        parts.add(part)
    if refusal := text(item, "refusal"):
        parts.add({"type": "refusal", "refusal": refusal})
    for call in as_list(item.get("tool_calls")):
        if isinstance(call, dict):
            parts.calls.append(_called(call))
    function = as_dict(item.get("function_call"))
    if function:
        parts.calls.append(_called(function))
    return parts


def _type(part: dict[str, Any]) -> str | None:
    kind = part.get("type")
    return kind if isinstance(kind, str) else None


def _are_parts(value: Any) -> bool:
    """Whether text that is JSON is the content of a message, and not what somebody wrote."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(part, dict) and "type" in part for part in value)
    )


def _called(call: dict[str, Any]) -> dict[str, Any]:
    """A call of a tool, in the form of OpenAI's Chat API."""
    function = as_dict(call.get("function")) or call
    arguments = next(
        (function[name] for name in ("arguments", "args", "input") if name in function), None
    )
    return {
        "id": text(call, "id", "toolCallId", "call_id"),
        "type": "function",
        "function": {
            "name": short(function, "name", "toolName") or short(call, "name"),
            "arguments": arguments,
        },
    }


def _tool_call(call: dict[str, Any]) -> ToolCall:
    function = call["function"]
    return ToolCall(name=function["name"], arguments=function["arguments"])
