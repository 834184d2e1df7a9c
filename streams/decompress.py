"""Decompression of Kafka batches within bounds: what a batch may become does not follow from what it is."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import cramjam
import numpy as np

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
"""Codecs by their number in the attributes of a batch."""

KEPT_ROOM = 4 << 20
"""Bytes of room that are kept for the next batch."""

_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEADER = 16
_BLOCK_LENGTH = struct.Struct(">i")


class DecompressionError(ValueError):
    """The reason, with the name of the codec."""


class TooLarge(DecompressionError):
    """It becomes more than it may."""


class Decompressor:
    """Decompresses payloads to at most ``most`` bytes each."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._room = _room(most)
        self._codecs: dict[int, tuple[str, Callable[[bytes], bytes]]] = {
            GZIP: ("gzip", self._gzip),
            SNAPPY: ("snappy", self._snappy),
            LZ4: ("lz4", lambda payload: self._into_room(cramjam.lz4.decompress_into, payload)),
            ZSTD: ("zstd", lambda payload: self._into_room(cramjam.zstd.decompress_into, payload)),
        }

    def __call__(self, codec: int, payload: bytes) -> bytes:
        """What was compressed. Raises `DecompressionError`."""
        if codec not in self._codecs:
            raise DecompressionError(f"there is no codec {codec}")
        name, decompress = self._codecs[codec]
        try:
            return decompress(payload)
        except (cramjam.DecompressionError, DecompressionError, zlib.error, struct.error, ValueError) as error:
            kind = TooLarge if isinstance(error, TooLarge) else DecompressionError
            raise kind(f"{name}: {error}") from error

    def _into_room(self, decompress_into: Callable[..., int], payload: bytes) -> bytes:
        size = self._most
        try:
            size = decompress_into(payload, self._room)
            return self._room[:size].tobytes()
        except cramjam.DecompressionError as error:
            full = any(words in str(error) for words in ("whole buffer", "too small"))
            raise self._too_much() if full else error from None
        finally:
            if size > KEPT_ROOM:
                self._room = _room(self._most)  # a page of it is memory only when it has been written to

    def _gzip(self, payload: bytes) -> bytes:
        parts, left = [], self._most
        while payload:
            member = zlib.decompressobj(wbits=31)
            part = member.decompress(payload, left + 1)
            if len(part) > left:
                raise self._too_much()
            if not member.eof:
                raise DecompressionError("it ends too early")
            parts.append(part)
            left -= len(part)
            payload = member.unused_data
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _snappy(self, payload: bytes) -> bytes:
        """Raw, or in the blocks of the Java library (xerial): a header, then each with its length before it."""
        if not payload.startswith(_XERIAL) or len(payload) < _XERIAL_HEADER:
            return self._snappy_block(payload, self._most)
        at, left, parts = _XERIAL_HEADER, self._most, []
        while at < len(payload):
            (length,) = _BLOCK_LENGTH.unpack_from(payload, at)
            at += _BLOCK_LENGTH.size
            if not 0 <= length <= len(payload) - at:
                raise DecompressionError(f"a block of {length} bytes where {len(payload) - at} are left")
            parts.append(self._snappy_block(payload[at : at + length], left))
            left -= len(parts[-1])
            at += length
        return b"".join(parts)

    def _snappy_block(self, block: bytes, most: int) -> bytes:
        if cramjam.snappy.decompress_raw_len(block) > most:
            raise self._too_much()
        return bytes(cramjam.snappy.decompress_raw(block))

    def _too_much(self) -> DecompressionError:
        return TooLarge(f"it decompresses to more than {self._most:,} bytes")


def _room(size: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.empty(size, np.uint8)
