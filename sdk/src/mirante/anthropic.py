"""Anthropic's client, guarded: Messages; plain, streamed (both ways), async."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from mirante._guard import Call
from mirante._reading import copied, get, put
from mirante._wrap import AnyClient, Api, install

T = TypeVar("T")


def wrap(anthropic_client: T, client: AnyClient, **defaults: Any) -> T:
    """A copy of an ``Anthropic`` or ``AsyncAnthropic`` client whose calls are guarded and
    published. Its methods take one argument more, ``mirante={...}``: what
    :meth:`mirante.Client.call` takes as ``options``, for this call; ``defaults`` are the same for
    all.

    Where a fallback text takes an answer's place it comes as a ``Message`` with
    ``stop_reason="refusal"``.

    Example::

        anthropic_client = mirante.anthropic.wrap(Anthropic(), client, feature="support")
        message = anthropic_client.messages.create(
            model="claude-sonnet-4-5", max_tokens=500, messages=messages, mirante={"session_id":
            "s1"},
        )
    """
    import anthropic

    if not isinstance(anthropic_client, (anthropic.Anthropic, anthropic.AsyncAnthropic)):
        raise TypeError("wrap takes an anthropic.Anthropic or anthropic.AsyncAnthropic")
    wrapped: Any = anthropic_client.with_options()
    install(
        wrapped, client, defaults, isinstance(anthropic_client, anthropic.AsyncAnthropic), _PLACES
    )
    for name in ("with_options", "copy"):
        again = getattr(wrapped, name)
        setattr(
            wrapped,
            name,
            lambda _again=again, **options: wrap(_again(**options), client, **defaults),
        )
    return wrapped  # type: ignore[no-any-return]


def _fields(call: Call, content: list[dict[str, Any]], reason: str | None) -> dict[str, Any]:
    return {
        "id": call.response_id, "type": "message", "role": "assistant", "model": call.model,
        "content": content, "stop_reason": reason, "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }  # fmt: skip


def _message(call: Call, text: str) -> Any:
    from anthropic.types import Message

    return Message.model_validate(_fields(call, [{"type": "text", "text": text}], "refusal"))


def _event(**fields: Any) -> Any:
    from anthropic.types import RawMessageStreamEvent
    from pydantic import TypeAdapter

    return TypeAdapter(RawMessageStreamEvent).validate_python(fields)


def _closing(index: int) -> list[Any]:
    return [
        _event(type="content_block_stop", index=index),
        _event(
            type="message_delta",
            delta={"stop_reason": "refusal", "stop_sequence": None},
            usage={"output_tokens": 0},
        ),
        _event(type="message_stop"),
    ]


def _chunks(call: Call, text: str) -> list[Any]:
    return [
        _event(type="message_start", message=_fields(call, [], None)),
        _event(type="content_block_start", index=0, content_block={"type": "text", "text": ""}),
        _event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": text}),
        *_closing(0),
    ]


def _ending(call: Call, template: Any, text: str, given: str) -> list[Any]:
    if template is None:
        return _chunks(call, text)
    delta = copied(template)
    put(get(delta, "delta"), "text", text)
    return [delta, *_closing(get(template, "index", 0))]


def _user(keywords: Mapping[str, Any]) -> Any:
    metadata = keywords.get("metadata")
    return metadata.get("user_id") if isinstance(metadata, Mapping) else None


_MESSAGES = Api("anthropic", "chat", "messages", "system", _message, _chunks, _ending, user=_user)

_PLACES = [
    (_MESSAGES, "messages", "create", False),
    (_MESSAGES, "messages", "parse", False),
    (_MESSAGES, "messages", "stream", True),
    (_MESSAGES, "beta.messages", "create", False),
]
