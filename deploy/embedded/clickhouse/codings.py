"""Content codings of HTTP bodies: gzip, deflate, lz4 (frames) and zstd always, br where the package is installed."""

import importlib
import sys
import zlib
from collections.abc import Callable
from typing import Any, Protocol

import lz4.frame

from deploy.embedded.clickhouse.errors import server_error

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CANNOT_DECOMPRESS = 271
UNKNOWN_COMPRESSION_METHOD = 89
_GZIP_WINDOW = 31
_FAST = 3


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class Decoder:
    """Decodes a body that arrives in pieces. A body may be several frames in a row: clients compress block by block."""

    def __init__(self, new: Callable[[], _Decompressor]) -> None:
        self._new = new
        self._current = new()
        self._touched = False

    def feed(self, data: bytes) -> bytes:
        """The text of one more piece."""
        pieces: list[bytes] = []
        try:
            while data:
                if self._current.eof:
                    self._current = self._new()
                self._touched = True
                pieces.append(self._current.decompress(data))
                data = self._current.unused_data if self._current.eof else b""
        except (zlib.error, RuntimeError, OSError, zstd.ZstdError) as problem:
            raise server_error(
                CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", f"Cannot decompress the request body: {problem}"
            ) from problem
        return b"".join(pieces)

    def finish(self) -> None:
        """Raise if the body ended within a frame: its end was lost."""
        if self._touched and not self._current.eof:
            raise server_error(CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", "The compressed request body ends early")


class _Brotli:
    """Brotli has one frame and no unused data; this gives it the shape of the others."""

    unused_data = b""

    def __init__(self, module: Any) -> None:
        self._decompressor = module.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._decompressor.is_finished())

    def decompress(self, data: bytes, /) -> bytes:
        return bytes(self._decompressor.process(data))


def decoder(coding: str) -> Decoder | None:
    """For a Content-Encoding; None when there is nothing to decode."""
    match coding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return Decoder(lambda: zlib.decompressobj(_GZIP_WINDOW))
        case "deflate":
            return Decoder(zlib.decompressobj)
        case "lz4":
            return Decoder(lz4.frame.LZ4FrameDecompressor)
        case "zstd":
            return Decoder(zstd.ZstdDecompressor)
        case "br":
            module = _brotli()
            if module is not None:
                return Decoder(lambda: _Brotli(module))
    known = "gzip, deflate, lz4, zstd" + (", br" if _brotli() else "")
    raise server_error(
        UNKNOWN_COMPRESSION_METHOD,
        "UNKNOWN_COMPRESSION_METHOD",
        f"Unknown Content-Encoding {coding!r}: this server reads {known}",
    )


class Encoder:
    """Encodes an answer that leaves in pieces, as one frame."""

    def __init__(self, coding: str) -> None:
        self.coding = coding
        self._head = b""
        match coding:
            case "lz4":
                compressor = lz4.frame.LZ4FrameCompressor(auto_flush=True)
                self._head = compressor.begin()
                self._feed, self._end = compressor.compress, compressor.flush
            case "zstd":
                zstd_compressor = zstd.ZstdCompressor(level=1)
                self._feed, self._end = zstd_compressor.compress, zstd_compressor.flush
            case _:
                window = _GZIP_WINDOW if coding == "gzip" else zlib.MAX_WBITS
                zlib_compressor = zlib.compressobj(_FAST, zlib.DEFLATED, window)
                self._feed, self._end = zlib_compressor.compress, zlib_compressor.flush

    def feed(self, data: bytes) -> bytes:
        """Compress more of the body; returns what is ready to be sent."""
        head, self._head = self._head, b""
        return head + bytes(self._feed(data))

    def finish(self) -> bytes:
        """The end of the compressed body."""
        head, self._head = self._head, b""
        return head + bytes(self._end())


def encoder(accepted: str) -> Encoder | None:
    """For an Accept-Encoding: the coding that costs least time among those accepted, None if none is."""
    offers = {part.split(";")[0].strip().lower() for part in accepted.split(",") if not _refused(part)}
    for coding in ("lz4", "zstd", "gzip", "deflate"):
        if coding in offers:
            return Encoder(coding)
    return None


def _refused(offer: str) -> bool:
    return offer.replace(" ", "").lower().endswith((";q=0", ";q=0.0"))


def _brotli() -> Any | None:
    try:
        return importlib.import_module("brotli")
    except ImportError:
        return None
