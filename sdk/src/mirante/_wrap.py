"""Providers' clients with their calls guarded: what the wrappers for OpenAI and Anthropic share.

A wrapped client is a copy whose methods are replaced, so that it stays an instance of its class and
the given one stays as it is. Every method takes one more argument, ``mirante={...}``: fields and
options of this call, as :meth:`mirante.Client.call` takes them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeAlias

from mirante._drivers import adrive, drive
from mirante._guard import TIMEOUT, Call
from mirante._reading import plain
from mirante._running import DeadlinePassed, awithin, in_thread, within
from mirante._streams import AsyncFixed, AsyncGuardedStream, Ending, Fixed, GuardedStream
from mirante.client import AsyncClient, Client
from mirante.context import current

AnyClient: TypeAlias = "Client | AsyncClient"

_INSIDE: ContextVar[Call | None] = ContextVar("mirante_inside", default=None)
"""The call that is being made. A provider's helper may call another of its methods: that is the
same call."""

_STREAM = {"stream": True}
_RAW = "X-Stainless-Raw-Response"
_NOT_PARAMS = (
    "extra_headers",
    "extra_query",
    "extra_body",
    "timeout",
    "stream",
    "stream_options",
    "model",
)


@dataclass(frozen=True)
class Api:
    """One kind of call. ``messages``, ``system``: the arguments that hold them. ``answer``: an
    answer of the provider's class with a given text; ``chunks``: a whole stream of one; ``ending``:
    what ends a stream that has begun."""

    provider: str
    operation: str
    messages: str
    system: str | None
    answer: Callable[[Call, str], Any] | None
    chunks: Callable[[Call, str], list[Any]] | None = None
    ending: Ending | None = None
    user: Callable[[Mapping[str, Any]], Any] = field(default=lambda keywords: keywords.get("user"))
    usage_chunk: bool = False
    """Whether a stream says its usage only when asked to."""


class Guarded:
    """A method of a provider's client, guarded."""

    def __init__(
        self, client: AnyClient, api: Api, method: Callable[..., Any], defaults: Mapping[str, Any]
    ) -> None:
        self._client = client
        self._api = api
        self._method = method
        self._defaults = defaults

    def prepare(self, keywords: dict[str, Any]) -> Call:
        """The call that these arguments make; takes ``mirante`` out of them."""
        api = self._api
        given = {n: v for n, v in keywords.items() if not _absent(v)}
        options = keywords.pop("mirante", None) or {}
        around = {**self._defaults, **current()}
        given.pop("mirante", None)
        timeout = given.get("timeout")
        if isinstance(timeout, (int, float)) and timeout > 0:
            around["timeout"] = float(timeout)
        skipped = (api.messages, api.system, "tools", *_NOT_PARAMS)
        params = {n: _described(v) for n, v in given.items() if n not in skipped and n != "user"}
        fields: dict[str, Any] = {
            "provider": api.provider,
            "operation": api.operation,
            "params": params or None,
            "tools": [plain(tool) for tool in given.get("tools") or []] or None,
            "output_schema": _schema(given),
            "user_id": api.user(given),
        }
        fields = {n: v for n, v in fields.items() if v is not None}
        return self._client._new_call(
            model=given.get("model", "unknown"),
            messages=given.get(api.messages),
            system=given.get(api.system) if api.system else None,
            **{**around, **fields, **options},
        )

    def sent(self, call: Call, keywords: dict[str, Any]) -> dict[str, Any]:
        """The arguments after the input rails."""
        api = self._api
        sent = dict(keywords)
        if api.messages in sent:
            sent[api.messages] = call.messages
        if "model" in sent:
            sent["model"] = call.model
        left = call.left
        if left is not None and _absent(sent.get("timeout")) and self._waits_longer(left):
            sent["timeout"] = left
        return sent

    def _waits_longer(self, seconds: float) -> bool:
        """Whether the provider's client would by itself wait longer than that."""
        own = getattr(
            getattr(getattr(self._method, "__self__", None), "_client", None), "timeout", None
        )
        own = getattr(own, "read", own)
        return not isinstance(own, (int, float)) or own > seconds

    def asks_for_usage(self, keywords: dict[str, Any]) -> Callable[[Any], bool] | None:
        """Ask for the usage of a stream; the chunk that brings it is then not the caller's."""
        given = keywords.get("stream_options")
        given = {} if _absent(given) else given
        if not self._api.usage_chunk or not isinstance(given, Mapping) or "include_usage" in given:
            return None
        keywords["stream_options"] = {**given, "include_usage": True}
        return lambda chunk: (
            not getattr(chunk, "choices", True) and getattr(chunk, "usage", None) is not None
        )

    def fallback(self, call: Call, text: str, keywords: Mapping[str, Any], fixed: type) -> Any:
        """The text as the provider would have answered it. Raises what refused the call where an
        answer can not be a text, or a raw response is wanted and there is none."""
        api = self._api
        streaming = keywords.get("stream") is True
        if api.answer is None or api.chunks is None or is_raw(keywords):
            assert call.refusal is not None
            raise call.refusal[0]
        return fixed(api.chunks(call, text)) if streaming else api.answer(call, text)

    @property
    def ending(self) -> Ending:
        return self._api.ending or (lambda call, template, text, given: [])

    def text_for(self, error: BaseException, call: Call, keywords: Mapping[str, Any]) -> str | None:
        """The fallback text for an error; None where the error goes on to the caller."""
        text = call.failed(error)
        return None if self._api.answer is None or is_raw(keywords) else text

    @staticmethod
    def readable(value: Any, keywords: Mapping[str, Any]) -> Any:
        """What to read of the answer: a raw response is parsed, one that is still to be read is
        left."""
        kind = is_raw(keywords)
        if kind == "true" and not keywords.get("stream"):
            return value.parse()
        return None if kind else value

    def returned(self, call: Call, value: Any, read: Any, keywords: Mapping[str, Any]) -> Any:
        """What the caller gets: the answer as it came, as the output rails changed it, or what
        takes its place."""
        passed = call.value
        if call.refusal is not None:
            text = call.answer().text
            if self._api.answer is None:
                raise call.refusal[0]
            passed = self._api.answer(call, text)
        if passed is read:
            return value
        if not is_raw(keywords):
            return passed
        value.parse = lambda *arguments, **options: passed  # a raw response with another text
        return value


def _ask(
    guard: Guarded, call: Call, make: Callable[[], Any], keywords: Mapping[str, Any]
) -> tuple[bool, Any]:
    """True and what the provider's client returned, or False and what takes its place."""
    if call.refusal is None:
        try:
            return True, within(call.timeout, lambda: _inside(call, make))
        except DeadlinePassed:
            call.timed_out()
        except BaseException as error:
            text = guard.text_for(error, call, keywords)
            if text is None:
                raise
            return False, guard.fallback(call, text, keywords, Fixed)
    return False, guard.fallback(call, call.answer().text, keywords, Fixed)


async def _aask(
    guard: Guarded, call: Call, make: Callable[[], Awaitable[Any]], keywords: Mapping[str, Any]
) -> tuple[bool, Any]:
    """As ``_ask``, in asyncio."""
    if call.refusal is None:
        try:
            return True, await awithin(call.timeout, _ainside(call, make))
        except DeadlinePassed:
            call.timed_out()
        except BaseException as error:
            text = guard.text_for(error, call, keywords)
            if text is None:
                raise
            return False, guard.fallback(call, text, keywords, AsyncFixed)
    return False, guard.fallback(call, call.answer().text, keywords, AsyncFixed)


def guarded_sync(guard: Guarded) -> Callable[..., Any]:
    """The method for a client of threads."""
    method = guard._method

    @functools.wraps(method)
    def create(*arguments: Any, **keywords: Any) -> Any:
        if _INSIDE.get() is not None:
            keywords.pop("mirante", None)
            return method(*arguments, **keywords)
        call = guard.prepare(keywords)
        open_call(guard._client, call)
        streams = keywords.get("stream") is True and not is_raw(keywords)
        skip = guard.asks_for_usage(keywords) if streams else None
        sent = guard.sent(call, keywords)
        answered, value = _ask(guard, call, lambda: method(*arguments, **sent), keywords)
        if not answered:
            return value
        if streams:
            return GuardedStream(call, value, ending=guard.ending, skip=skip)
        read = _read(guard, call, value, keywords)
        try:
            drive(call.closing(read))
        except BaseException:
            call.cancelled()
            raise
        return guard.returned(call, value, read, keywords)

    return create


def guarded_async(guard: Guarded) -> Callable[..., Any]:
    """The method for a client of asyncio."""
    method = guard._method

    @functools.wraps(method)
    async def create(*arguments: Any, **keywords: Any) -> Any:
        if _INSIDE.get() is not None:
            keywords.pop("mirante", None)
            return await method(*arguments, **keywords)
        call = guard.prepare(keywords)
        await aopen_call(guard._client, call)
        streams = keywords.get("stream") is True and not is_raw(keywords)
        skip = guard.asks_for_usage(keywords) if streams else None
        sent = guard.sent(call, keywords)
        answered, value = await _aask(guard, call, lambda: method(*arguments, **sent), keywords)
        if not answered:
            return value
        if streams:
            return AsyncGuardedStream(call, value, ending=guard.ending, skip=skip)
        read = _read(guard, call, value, keywords)
        try:
            await adrive(call.closing(read))
        except BaseException:
            call.cancelled()
            raise
        return guard.returned(call, value, read, keywords)

    return create


def managed_sync(guard: Guarded) -> Callable[..., Any]:
    """A ``.stream(...)`` helper, which makes its request when its block is entered."""

    @functools.wraps(guard._method)
    def stream(**keywords: Any) -> Any:
        return _Manager(guard, keywords)

    return stream


def managed_async(guard: Guarded) -> Callable[..., Any]:
    """As ``managed_sync``, for asyncio."""

    @functools.wraps(guard._method)
    def stream(**keywords: Any) -> Any:
        return _AsyncManager(guard, keywords)

    return stream


class _Manager:
    def __init__(self, guard: Guarded, keywords: dict[str, Any]) -> None:
        self._guard, self._keywords = guard, keywords
        self._manager: Any = None
        self._stream: GuardedStream | None = None

    def __enter__(self) -> Any:
        guard, keywords = self._guard, self._keywords
        call = guard.prepare(keywords)
        open_call(guard._client, call)
        skip = guard.asks_for_usage(keywords)
        self._manager = guard._method(**guard.sent(call, keywords))
        name, request = _request_of(self._manager)

        def guarded_request() -> Any:
            answered, value = _ask(guard, call, request, _STREAM)
            if not answered:
                return value
            self._stream = GuardedStream(call, value, ending=guard.ending, skip=skip)
            return self._stream

        setattr(self._manager, name, guarded_request)
        return self._manager.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Any:
        if self._stream is not None:
            self._stream.close()
        return self._manager.__exit__(kind, error, trace)


class _AsyncManager:
    def __init__(self, guard: Guarded, keywords: dict[str, Any]) -> None:
        self._guard, self._keywords = guard, keywords
        self._manager: Any = None
        self._stream: AsyncGuardedStream | None = None

    async def __aenter__(self) -> Any:
        guard, keywords = self._guard, self._keywords
        call = guard.prepare(keywords)
        await aopen_call(guard._client, call)
        skip = guard.asks_for_usage(keywords)
        self._manager = guard._method(**guard.sent(call, keywords))
        name, request = _request_of(self._manager)

        async def guarded_request() -> Any:
            if call.refusal is not None and inspect.iscoroutine(request):
                request.close()  # or it would be missed as never awaited
            answered, value = await _aask(guard, call, lambda: request, _STREAM)
            if not answered:
                return value
            self._stream = AsyncGuardedStream(call, value, ending=guard.ending, skip=skip)
            return self._stream

        setattr(self._manager, name, guarded_request())
        return await self._manager.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Any:
        if self._stream is not None:
            await self._stream.close()
        return await self._manager.__aexit__(kind, error, trace)


def _request_of(manager: Any) -> tuple[str, Any]:
    """The member of a provider's stream manager that makes the request."""
    for name, value in vars(manager).items():
        if name.endswith("__api_request"):
            return name, value
    raise NotImplementedError(
        f"{type(manager).__name__} of this version makes its request in a way that is not known "
        "here; use create(stream=True)"
    )


def is_raw(keywords: Mapping[str, Any]) -> str | None:
    """How the HTTP response itself is wanted, as ``with_raw_response`` (``true``) and
    ``with_streaming_response`` (``stream``) say to their client."""
    headers = keywords.get("extra_headers")
    return headers.get(_RAW) if isinstance(headers, Mapping) else None


def open_call(client: AnyClient, call: Call) -> None:
    """Switches and input rails, in this thread."""
    if wait := client._must_wait:
        client._core.switches.wait(wait)
    drive(call.opening())


async def aopen_call(client: AnyClient, call: Call) -> None:
    """Switches and input rails, in asyncio."""
    if wait := client._must_wait:
        await in_thread(lambda: client._core.switches.wait(wait))
    await adrive(call.opening())


def _read(guard: Guarded, call: Call, value: Any, keywords: Mapping[str, Any]) -> Any:
    try:
        return guard.readable(value, keywords)
    except Exception as error:  # noqa: BLE001 - the caller meets it when reading the raw response
        call.core.publisher.error("a raw response can not be read", error)
        return None


def _inside(call: Call, make: Callable[[], Any]) -> Any:
    token = _INSIDE.set(call)
    try:
        return make()
    finally:
        _INSIDE.reset(token)


async def _ainside(call: Call, make: Callable[[], Awaitable[Any]]) -> Any:
    token = _INSIDE.set(call)
    try:
        return await make()
    finally:
        _INSIDE.reset(token)


def _prepared(prepare: Callable[[Any], Any], request: Any) -> Any:
    """Before each attempt of a provider's client. Whoever waited for an answer may have gone on
    without it: then its thread must not try, and cost, again."""
    call = _INSIDE.get()
    if call is not None and call.status == TIMEOUT:
        raise DeadlinePassed
    return prepare(request)


def _absent(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NotGiven", "Omit")


def _described(value: Any) -> Any:
    """A parameter as an event may hold it."""
    if isinstance(value, type):
        return value.__name__
    return plain(value)


def _schema(given: Mapping[str, Any]) -> Any:
    """The JSON Schema that is asked for, in the ways in which the providers' clients take it."""
    for name in ("response_format", "text_format", "output_format"):
        model = given.get(name)
        if isinstance(model, type) and hasattr(model, "model_json_schema"):
            return model.model_json_schema()
    form = given.get("response_format")
    if isinstance(form, Mapping) and isinstance(inner := form.get("json_schema"), Mapping):
        return inner.get("schema")
    for name, member in (("text", "format"), ("output_config", "format")):
        holder = given.get(name)
        form = holder.get(member) if isinstance(holder, Mapping) else None
        if isinstance(form, Mapping) and form.get("type") == "json_schema":
            return form.get("schema")
    form = given.get("output_format")
    return form.get("schema") if isinstance(form, Mapping) else None


def install(
    wrapped: Any,
    client: AnyClient,
    defaults: Mapping[str, Any],
    is_async: bool,
    places: list[tuple[Api, str, str, bool]],
) -> None:
    """Replace methods of a provider's client. A place: the API, the resource's path, the method's
    name, and whether it is a ``.stream`` helper. What this version of the library does not have is
    left out."""
    prepare = getattr(wrapped, "_prepare_request", None)
    if prepare is not None and not is_async:
        wrapped._prepare_request = functools.partial(_prepared, prepare)
    for api, path, name, managed in places:
        resource = wrapped
        for part in path.split("."):
            resource = getattr(resource, part, None)
        method = getattr(resource, name, None)
        if method is None:
            continue
        guard = Guarded(client, api, method, defaults)
        if managed:
            setattr(resource, name, managed_async(guard) if is_async else managed_sync(guard))
        else:
            setattr(resource, name, guarded_async(guard) if is_async else guarded_sync(guard))
