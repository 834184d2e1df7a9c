"""``GET /v1/controls``: the state of every switch, from the start of ``llm.controls`` and live."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from contextlib import aclosing

import msgspec

from agents.controls.fold import ControlError, Controls
from deploy.ingest.problems import HttpProblem
from streams.kafka import BrokerUnavailable, followed
from streams.settings import Settings
from streams.topics import Topics

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class Switches:
    """``run`` reads until it is cancelled. What was read last holds while Kafka is away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._body = b""
        self._etag = ""
        self._changed = asyncio.Event()
        self._closing = False

    @property
    def problem(self) -> str:
        """Why the state is not known; empty when it is."""
        return "" if self._etag else "the switches have not been read yet"

    async def run(self) -> None:
        """Follow the topic for ever; while it cannot be read, what is known holds."""
        while True:
            try:
                await self._follow()
            except BrokerUnavailable as error:
                log.warning("the switches cannot be read, what is known holds: %s", error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        state, complete = Controls(), False
        async with aclosing(followed(self._settings, Topics.of(self._settings).controls)) as batches:
            async for records in batches:
                complete = complete or records is None
                for record in records or ():
                    try:
                        state.record(record.key, record.value)
                    except ControlError as error:
                        where = f"{record.partition}/{record.offset}"
                        log.warning("%s %s is ignored: %s", record.topic, where, error)
                if complete:
                    self._show(state)

    def _show(self, state: Controls) -> None:
        body = msgspec.json.encode({"controls": list(state)})
        # Of the content: the same after a restart, and from every ingest.
        etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        if etag != self._etag:
            self._body, self._etag = body, etag
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def answer(self, known: str, wait: float) -> tuple[str, bytes | None]:
        """ETag and body, as soon as the ETag is not ``known``; no body if it still is after
        ``wait`` seconds. Raises Problem 503."""
        if not self._etag:
            raise HttpProblem(503, self.problem, retry_after=1)
        try:
            async with asyncio.timeout(wait):
                while self._etag == known and not self._closing:
                    await self._changed.wait()
        except TimeoutError:
            return self._etag, None
        return self._etag, None if self._etag == known else self._body

    def close(self) -> None:
        """Send those home who wait for a change."""
        self._closing = True
        self._wake()
