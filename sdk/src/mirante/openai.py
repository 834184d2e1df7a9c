"""OpenAI's client, guarded: Chat Completions, Responses, embeddings; plain, streamed, async."""

from __future__ import annotations

import time
from typing import Any, TypeVar

from mirante._guard import Call
from mirante._reading import copied, get, put
from mirante._wrap import AnyClient, Api, install

T = TypeVar("T")


def wrap(openai_client: T, client: AnyClient, **defaults: Any) -> T:
    """A copy of an ``OpenAI`` or ``AsyncOpenAI`` client (or of Azure's) whose calls are guarded and
    published. Its methods take one argument more, ``mirante={...}``: what
    :meth:`mirante.Client.call` takes as ``options``, for this call; ``defaults`` are the same for
    all.

    Retries that the client makes are one call. Where a fallback text takes an answer's place it
    comes as an object of OpenAI's class, with ``finish_reason="content_filter"``. A stream's usage
    is asked for where the caller does not ask, without another chunk for the caller.

    Example::

        openai_client = mirante.openai.wrap(OpenAI(), client, feature="support")
        completion = openai_client.chat.completions.create(
            model="gpt-4o", messages=messages, mirante={"session_id": "s1", "prompt": prompt},
        )
        client.feedback("thumbs_up", response_id=completion.id)
    """
    import openai

    if not isinstance(openai_client, (openai.OpenAI, openai.AsyncOpenAI)):
        raise TypeError("wrap takes an openai.OpenAI or openai.AsyncOpenAI")
    wrapped: Any = openai_client.with_options()
    install(wrapped, client, defaults, isinstance(openai_client, openai.AsyncOpenAI), _PLACES)
    for name in ("with_options", "copy"):
        again = getattr(wrapped, name)
        setattr(
            wrapped,
            name,
            lambda _again=again, **options: wrap(_again(**options), client, **defaults),
        )
    return wrapped  # type: ignore[no-any-return]


def _completion(call: Call, text: str) -> Any:
    from openai.types.chat import ChatCompletion

    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "content_filter", "message": message}
    return ChatCompletion.model_validate(
        {
            "id": call.response_id,
            "object": "chat.completion",
            "created": int(time.time()),
            "model": call.model,
            "choices": [choice],
        }
    )


def _chunk(call: Call, delta: dict[str, Any], reason: str | None) -> Any:
    from openai.types.chat import ChatCompletionChunk

    return ChatCompletionChunk.model_validate(
        {
            "id": call.response_id,
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": call.model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
        }
    )


def _chat_chunks(call: Call, text: str) -> list[Any]:
    return [
        _chunk(call, {"role": "assistant", "content": text}, None),
        _chunk(call, {}, "content_filter"),
    ]


def _chat_ending(call: Call, template: Any, text: str, given: str) -> list[Any]:
    return [_chunk(call, {"content": text}, None), _chunk(call, {}, "content_filter")]


def _response_fields(call: Call, text: str | None) -> dict[str, Any]:
    output: list[dict[str, Any]] = []
    if text is not None:
        part = {"type": "output_text", "text": text, "annotations": []}
        output = [
            {
                "type": "message",
                "id": f"msg_{call.response_id}",
                "role": "assistant",
                "status": "incomplete",
                "content": [part],
            }
        ]
    return {
        "id": call.response_id,
        "object": "response",
        "created_at": time.time(),
        "model": call.model,
        "status": "incomplete",
        "incomplete_details": {"reason": "content_filter"},
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "instructions": None,
        "metadata": {},
        "temperature": None,
        "top_p": None,
    }


def _response(call: Call, text: str) -> Any:
    from openai.types.responses import Response

    return Response.model_validate(_response_fields(call, text))


def _event(**fields: Any) -> Any:
    from openai.types.responses import ResponseStreamEvent
    from pydantic import TypeAdapter

    return TypeAdapter(ResponseStreamEvent).validate_python(fields)


# The last event is `response.completed`, although the response says that it is incomplete: OpenAI's
# own helper for streams takes no other for the end.


def _response_chunks(call: Call, text: str) -> list[Any]:
    item = f"msg_{call.response_id}"
    place = {"item_id": item, "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    done = {**part, "text": text}
    message = {
        "type": "message",
        "id": item,
        "role": "assistant",
        "status": "in_progress",
        "content": [],
    }
    events: list[dict[str, Any]] = [
        {
            "type": "response.created",
            "response": {**_response_fields(call, None), "status": "in_progress"},
        },
        {"type": "response.output_item.added", "output_index": 0, "item": message},
        {"type": "response.content_part.added", **place, "part": part},
        {"type": "response.output_text.delta", **place, "delta": text, "logprobs": []},
        {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": done},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {**message, "status": "incomplete", "content": [done]},
        },
        {"type": "response.completed", "response": _response_fields(call, text)},
    ]
    return [_event(**event, sequence_number=number) for number, event in enumerate(events)]


def _response_ending(call: Call, template: Any, text: str, given: str) -> list[Any]:
    if template is None:
        return _response_chunks(call, text)
    delta = copied(template)
    put(delta, "delta", text)
    item, output = get(template, "item_id"), get(template, "output_index")
    place = {
        "item_id": item,
        "output_index": output,
        "content_index": get(template, "content_index"),
    }
    whole = given + text
    part = {"type": "output_text", "text": whole, "annotations": []}
    final = _response_fields(call, whole)
    final["output"][0]["id"] = item
    events: list[dict[str, Any]] = [
        {"type": "response.output_text.done", **place, "text": whole, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": output, "item": final["output"][0]},
        {"type": "response.completed", "response": final},
    ]
    number = (get(template, "sequence_number") or 0) + 1
    return [delta, *(_event(**event, sequence_number=number + n) for n, event in enumerate(events))]


_CHAT = Api(
    "openai", "chat", "messages", None, _completion, _chat_chunks, _chat_ending, usage_chunk=True
)
_RESPONSES = Api(
    "openai", "chat", "input", "instructions", _response, _response_chunks, _response_ending
)
_EMBEDDINGS = Api("openai", "embeddings", "input", None, None)

_PLACES = [
    (_CHAT, "chat.completions", "create", False),
    (_CHAT, "chat.completions", "parse", False),
    (_CHAT, "chat.completions", "stream", True),
    (_RESPONSES, "responses", "create", False),
    (_RESPONSES, "responses", "parse", False),
    (_RESPONSES, "responses", "stream", True),
    (_EMBEDDINGS, "embeddings", "create", False),
]
