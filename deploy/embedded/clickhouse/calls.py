"""What an HTTP request asks for: the parameters of ClickHouse's HTTP interface, told apart from settings."""

import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, web

from deploy.embedded.clickhouse.codings import Decoder, decoder
from deploy.embedded.clickhouse.errors import INVALID_SESSION_TIMEOUT, NOT_IMPLEMENTED, server_error
from deploy.embedded.clickhouse.sessions import DEFAULT_TIMEOUT

# Parameters and settings that are about HTTP, not about the query; those not read below have no effect here.
# fmt: off
_TRANSPORT = frozenset([
    "query", "user", "password", "database", "default_format", "session_id", "session_timeout", "session_check",
    "query_id", "quota_key", "role", "compress", "decompress", "wait_end_of_query", "buffer_size",
    "client_protocol_version", "stacktrace", "close_session", "enable_http_compression", "add_http_cors_header",
    "send_progress_in_http_headers", "cancel_http_readonly_queries_on_client_close",
    "http_headers_progress_interval_ms", "http_zlib_compression_level", "http_response_buffer_size",
    "http_wait_end_of_query", "http_write_exception_in_output_format",
    "http_native_compression_disable_checksumming_on_decompress",
])
# fmt: on
PIECE = 1024 * 1024  # worth a trip to a thread
NETWORK_ERROR = 210


@dataclass(frozen=True, slots=True)
class ExternalTable:
    """Data sent along with a query as a temporary table (multipart/form-data)."""

    name: str
    structure: str
    format: str
    data: bytes


@dataclass(slots=True)
class HttpCall:
    """One request, with the names its author used."""

    sql: bytes
    params: dict[str, str]
    settings: dict[str, str]
    query_id: str
    database: str | None
    default_format: str
    session_id: str | None
    session_timeout: float
    session_check: bool
    close_session: bool
    wait_end_of_query: bool
    accept_encoding: str
    reads_only: bool
    tables: list[ExternalTable] = field(default_factory=list)


def _flag(value: str | None) -> bool:
    return value is not None and value.lower() not in ("0", "false", "")


async def read_call(request: web.Request) -> HttpCall:
    """The request's parameters, and its form if it is one; any other body is left to `Body`."""
    given: dict[str, str] = dict(request.query)
    files: dict[str, bytes] = {}
    if request.content_type == "multipart/form-data":
        # The form is decoded first, so its fields win over nothing: ClickHouse knows each name from one of the two.
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.name is None:
                continue
            data = bytes(await part.read())
            if part.filename is not None:
                files[part.name] = data
            else:
                given[part.name] = data.decode("utf-8", errors="surrogateescape")
    headers = request.headers
    for name in ("compress", "decompress"):
        if _flag(given.get(name)):
            text = f"{name}=1, ClickHouse's own compression, is not supported: use Content-Encoding and Accept-Encoding"
            raise server_error(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", text)
    try:
        timeout = float(given.get("session_timeout") or DEFAULT_TIMEOUT)
    except ValueError:
        text = f"Invalid session timeout: '{given['session_timeout']}'"
        raise server_error(INVALID_SESSION_TIMEOUT, "INVALID_SESSION_TIMEOUT", text) from None
    of_tables = {f"{name}_{what}" for name in files for what in ("structure", "types", "format")}
    compressed = _flag(given.get("enable_http_compression"))
    return HttpCall(
        sql=given.get("query", "").encode("utf-8", errors="surrogateescape"),
        params={name[len("param_") :]: value for name, value in given.items() if name.startswith("param_")},
        settings={
            name: value
            for name, value in given.items()
            if name not in _TRANSPORT and not name.startswith("param_") and name not in of_tables and name not in files
        },
        query_id=given.get("query_id") or str(uuid.uuid4()),
        database=given.get("database") or headers.get("X-ClickHouse-Database") or None,
        default_format=given.get("default_format") or headers.get("X-ClickHouse-Format") or "TabSeparated",
        session_id=given.get("session_id") or None,
        session_timeout=timeout,
        session_check=_flag(given.get("session_check")),
        close_session=_flag(given.get("close_session")),
        wait_end_of_query=_flag(given.get("wait_end_of_query")) or _flag(given.get("http_wait_end_of_query")),
        accept_encoding=headers.get("Accept-Encoding", "") if compressed else "",
        reads_only=request.method in ("GET", "HEAD"),
        tables=list(_external_tables(files, given)),
    )


def _external_tables(files: Mapping[str, bytes], given: Mapping[str, str]) -> Iterable[ExternalTable]:
    for name, data in files.items():
        structure = given.get(f"{name}_structure")
        if structure is None:
            types = given.get(f"{name}_types", "")
            structure = ", ".join(f"_{position} {kind}" for position, kind in enumerate(types.split(","), start=1) if kind)
        yield ExternalTable(name, structure, given.get(f"{name}_format") or "TabSeparated", data)


class Body:
    """A request's body, decoded, in pieces of about PIECE bytes."""

    def __init__(self, request: web.Request) -> None:
        self._content = request.content if request.can_read_body and request.content_type != "multipart/form-data" else None
        self._decoder: Decoder | None = decoder(request.headers.get("Content-Encoding", "")) if self._content else None

    async def pieces(self) -> AsyncIterator[bytes]:
        """The rest of the body. Raises when the client goes away before its end, or a compressed body is cut short."""
        if self._content is None:
            return
        gathered: list[bytes] = []
        size = 0
        async for chunk in self._content.iter_any():
            piece = self._decoder.feed(chunk) if self._decoder else chunk
            gathered.append(piece)
            size += len(piece)
            if size >= PIECE:
                yield b"".join(gathered)
                gathered, size = [], 0
        if self._decoder is not None:
            self._decoder.finish()
        if gathered:
            yield b"".join(gathered)
