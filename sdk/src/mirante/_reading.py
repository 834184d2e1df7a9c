"""What a provider's answer says, whichever library returned it.

Answers are recognised by their shape, as objects or as dicts: Chat Completions (OpenAI and whoever
speaks it), OpenAI Responses, Anthropic Messages, embeddings, plain text. What is not recognised is
read as an answer without text.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Path = tuple[Any, ...]
Slot = tuple[Any, ...]
"""Which of several texts of one stream: a choice, a content block."""


@dataclass
class Reading:
    """What the response event will say. ``usage`` stays as the provider counted."""

    output: str | None = None
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    usage: Any = None
    model: str | None = None
    response_id: str | None = None
    finish_reason: str | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None


def get(value: Any, name: Any, default: Any = None) -> Any:
    """A member of an object, a dict or a list."""
    if isinstance(value, Mapping):
        return value.get(name, default)
    if isinstance(name, int):
        return value[name] if isinstance(value, (list, tuple)) and name < len(value) else default
    return getattr(value, name, default)


def plain(value: Any) -> Any:
    """An object of a provider's library as dicts and lists."""
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        try:
            return dump(exclude_none=True, warnings=False)
        except TypeError:  # somebody else's model_dump
            return dump()
    if isinstance(value, Mapping):
        return dict(value)
    return value


def read(answer: Any) -> Reading:
    """What a whole answer says."""
    if isinstance(answer, str):
        return Reading(output=answer)
    found = Reading(
        model=_text(get(answer, "model")),
        response_id=_text(get(answer, "id")),
        system_fingerprint=_text(get(answer, "system_fingerprint")),
        service_tier=_text(get(answer, "service_tier")),
    )
    usage = get(answer, "usage")
    found.usage = plain(usage) if usage is not None else None
    if isinstance(choices := get(answer, "choices"), list):
        _read_choices(choices, found)
    elif isinstance(items := get(answer, "output"), list):
        _read_items(items, found)
        reason = get(get(answer, "incomplete_details"), "reason")
        found.finish_reason = _text(reason) or _text(get(answer, "status"))
    elif isinstance(blocks := get(answer, "content"), list):
        _read_blocks(blocks, found)
        found.finish_reason = _text(get(answer, "stop_reason"))
        found.service_tier = found.service_tier or _text(get(usage, "service_tier"))
    return found


def _read_choices(choices: list[Any], found: Reading) -> None:
    first = choices[0] if choices else None
    message = get(first, "message")
    found.finish_reason = _text(get(first, "finish_reason"))
    found.output = _content(get(message, "content")) or _text(get(message, "refusal"))
    if found.output is None:
        found.output = _text(get(first, "text"))
    for call in get(message, "tool_calls") or []:
        function = get(call, "function") or get(call, "custom") or {}
        arguments = get(function, "arguments", get(function, "input"))
        found.tool_calls.append({"name": _text(get(function, "name")), "arguments": arguments})


def _read_items(items: list[Any], found: Reading) -> None:
    texts: list[str] = []
    for item in items:
        kind = get(item, "type")
        if kind == "message":
            for part in get(item, "content") or []:
                text = _text(get(part, "text")) or _text(get(part, "refusal"))
                if text:
                    texts.append(text)
        elif kind in ("function_call", "custom_tool_call", "mcp_call"):
            arguments = get(item, "arguments", get(item, "input"))
            found.tool_calls.append({"name": _text(get(item, "name")), "arguments": arguments})
    found.output = "".join(texts) if texts else None


def _read_blocks(blocks: list[Any], found: Reading) -> None:
    texts = [text for b in blocks if get(b, "type") == "text" and (text := get(b, "text"))]
    found.output = "".join(texts) if texts else None
    for block in blocks:
        if get(block, "type") in ("tool_use", "server_tool_use", "mcp_tool_use"):
            arguments = plain(get(block, "input"))
            found.tool_calls.append({"name": _text(get(block, "name")), "arguments": arguments})


def texts(answer: Any) -> Iterator[tuple[Path, str]]:
    """Where an answer holds text that people may see, and the text."""
    if isinstance(answer, str):
        yield (), answer
    elif isinstance(choices := get(answer, "choices"), list):
        for number, choice in enumerate(choices):
            for path in (("message", "content"), ("text",)):
                if isinstance(text := at(choice, path), str):
                    yield ("choices", number, *path), text
    elif isinstance(items := get(answer, "output"), list):
        for number, item in enumerate(items):
            for place, part in enumerate(get(item, "content") or []):
                if isinstance(text := get(part, "text"), str) and get(item, "type") == "message":
                    yield ("output", number, "content", place, "text"), text
    elif isinstance(blocks := get(answer, "content"), list):
        for number, block in enumerate(blocks):
            if get(block, "type") == "text" and isinstance(text := get(block, "text"), str):
                yield ("content", number, "text"), text


def at(value: Any, path: Path) -> Any:
    for name in path:
        value = get(value, name)
    return value


def with_texts(answer: Any, changed: Mapping[Path, str]) -> Any:
    """The answer with other texts; the given one stays as it is. What a library parsed from the old
    text is removed."""
    if not changed:
        return answer
    if () in changed:
        return changed[()]
    answer = copied(answer)
    for path, text in changed.items():
        holder = at(answer, path[:-1])
        put(holder, path[-1], text)
        if get(holder, "parsed") is not None:
            put(holder, "parsed", None)
    return answer


def copied(value: Any) -> Any:
    """A deep copy."""
    copy_model = getattr(value, "model_copy", None)
    return copy_model(deep=True) if callable(copy_model) else copy.deepcopy(value)


def put(holder: Any, name: Any, value: Any) -> None:
    if isinstance(holder, (dict, list)):
        holder[name] = value
    else:
        setattr(holder, name, value)


def replaced(value: Any, old: str, new: str) -> Any:
    """A copy in which every string that is ``old`` is ``new``."""
    value = copied(value)
    _replace(value, old, new)
    return value


def _replace(value: Any, old: str, new: str) -> None:
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    elif hasattr(value, "__dict__"):
        members = [(name, item) for name, item in vars(value).items() if not name.startswith("_")]
    else:
        return
    for name, item in members:
        if isinstance(item, str):
            if item == old:
                put(value, name, new)
        else:
            _replace(item, old, new)


class StreamReading:
    """What a stream says, chunk by chunk.

    ``feed`` a chunk as it came; ``deltas`` says which texts it adds to, ``ends`` whether texts end
    with it. ``reading`` is what has been read so far.
    """

    def __init__(self) -> None:
        self.reading = Reading()
        self._texts: dict[Slot, list[str]] = {}
        self._tools: dict[Any, dict[str, Any]] = {}
        self._usage: dict[str, Any] | None = None
        self._chat = False

    def deltas(self, chunk: Any) -> dict[Slot, str]:
        """Texts that a chunk adds, by slot."""
        if isinstance(chunk, str):
            return {(): chunk}
        if isinstance(choices := get(chunk, "choices"), list):
            found: dict[Slot, str] = {}
            for place, choice in enumerate(choices):
                for path in (("delta", "content"), ("text",)):
                    if isinstance(text := at(choice, path), str) and text:
                        found[(get(choice, "index", place),)] = text
            return found
        kind = get(chunk, "type")
        if kind == "response.output_text.delta":
            return {
                (get(chunk, "output_index"), get(chunk, "content_index")): get(chunk, "delta") or ""
            }
        if kind == "content_block_delta" and get(get(chunk, "delta"), "type") == "text_delta":
            return {(get(chunk, "index"),): get(get(chunk, "delta"), "text") or ""}
        return {}

    def with_deltas(self, chunk: Any, texts: Mapping[Slot, str]) -> Any:
        """A copy of the chunk that adds these texts instead; of a text chunk only."""
        if isinstance(chunk, str):
            return texts[()]
        chunk = copied(chunk)
        if isinstance(choices := get(chunk, "choices"), list):
            for place, choice in enumerate(choices):
                slot = (get(choice, "index", place),)
                delta = get(choice, "delta")
                holder, name = (choice, "text") if delta is None else (delta, "content")
                if get(holder, name) or slot in texts:
                    put(holder, name, texts.get(slot, ""))
        elif get(chunk, "type") == "response.output_text.delta":
            put(chunk, "delta", next(iter(texts.values())))
        else:
            put(get(chunk, "delta"), "text", next(iter(texts.values())))
        return chunk

    def without(self, chunk: Any) -> bool:
        """Whether a chunk is nothing without its texts, so that it can be left out when they are
        held."""
        if isinstance(choices := get(chunk, "choices"), list):
            return (
                all(
                    get(choice, "finish_reason") is None
                    and not get(get(choice, "delta"), "tool_calls")
                    and not get(get(choice, "delta"), "role")
                    for choice in choices
                )
                and get(chunk, "usage") is None
            )
        return True

    def ends(self, chunk: Any) -> list[Slot]:
        """Texts that are complete before or with this chunk."""
        if isinstance(chunk, str):
            return []
        if isinstance(choices := get(chunk, "choices"), list):
            return [
                (get(c, "index", n),)
                for n, c in enumerate(choices)
                if get(c, "finish_reason") is not None
            ]
        kind = get(chunk, "type")
        if kind == "response.output_text.done":
            return [(get(chunk, "output_index"), get(chunk, "content_index"))]
        if kind == "content_block_stop":
            return [(get(chunk, "index"),)]
        return []

    def feed(self, chunk: Any) -> None:
        found = self.reading
        for slot, text in self.deltas(chunk).items():
            self._texts.setdefault(slot, []).append(text)
        if isinstance(chunk, str):
            return
        kind = get(chunk, "type")
        if isinstance(choices := get(chunk, "choices"), list):
            self._feed_chat(chunk, choices)
        elif isinstance(kind, str) and kind.startswith("response."):
            if (response := get(chunk, "response")) is not None:
                whole = read(response)
                self.reading = whole
                if kind in ("response.completed", "response.incomplete", "response.failed"):
                    self._tools = {}
                    for number, call in enumerate(whole.tool_calls):
                        self._tools[number] = call
        elif kind == "message_start":
            start = read(get(chunk, "message"))
            start.output, start.finish_reason = None, None
            self.reading = start
            self._usage = start.usage if isinstance(start.usage, dict) else None
        elif kind == "message_delta":
            found.finish_reason = (
                _text(get(get(chunk, "delta"), "stop_reason")) or found.finish_reason
            )
            usage = plain(get(chunk, "usage"))
            if isinstance(usage, dict):
                self._usage = {
                    **(self._usage or {}),
                    **{k: v for k, v in usage.items() if v is not None},
                }
                found.usage = self._usage
        elif (
            kind == "content_block_start" and get(get(chunk, "content_block"), "type") == "tool_use"
        ):
            block = get(chunk, "content_block")
            self._tools[get(chunk, "index")] = {"name": _text(get(block, "name")), "arguments": ""}
        elif (
            kind == "content_block_delta" and get(get(chunk, "delta"), "type") == "input_json_delta"
        ):
            tool = self._tools.get(get(chunk, "index"))
            if tool is not None:
                tool["arguments"] += get(get(chunk, "delta"), "partial_json") or ""

    def _feed_chat(self, chunk: Any, choices: list[Any]) -> None:
        found = self.reading
        self._chat = True
        found.model = _text(get(chunk, "model")) or found.model
        found.response_id = _text(get(chunk, "id")) or found.response_id
        found.system_fingerprint = (
            _text(get(chunk, "system_fingerprint")) or found.system_fingerprint
        )
        found.service_tier = _text(get(chunk, "service_tier")) or found.service_tier
        if (usage := get(chunk, "usage")) is not None:
            found.usage = plain(usage)
        for place, choice in enumerate(choices):
            if get(choice, "index", place) != 0:
                continue
            found.finish_reason = _text(get(choice, "finish_reason")) or found.finish_reason
            for call in get(get(choice, "delta"), "tool_calls") or []:
                function = get(call, "function")
                tool = self._tools.setdefault(
                    get(call, "index", 0), {"name": None, "arguments": ""}
                )
                tool["name"] = _text(get(function, "name")) or tool["name"]
                tool["arguments"] += get(function, "arguments") or ""

    def said(self) -> dict[Slot, str]:
        """The texts so far."""
        return {slot: "".join(parts) for slot, parts in self._texts.items()}

    def result(self) -> Reading:
        """What has been read; of several choices the first one's text."""
        found = self.reading
        said = self.said()
        if said:
            slots = sorted(said, key=lambda slot: [n if isinstance(n, int) else 0 for n in slot])
            if self._chat:
                slots = slots[:1]
            found.output = "".join(said[slot] for slot in slots)
        if self._tools:
            found.tool_calls = [_loaded(tool) for _, tool in sorted(self._tools.items())]
        return found


def _loaded(tool: dict[str, Any]) -> dict[str, Any]:
    arguments = tool.get("arguments")
    if isinstance(arguments, str) and not arguments:
        return {**tool, "arguments": "{}"}
    return tool


def _content(content: Any) -> str | None:
    if isinstance(content, list):
        parts = [text for part in content if isinstance(text := get(part, "text"), str)]
        return "".join(parts) if parts else None
    return _text(content)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def encode(value: Any) -> bytes:
    """JSON on one line. What JSON does not know becomes text; surrogates become question marks."""
    try:
        text = json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_unknown
        )
    except (ValueError, TypeError, RecursionError):
        text = json.dumps(_jsonable(value), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _unknown(value: Any) -> Any:
    found = plain(value)
    if found is not value:
        return found
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return f"<{type(value).__name__}>"


def _jsonable(value: Any, depth: int = 0) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else float(value) if abs(value) < 1 << 1000 else None
    if isinstance(value, float):
        return value if value == value and abs(value) < 1e300 else None
    if depth > 60:
        return "<too deep>"
    if isinstance(value, Mapping):
        return {str(k): _jsonable(v, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_jsonable(v, depth + 1) for v in value]
    found = _unknown(value)
    return _jsonable(found, depth + 1)
