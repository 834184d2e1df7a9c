"""``mirante query``: SQL against ClickHouse, whether the stack runs or not."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

import typer

from deploy.cli.options import DEFAULT_DATA, AsJson, Data
from deploy.cli.source import server_or_folder
from deploy.cli.statement import read_statement
from deploy.cli.waiting import waiting
from deploy.plain import for_spreadsheet, json_text, printable
from schemas.rows import DATABASE

JSON_SETTINGS = {"output_format_json_quote_64bit_integers": 0, "output_format_json_quote_decimals": 0}
"""Numbers as JSON numbers."""

_BINARY = re.compile(r"RowBinary|Native|Parquet|Arrow|Avro|ORC|Protobuf|MsgPack|CapnProto|Npy|BSON", re.IGNORECASE)

READ_ONLY = 2
"""ClickHouse's setting `readonly`: data and tables stay as they are, other settings may be changed."""

READ_ONLY_CODE = 164

BLOCK_BYTES = 1 << 18
"""What is read of a server at a time."""


def query(
    sql: Annotated[str, typer.Argument(help="A statement; tables of the database mirante need no prefix.")] = "",
    data: Data = DEFAULT_DATA,
    url: Annotated[str | None, typer.Option(help="Ask this server: http://[USER:PASSWORD@]HOST:PORT.")] = None,
    as_json: AsJson = False,
    write: Annotated[bool, typer.Option("--write", help="Let the statement change data or tables.")] = False,
    print_url: Annotated[
        bool, typer.Option("--print-url", help="Only print where to ask, with the token: for clickhouse-connect, curl, Grafana.")
    ] = False,
) -> None:
    """Ask ClickHouse. Nothing is changed without --write.

    While a stack runs on --data, through its server; after it has ended, by opening the data itself; with --url, any server.

    Example: mirante query "SELECT feature, sum(cost_usd) FROM cost_windows WHERE window_seconds = 60 GROUP BY feature"
    """
    if print_url:
        typer.echo(url or _address(data))
        return
    form = read_statement(sql, as_json=as_json).form or ""
    with waiting("asking ClickHouse"):
        if as_json:
            answer = f"{json_text(rows(sql, data, url, write=write))}\n".encode()
        else:
            answer = _shown(form, _ask(sql, data, url, False, write))
    sys.stdout.flush()
    sys.stdout.buffer.write(answer)


def _shown(form: str, answer: bytes) -> bytes:
    """The answer as a terminal and a spreadsheet may have it: no control characters, and in CSV no formulas. ``form``: the FORMAT that
    the statement asks for; a binary one is no text."""
    if _BINARY.match(form):
        return answer
    text = for_spreadsheet(answer) if form.upper().startswith("CSV") else answer
    return printable(text.decode(errors="replace")).encode()


def rows(sql: str, data: Path, url: str | None = None, *, write: bool = False) -> list[dict[str, Any]]:
    """The rows of a query as objects, asked as `mirante query` asks. Raises OSError that says what to do."""
    answer = _ask(sql, data, url, True, write)
    found: list[dict[str, Any]] = json.loads(answer)["data"] if answer.strip() else []
    return found


def row_stream(sql: str, data: Path, url: str | None = None) -> Iterator[dict[str, Any]]:
    """The same one by one, for more rows than memory holds."""
    blocks = _server_blocks(url, sql) if url is not None else _data_blocks(data, sql)
    for line in lines_of(blocks):
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:  # a server that fails midway says so in the stream
            raise OSError(line.decode(errors="replace")) from error


def lines_of(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines that are not empty, wherever they were cut into blocks."""
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        yield from filter(None, whole)
    if rest:
        yield rest


def _ask(sql: str, data: Path, url: str | None, as_json: bool, write: bool) -> bytes:
    return _ask_server(url, sql, as_json, write) if url is not None else _ask_data(data, sql, as_json, write)


def _ask_data(data: Path, sql: str, as_json: bool, write: bool) -> bytes:
    from deploy.embedded.clickhouse import ClickHouseError, open_engine

    found = server_or_folder(data)
    if isinstance(found, str):
        return _ask_server(found, sql, as_json, write)
    try:
        with open_engine(found) as engine, closing(engine.handle()) as handle:
            handle.use(DATABASE)
            handle.set({name: str(value) for name, value in JSON_SETTINGS.items()})
            if not write:
                handle.set({"readonly": str(READ_ONLY)})
            return handle.run(sql, "JSON" if as_json else "PrettyCompactMonoBlock").body
    except ClickHouseError as error:
        raise OSError(_explained(error, error.code)) from error


def _explained(error: BaseException, code: int | None) -> str:
    """What ClickHouse says, and for what `mirante query` does not do by itself, how to have it done."""
    from streams.reasons import reason

    text = reason(error)
    return f"nothing was changed: `mirante query` only reads; to change data, say --write ({text})" if code == READ_ONLY_CODE else text


def _data_blocks(data: Path, sql: str) -> Iterator[bytes]:
    from deploy.embedded.clickhouse import ClickHouseError, open_engine
    from streams.reasons import reason

    found = server_or_folder(data)
    if isinstance(found, str):
        yield from _server_blocks(found, sql)
        return
    try:
        with open_engine(found) as engine, closing(engine.handle()) as handle:
            handle.use(DATABASE)
            handle.set({name: str(value) for name, value in JSON_SETTINGS.items()} | {"readonly": str(READ_ONLY)})
            with closing(handle.blocks(sql, "JSONEachRow")) as blocks:
                yield from blocks
    except ClickHouseError as error:
        raise OSError(reason(error)) from error


def _address(data: Path) -> str:
    found = server_or_folder(data)
    if isinstance(found, Path):
        raise OSError(f"no stack runs on {data}, so nothing answers; `mirante query` reads its data all the same")
    return found


def _server_blocks(url: str, sql: str) -> Iterator[bytes]:
    from clickhouse_connect.driver.exceptions import DatabaseError
    from urllib3.exceptions import HTTPError

    from streams.clickhouse import connect
    from streams.reasons import reason

    with closing(connect(url, database=DATABASE)) as client:
        try:
            settings = JSON_SETTINGS | _only_reading(client)
            with closing(cast(BinaryIO, client.raw_stream(sql, fmt="JSONEachRow", settings=settings))) as stream:
                while block := stream.read(BLOCK_BYTES):
                    yield block
        except (DatabaseError, HTTPError) as error:
            raise OSError(reason(error)) from error


def _only_reading(client: Any) -> dict[str, int]:
    """A user who may not write anyway may not set this either."""
    own = client.server_settings.get("readonly")
    return {} if own is not None and own.value != "0" else {"readonly": READ_ONLY}


def _ask_server(url: str, sql: str, as_json: bool, write: bool) -> bytes:
    from clickhouse_connect.driver.exceptions import DatabaseError
    from urllib3.exceptions import HTTPError

    from streams.clickhouse import connect

    statement = read_statement(sql, as_json=as_json)
    form = ("JSON" if as_json else "PrettyCompactMonoBlock") if statement.reads and statement.form is None else None
    client = connect(url, database=DATABASE)
    settings = (JSON_SETTINGS if as_json else {}) | ({} if write else _only_reading(client))
    try:
        return bytes(client.raw_query(statement.sql, fmt=form, settings=settings))
    except (DatabaseError, HTTPError) as error:
        raise OSError(_explained(error, getattr(error, "code", None))) from error
    finally:
        client.close()
