"""Unanswered requests whose segment is closed: kept small for days, so that an answer that comes late still completes its row.

Batch interfaces answer within a day. Requests are kept compressed, up to a number of bytes; beyond it, and after ``join.late_answer``, the
oldest lose their texts and keep what their cost is counted by.
"""

from __future__ import annotations

from collections.abc import Iterator
from zlib import compress, decompress

import msgspec
from msgspec.structs import replace

from agents.interactions.join import OpenRequest
from schemas.events import Extra, Request


class KeptRequest(msgspec.Struct, array_like=True, gc=False):
    """A request as it is kept. ``due``: the partition's clock up to which its answer completes its row. ``whole``: with its texts."""

    request_id: str
    due: float
    whole: bool
    data: bytes


class Remembered(msgspec.Struct, array_like=True, gc=False):
    """What is packed. ``counted``: not of the warm-up of a backfill."""

    request: Request
    extra: Extra | None
    time: float
    counted: bool


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Remembered).decode


def unpack(kept: KeptRequest) -> Remembered:
    """The request that is kept whole."""
    return _decode(decompress(kept.data))


def _pack(remembered: Remembered) -> bytes:
    return compress(_encode(remembered), 1)


class LateRequests:
    """Those of one partition: texts of ``max_bytes`` compressed, and ``most`` requests without."""

    def __init__(self, max_bytes: int, most: int) -> None:
        self._max_bytes = max_bytes
        self._most = most
        self._bytes = 0
        self._whole: dict[str, KeptRequest] = {}
        self._bare: dict[str, KeptRequest] = {}
        self._changed: set[str] = set()
        self._gone: set[str] = set()

    def __len__(self) -> int:
        return len(self._whole) + len(self._bare)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._whole or request_id in self._bare

    def due(self, request_id: str) -> float | None:
        """When a request is given up (seconds); None if it is not kept."""
        kept = self._whole.get(request_id) or self._bare.get(request_id)
        return None if kept is None else kept.due

    def keep(self, entry: OpenRequest, due: float, *, counted: bool) -> None:
        """Keep an open request until ``due`` (seconds); the oldest give their texts up if that
        takes too many bytes."""
        request_id = entry.request.request_id
        self._put(KeptRequest(request_id, due, True, _pack(Remembered(entry.request, entry.extra, entry.time, counted))))
        self._changed.add(request_id)
        self._gone.discard(request_id)
        while self._bytes > self._max_bytes:
            self._strip(next(iter(self._whole)))

    def take(self, request_id: str) -> KeptRequest | None:
        """The request whose answer has come."""
        kept = self._pop(request_id)
        if kept is not None:
            self._gone.add(request_id)
            self._changed.discard(request_id)
        return kept

    def pass_time(self, clock: float) -> None:
        """The texts of those that are over serve nothing any more."""
        while self._whole and next(iter(self._whole.values())).due < clock:
            self._strip(next(iter(self._whole)))

    def _put(self, kept: KeptRequest) -> None:
        if kept.whole:
            self._whole[kept.request_id] = kept
            self._bytes += len(kept.data)
        else:
            self._bare[kept.request_id] = kept

    def _pop(self, request_id: str) -> KeptRequest | None:
        kept = self._whole.pop(request_id, None)
        if kept is not None:
            self._bytes -= len(kept.data)
            return kept
        return self._bare.pop(request_id, None)

    def _strip(self, request_id: str) -> None:
        kept = self._pop(request_id)
        assert kept is not None
        known = unpack(kept)
        data = _pack(replace(known, request=_without_texts(known.request), extra=None))
        self._put(KeptRequest(request_id, kept.due, False, data))
        self._changed.add(request_id)
        if len(self._bare) > self._most:
            self.take(next(iter(self._bare)))

    # Persistence

    def take_changes(self) -> tuple[list[KeptRequest], list[str]]:
        """(new or changed, gone) since the last call."""
        changed = [kept for i in sorted(self._changed) if (kept := self._whole.get(i) or self._bare.get(i)) is not None]
        gone = sorted(self._gone)
        self._changed.clear()
        self._gone.clear()
        return changed, gone

    def all(self) -> Iterator[KeptRequest]:
        """All that are kept, those without their request first."""
        yield from self._bare.values()
        yield from self._whole.values()

    def load(self, kept: list[KeptRequest], gone: list[str]) -> None:
        """Restore what the above returned."""
        for request_id in gone:
            self._pop(request_id)
        for item in kept:
            self._pop(item.request_id)
            self._put(item)


def _without_texts(request: Request) -> Request:
    """What remains says by what its cost is computed and counted."""
    prompt = None if request.prompt is None else replace(request.prompt, variables=None)
    params = None if request.params is None else {k: v for k, v in request.params.items() if k == "service_tier"}
    return replace(
        request, prompt=prompt, params=params, system_instructions=None, messages=None, documents=None, tools=None, output_schema=None
    )
