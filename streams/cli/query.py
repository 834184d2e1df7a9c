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

from schemas.rows import DATABASE
from streams.cli.options import DEFAULT_DATA, AsJson, Data
from streams.cli.source import server_or_folder
from streams.cli.statement import read_statement
from streams.cli.waiting import waiting
from streams.plain import for_spreadsheet, json_text, printable

JSON_SETTINGS = {"output_format_json_quote_64bit_integers": 0, "output_format_json_quote_decimals": 0}
"""Numbers as JSON numbers."""

_BINARY = re.compile(r"RowBinary|Native|Parquet|Arrow|Avro|ORC|Protobuf|MsgPack|CapnProto|Npy|BSON", re.IGNORECASE)

BLOCK_BYTES = 1 << 18
"""What is read of a server at a time."""


def query(
    sql: Annotated[str, typer.Argument(help="A statement; tables of the database mirante need no prefix.")],
    data: Data = DEFAULT_DATA,
    url: Annotated[str | None, typer.Option(help="Ask this server: http://[USER:PASSWORD@]HOST:PORT.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask ClickHouse.

    While a stack runs on --data, through its server; after it has ended, by opening the data itself; with --url, any server.

    Example: mirante query "SELECT feature, sum(cost_usd) FROM cost_windows WHERE window_seconds = 60 GROUP BY feature"
    """
    form = read_statement(sql, as_json=as_json).form or ""
    with waiting("asking ClickHouse"):
        answer = f"{json_text(rows(sql, data, url))}\n".encode() if as_json else _shown(form, _ask(sql, data, url, False))
    sys.stdout.flush()
    sys.stdout.buffer.write(answer)


def _shown(form: str, answer: bytes) -> bytes:
    """The answer as a terminal and a spreadsheet may have it: no control characters, and in CSV no formulas. ``form``: the FORMAT that
    the statement asks for; a binary one is no text."""
    if _BINARY.match(form):
        return answer
    text = for_spreadsheet(answer) if form.upper().startswith("CSV") else answer
    return printable(text.decode(errors="replace")).encode()


def rows(sql: str, data: Path, url: str | None = None) -> list[dict[str, Any]]:
    """The rows of a query as objects, asked as `mirante query` asks. Raises OSError that says what to do."""
    answer = _ask(sql, data, url, True)
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


def _ask(sql: str, data: Path, url: str | None, as_json: bool) -> bytes:
    return _ask_server(url, sql, as_json) if url is not None else _ask_data(data, sql, as_json)


def _ask_data(data: Path, sql: str, as_json: bool) -> bytes:
    from deploy.embedded.clickhouse import ClickHouseError, run_sql
    from streams.reasons import reason

    found = server_or_folder(data)
    if isinstance(found, str):
        return _ask_server(found, sql, as_json)
    settings = ", ".join(f"{name} = {value}" for name, value in JSON_SETTINGS.items())
    try:
        return run_sql(found, f"USE {DATABASE}; SET {settings}; {sql}", "JSON" if as_json else "PrettyCompactMonoBlock")
    except ClickHouseError as error:
        raise OSError(reason(error)) from error


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
            handle.set({name: str(value) for name, value in JSON_SETTINGS.items()})
            with closing(handle.blocks(sql, "JSONEachRow")) as blocks:
                yield from blocks
    except ClickHouseError as error:
        raise OSError(reason(error)) from error


def _server_blocks(url: str, sql: str) -> Iterator[bytes]:
    from clickhouse_connect.driver.exceptions import DatabaseError
    from urllib3.exceptions import HTTPError

    from streams.clickhouse import connect
    from streams.reasons import reason

    with closing(connect(url, database=DATABASE)) as client:
        try:
            with closing(cast(BinaryIO, client.raw_stream(sql, fmt="JSONEachRow", settings=dict(JSON_SETTINGS)))) as stream:
                while block := stream.read(BLOCK_BYTES):
                    yield block
        except (DatabaseError, HTTPError) as error:
            raise OSError(reason(error)) from error


def _ask_server(url: str, sql: str, as_json: bool) -> bytes:
    from clickhouse_connect.driver.exceptions import DatabaseError
    from urllib3.exceptions import HTTPError

    from streams.clickhouse import connect
    from streams.reasons import reason

    statement = read_statement(sql, as_json=as_json)
    form = ("JSON" if as_json else "PrettyCompactMonoBlock") if statement.reads and statement.form is None else None
    client = connect(url, database=DATABASE)
    try:
        return bytes(client.raw_query(statement.sql, fmt=form, settings=dict(JSON_SETTINGS) if as_json else None))
    except (DatabaseError, HTTPError) as error:
        raise OSError(reason(error)) from error
    finally:
        client.close()
