"""Guarded streams: iterators over a provider's chunks, within the deadline, through the output
rails."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from types import TracebackType
from typing import Any

from mirante._drivers import adrive, drive
from mirante._guard import Answer, Call
from mirante._reading import StreamReading
from mirante._running import DeadlinePassed, Pump, awithin
from mirante._windows import StreamGuard

Ending = Callable[[Call, Any, str, str], list[Any]]
"""Chunks that end a stream with a text: given the call, a chunk that carried text (or None), the
text, and what the caller has been given before it."""


def text_ending(call: Call, template: Any, text: str, given: str) -> list[Any]:
    """The text itself."""
    return [text]


class GuardedStream:
    """What a provider's client returned for ``stream=True``, guarded. Iterate it, or use it as a
    context manager; other members are the provider's stream's own.

    Example::

        with openai_client.chat.completions.create(..., stream=True) as chunks:
            for chunk in chunks:
                ...
    """

    def __init__(
        self, call: Call, stream: Any, *, ending: Ending, skip: Callable[[Any], bool] | None = None
    ) -> None:
        self._call = call
        self._stream = stream
        self._guard = StreamGuard(call)
        self._ending = ending
        self._skip = skip
        self._iterator = self._iterate()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._iterator)

    def __enter__(self) -> GuardedStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the stream; what was not read is cancelled."""
        self._iterator.close()
        if not self._guard.finished:
            self._guard.abandoned()
        _close(self._call, self._stream)

    def __del__(self) -> None:
        if not self._guard.finished:
            self._guard.abandoned()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_stream" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self._stream, name)

    def _iterate(self) -> Generator[Any, None, None]:
        call, guard = self._call, self._guard
        source = iter(self._stream)
        pump = None if call.deadline is None else Pump(source)
        try:
            while True:
                try:
                    chunk = next(source) if pump is None else pump.next(call.deadline or 0.0)
                except StopIteration:
                    break
                except DeadlinePassed:
                    guard.timed_out()
                    yield from self._end(_close_soon=True)
                    return
                except Exception as error:
                    text = guard.failed(error)
                    if text is None:
                        raise
                    yield from self._ending(call, guard.last_text_chunk(), text, guard.given)
                    return
                for out in drive(guard.feed(chunk)):
                    if self._skip is None or not self._skip(out):
                        yield out
                if call.refusal:
                    guard.stopped()
                    yield from self._end(_close_soon=True)
                    return
            yield from drive(guard.finish())
            if call.refusal:
                yield from self._end()
        except GeneratorExit:
            guard.abandoned()
            raise
        except BaseException as error:
            if not guard.finished:
                guard.failed(error)
            raise
        finally:
            if pump is not None:
                pump.stop()
            if not call.reading.finish_reason or call.refusal:
                _close(call, self._stream)

    def _end(self, _close_soon: bool = False) -> Iterator[Any]:
        if _close_soon:
            _close(self._call, self._stream)
        assert self._call.refusal is not None
        error, text = self._call.refusal
        if text is None:
            raise error
        yield from self._ending(self._call, self._guard.last_text_chunk(), text, self._guard.given)

    @property
    def mirante_answer(self) -> Answer:
        """What came of the call, once the stream has ended. Raises what the call was refused
        with."""
        return self._call.answer()


class AsyncGuardedStream:
    """As :class:`GuardedStream`, for ``async for`` and ``async with``."""

    def __init__(
        self, call: Call, stream: Any, *, ending: Ending, skip: Callable[[Any], bool] | None = None
    ) -> None:
        self._call = call
        self._stream = stream
        self._guard = StreamGuard(call)
        self._ending = ending
        self._skip = skip
        self._iterator = self._iterate()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return await self._iterator.__anext__()

    async def __aenter__(self) -> AsyncGuardedStream:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the stream; what was not read is cancelled."""
        await self._iterator.aclose()
        if not self._guard.finished:
            self._guard.abandoned()
        await _aclose(self._call, self._stream)

    aclose = close

    def __del__(self) -> None:
        if not self._guard.finished:
            self._guard.abandoned()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_stream" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self._stream, name)

    async def _iterate(self) -> Any:
        call, guard = self._call, self._guard
        source = self._stream.__aiter__()
        try:
            while True:
                try:
                    left = None if call.deadline is None else call.deadline - time.monotonic()
                    chunk = await awithin(left, source.__anext__())
                except StopAsyncIteration:
                    break
                except DeadlinePassed:
                    guard.timed_out()
                    await _aclose(call, self._stream)
                    for out in self._end():
                        yield out
                    return
                except Exception as error:
                    text = guard.failed(error)
                    if text is None:
                        raise
                    for out in self._ending(call, guard.last_text_chunk(), text, guard.given):
                        yield out
                    return
                for out in await adrive(guard.feed(chunk)):
                    if self._skip is None or not self._skip(out):
                        yield out
                if call.refusal:
                    guard.stopped()
                    await _aclose(call, self._stream)
                    for out in self._end():
                        yield out
                    return
            for out in await adrive(guard.finish()):
                yield out
            if call.refusal:
                for out in self._end():
                    yield out
        except GeneratorExit:
            guard.abandoned()
            raise
        except BaseException as error:
            if not guard.finished:
                guard.failed(error)
                await _aclose(call, self._stream)
            raise

    def _end(self) -> list[Any]:
        assert self._call.refusal is not None
        error, text = self._call.refusal
        if text is None:
            raise error
        return self._ending(self._call, self._guard.last_text_chunk(), text, self._guard.given)

    @property
    def mirante_answer(self) -> Answer:
        """What came of the call, once the stream has ended. Raises what the call was refused
        with."""
        return self._call.answer()


class _NoResponse:
    """What a stream's helper closes where there is no HTTP response."""

    def close(self) -> None:
        """Nothing to close."""

    async def aclose(self) -> None:
        """Nothing to close."""


class Fixed:
    """A stream of given chunks, where no provider was asked."""

    response = _NoResponse()

    def __init__(self, chunks: list[Any]) -> None:
        self._chunks = iter(chunks)

    def __iter__(self) -> Iterator[Any]:
        return self._chunks

    def __next__(self) -> Any:
        return next(self._chunks)

    def __enter__(self) -> Fixed:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def close(self) -> None:
        """Nothing to close."""


class AsyncFixed:
    """As :class:`Fixed`, for asyncio."""

    response = _NoResponse()

    def __init__(self, chunks: list[Any]) -> None:
        self._chunks = iter(chunks)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration

    async def __aenter__(self) -> AsyncFixed:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def close(self) -> None:
        """Nothing to close."""


def _close(call: Call, stream: Any) -> None:
    close = getattr(stream, "close", None)
    if close is None:
        return
    try:
        close()
    except ValueError:  # a generator that runs in the pump's thread: it ends when it is next asked
        return
    except Exception as error:  # noqa: BLE001 - of no use to the caller any more
        call.core.publisher.error("a stream can not be closed", error)


async def _aclose(call: Call, stream: Any) -> None:
    close = getattr(stream, "close", None) or getattr(stream, "aclose", None)
    if close is None:
        return
    try:
        await close()
    except Exception as error:  # noqa: BLE001 - of no use to the caller any more
        call.core.publisher.error("a stream can not be closed", error)


class TextStream:
    """The texts of a guarded stream. ``answer`` once it has ended.

    Example::

        with client.stream(ask, model="gpt-4o", messages=messages) as stream:
            text = "".join(stream)
    """

    def __init__(self, call: Call, chunks: Any) -> None:
        self._call = call
        self._chunks = iter(chunks)
        self._reading = StreamReading()

    def __iter__(self) -> Iterator[str]:
        for chunk in self._chunks:
            yield from _texts_of(self._call, self._reading, chunk)

    @property
    def answer(self) -> Answer:
        """Raises what the call was refused with, where there was no text instead."""
        return self._call.answer()


class AsyncTextStream:
    """As :class:`TextStream`, for ``async for``.

    Example::

        async for text in stream:
            ...
    """

    def __init__(self, call: Call, chunks: Any) -> None:
        self._call = call
        self._chunks = chunks
        self._reading = StreamReading()

    async def __aiter__(self) -> AsyncIterator[str]:
        if isinstance(self._chunks, list):
            for chunk in self._chunks:
                yield chunk
            return
        async for chunk in self._chunks:
            for text in _texts_of(self._call, self._reading, chunk):
                yield text

    @property
    def answer(self) -> Answer:
        """Raises what the call was refused with, where there was no text instead."""
        return self._call.answer()


def _texts_of(call: Call, reading: StreamReading, chunk: Any) -> list[str]:
    try:
        return [text for text in reading.deltas(chunk).values() if text]
    except Exception as error:  # noqa: BLE001 - a chunk that can not be read has no text
        call.core.publisher.error("a chunk can not be read", error)
        return []
