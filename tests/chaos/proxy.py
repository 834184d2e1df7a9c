"""A TCP proxy in front of ClickHouse that loses answers, stalls and resets connections when told to."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from enum import Enum
from types import TracebackType
from typing import Self

from deploy.embedded.ports import LOOPBACK


class Fault(Enum):
    """What the proxy does to connections at present."""

    NONE = "none"
    DROP_ANSWERS = "drop answers"
    """The request is carried out, and the connection ends before its answer arrives."""
    STALL = "stall"
    """Nothing moves until the fault ends."""
    RESET = "reset"
    """Connections are reset, new ones at once."""


class Proxy:
    """Listens on ``port`` of loopback and forwards to ``target``. ``async with Proxy(port, target) as proxy: proxy.fault = ...``"""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self.fault = Fault.NONE
        self.dropped = 0
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        self.reset_all()

    def reset_all(self) -> None:
        """Reset every connection."""
        for writer in list(self._writers):
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fault is Fault.RESET:
            _reset(writer)
            return
        try:
            up_reader, up_writer = await asyncio.open_connection(LOOPBACK, self._target)
        except OSError:
            _reset(writer)  # the server is away: so are we
            return
        self._writers |= {writer, up_writer}
        try:
            await asyncio.gather(self._forward(reader, up_writer, False), self._forward(up_reader, writer, True))
        finally:
            self._writers -= {writer, up_writer}
            for end in (writer, up_writer):
                end.close()

    async def _not_stalled(self) -> None:
        while self.fault is Fault.STALL:  # noqa: ASYNC110  (faults are switched on and off by assignment)
            await asyncio.sleep(0.05)

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answers: bool) -> None:
        with contextlib.suppress(OSError):  # either side may go at any time: that is what a proxy passes on
            while data := await source.read(1 << 16):
                await self._not_stalled()
                if answers and self.fault is Fault.DROP_ANSWERS:
                    self.dropped += 1
                    _reset(sink)
                    return
                sink.write(data)
                await sink.drain()
        with contextlib.suppress(OSError):
            sink.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
