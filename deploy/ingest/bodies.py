"""Bodies of requests: read, decompressed, and bounded one by one and all together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from aiohttp import web

from deploy.ingest.problems import HttpProblem
from streams.decompress import GZIP, DecompressionError, Decompressor, TooLarge

READ_SECONDS = 30.0
"""Until a body must be there: a sender that dawdles must not hold what others could use."""

ASIDE = 256 * 1024
"""Bytes from which a body is worked on in a thread, so that others are answered meanwhile."""

RATIO = 16
"""How many times as large a gzip body may well become."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class InFlight:
    """Bytes of all requests that are being worked on."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.bytes = 0

    @contextmanager
    def share(self) -> Iterator[RequestShare]:
        """What one request holds; given back at the end."""
        share = RequestShare(self)
        try:
            yield share
        finally:
            self.bytes -= share.bytes

    def take(self, size: int) -> None:
        """Raises Problem 429 when there is no room."""
        if self.bytes + size > self._most:
            raise HttpProblem(429, "too much is under way; try again in a second", retry_after=1)
        self.bytes += size


class RequestShare:
    """The part of InFlight that one request holds."""

    def __init__(self, whole: InFlight) -> None:
        self._whole = whole
        self.bytes = 0

    def take(self, size: int) -> None:
        """Count bytes as under way. Raises what :meth:`InFlight.take` raises when there are too
        many."""
        self._whole.take(size)
        self.bytes += size


async def read_body(request: web.Request, share: RequestShare, most: int) -> bytes:
    """The body, decompressed. Raises Problem 400, 408, 413, 415 or 429."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise HttpProblem(415, f"Content-Encoding {encoding!r} is not understood; send gzip or none")
    if (request.content_length or 0) > most:
        raise _too_large(most)
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            while chunk := await request.content.readany():
                share.take(len(chunk))
                body += chunk
                if len(body) > most:
                    raise _too_large(most)
    except ConnectionResetError:
        raise HttpProblem(400, "the sender hung up before the body was whole") from None
    except TimeoutError:
        raise HttpProblem(408, f"the body was not there after {READ_SECONDS:.0f} s") from None
    if encoding != "gzip":
        return bytes(body)
    try:
        whole = await aside(len(body) * RATIO, Decompressor(most), GZIP, bytes(body))
    except TooLarge:
        raise _too_large(most) from None
    except DecompressionError as error:
        raise HttpProblem(400, f"the body cannot be decompressed: {error}") from None
    share.take(len(whole))
    return whole


async def aside(
    size: int, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
) -> _T:
    """``work(...)``, in a thread when it is about many bytes."""
    if size < ASIDE:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


def _too_large(most: int) -> HttpProblem:
    return HttpProblem(413, f"a body has at most {most:,} bytes, decompressed; send less at a time")
