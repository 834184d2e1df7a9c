"""The ClickHouse engine in this process: `chdb` behind types, for the server and for whoever needs one query.

Facts this rests on, measured with chdb 26.9: a process has one engine path and any number of handles; a handle costs
0.1 ms and has its own settings, current database and temporary tables; a handle does one thing at a time, handles work in
parallel, in any thread, without the GIL; an error leaves the handle usable. `send_insert` takes data as bytes and makes
them visible at `finish()`, which reports as written also what could not be stored (no space, no memory, a constraint):
only `system.errors` knows better. There are no `system.*_log` tables, so nothing grows that nobody wrote.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import chdb

from deploy.embedded.clickhouse.confinement import CONFIG, check
from deploy.embedded.clickhouse.errors import CANNOT_OPEN_FILE, ClickHouseError, from_engine, server_error
from deploy.embedded.clickhouse.lock import DirectoryLock
from deploy.embedded.clickhouse.memory import default_max_memory

# Blocks of these formats are complete by themselves, so the result can go out block by block. Others have a beginning or
# an end (JSON, CSVWithNames, Parquet) which the engine would repeat with every block.
BLOCKWISE_FORMATS = frozenset(
    {
        "Native",
        "TabSeparated",
        "TSV",
        "TabSeparatedRaw",
        "TSVRaw",
        "CSV",
        "RowBinary",
        "JSONEachRow",
        "JSONLines",
        "NDJSON",
    }
    | {"JSONCompactEachRow", "JSONStringsEachRow", "JSONCompactStringsEachRow"}
)
_MET_BY_WRITING = frozenset(
    {"NOT_ENOUGH_SPACE", "MEMORY_LIMIT_EXCEEDED", "CANNOT_ALLOCATE_MEMORY", "VIOLATED_CONSTRAINT", "TOO_MANY_PARTS", "ABORTED"}
    | {"CANNOT_WRITE_TO_FILE_DESCRIPTOR", "CANNOT_CREATE_DIRECTORY", "QUERY_WAS_CANCELLED", "STD_EXCEPTION"}
)
_connect = cast(Any, chdb).connect  # chdb's Python has no annotations


@dataclass(frozen=True, slots=True)
class StatementSummary:
    """What a statement did; the names are those of X-ClickHouse-Summary."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    elapsed_ns: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """A whole answer, in the format asked for."""

    body: bytes
    counts: StatementSummary


class Insert:
    """An INSERT under way. Nothing of it is visible before `finish()` unless it holds more than one block of rows."""

    def __init__(self, inserter: Any, check: Callable[[], None]) -> None:
        """`check`: raises what has happened to it and `finish()` does not say."""
        self._inserter = inserter
        self._check = check
        self._began = time.monotonic_ns()

    def append(self, data: bytes) -> None:
        """Hand over more bytes of the input format; they may end anywhere, also within a row."""
        try:
            self._inserter.append(data)
        except RuntimeError as problem:
            raise from_engine(problem) from problem

    def finish(self) -> StatementSummary:
        """Return when the rows are stored: their parts are written and renamed into the table. Raises ClickHouseError."""
        try:
            done = self._inserter.finish()
        except RuntimeError as problem:
            raise from_engine(problem) from problem
        self._check()
        elapsed = time.monotonic_ns() - self._began
        return StatementSummary(written_rows=done.rows_written, written_bytes=done.bytes_written, elapsed_ns=elapsed)

    def cancel(self) -> None:
        """Give it up. Harmless after `finish()` or an error."""
        try:
            self._inserter.cancel()
        except RuntimeError as problem:
            raise from_engine(problem) from problem


class Blocks:
    """A result handed over block by block."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.ended = False

    def __iter__(self) -> Iterator[bytes]:
        while (block := self.next()) is not None:
            yield block

    def next(self) -> bytes | None:
        """The next block, or None at the end."""
        try:
            block = self._stream.fetch()
        except (RuntimeError, chdb.ChdbError) as problem:
            raise from_engine(problem) from problem
        if block is None:
            self.ended = True
            return None
        return cast(bytes, block.bytes())

    def close(self) -> None:
        """Stop the query if it has not ended."""
        try:
            self._stream.cancel()
        except (RuntimeError, chdb.ChdbError) as problem:
            raise from_engine(problem) from problem


class Errors:
    """What has gone wrong in the engine: `system.errors`, which counts by code and knows the statement of the last one."""

    def __init__(self, connection: Any, directory: Path) -> None:
        self._connection = connection
        self._directory = str(directory)
        self._guard = threading.Lock()

    def counts(self) -> dict[str, int]:
        """How many there have been, by name."""
        return {row["name"]: int(row["value"]) for row in self._rows()}

    def raise_new(self, before: Mapping[str, int], query_id: str) -> None:
        """Raise what a statement has met since `before`, as ClickHouseError.

        Of an error that several have met since, only the last one's statement is known. Of those that writing meets it is then
        raised, too: who repeats an insert that was stored loses nothing.
        """
        for row in self._rows():
            if row["name"] == "CANNOT_OPEN_FILE" and self._directory not in row["last_error_message"]:
                continue  # a library, whose symbols were to tell where another error came from
            new = int(row["value"]) - before.get(row["name"], 0)
            if new and (row["query_id"] == query_id or (new > 1 and row["name"] in _MET_BY_WRITING)):
                text = f"Code: {row['code']}. DB::Exception: {row['last_error_message']}. ({row['name']})"
                raise ClickHouseError(row["code"], text)

    def _rows(self) -> list[dict[str, Any]]:
        sql = "SELECT name, code, value, query_id, last_error_message FROM system.errors WHERE value > 0"
        with self._guard:
            answer = self._connection.query(sql, "JSONEachRow").bytes() or b""
        return [json.loads(line) for line in answer.splitlines()]


class Handle:
    """One conversation with the engine: settings, current database, temporary tables. For one thread at a time."""

    def __init__(self, connection: Any, errors: "Errors") -> None:
        self._connection = connection
        self._errors = errors

    def run(self, sql: str, output_format: str = "TabSeparated", params: Mapping[str, str] | None = None) -> Result:
        """Execute a statement. A FORMAT clause in it goes before `output_format`.

        `params` are query parameters as the HTTP interface takes them: text with ClickHouse's backslash escapes.
        """
        check(sql, (params or {}).values())
        try:
            result = self._connection.query(sql, output_format, params=dict(params or {}))
        except (RuntimeError, chdb.ChdbError) as problem:
            raise from_engine(problem) from problem
        counts = StatementSummary(
            read_rows=result.storage_rows_read(),
            read_bytes=result.storage_bytes_read(),
            written_rows=result.rows_written(),
            written_bytes=result.bytes_written(),
            result_rows=result.rows_read(),
            elapsed_ns=int(result.elapsed() * 1e9),
        )
        return Result(result.bytes() or b"", counts)

    def blocks(self, sql: str, output_format: str, params: Mapping[str, str] | None = None) -> Blocks:
        """Execute a query whose result need not fit into memory. Only for BLOCKWISE_FORMATS."""
        check(sql, (params or {}).values())
        try:
            return Blocks(self._connection.send_query(sql, output_format, params=dict(params or {})))
        except (RuntimeError, chdb.ChdbError) as problem:
            raise from_engine(problem) from problem

    def insert(self, statement: str, input_format: str) -> Insert:
        """Begin an INSERT; `statement` ends before FORMAT or VALUES."""
        check(statement)
        before = self._errors.counts()
        try:
            inserter = self._connection.send_insert(statement, input_format)
        except RuntimeError as problem:
            raise from_engine(problem) from problem

        def swallowed() -> None:
            (mine,) = self.rows("SELECT queryID() AS id")  # still that of the insert
            self._errors.raise_new(before, mine["id"])

        return Insert(inserter, swallowed)

    def set(self, settings: Mapping[str, str]) -> None:
        """Change settings of this handle; also query parameters, as `param_NAME`."""
        if settings:
            self.run("SET " + ", ".join(f"{identifier(name)} = {literal(value)}" for name, value in settings.items()))

    def use(self, database: str) -> None:
        """Change the current database."""
        self.run(f"USE {identifier(database)}")

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a small result."""
        return [json.loads(line) for line in self.run(sql, "JSONEachRow").body.splitlines()]

    def close(self) -> None:
        """End the conversation; a query still streaming is stopped."""
        self._connection.close()


class Engine:
    """The engine of this process, opened at one directory. Thread-safe."""

    def __init__(self, directory: Path, max_memory: int | None = None) -> None:
        """Open DIR, creating it if need be. Raises ClickHouseError if another process holds it.

        `max_memory` (bytes) bounds all queries together; by default half of the machine's memory, at most 4 GiB.
        """
        self.directory = directory.resolve()
        self.max_memory = max_memory or default_max_memory()
        if "?" in str(self.directory):  # chdb would read what follows as options
            raise server_error(CANNOT_OPEN_FILE, "CANNOT_OPEN_FILE", f"the data directory {self.directory} must not contain '?'")
        self._lock = DirectoryLock(self.directory)
        self._guard = threading.Lock()
        self._address = f"{self.directory}?config-file={CONFIG}"
        try:
            self._root: Any = _connect(self._address)  # keeps the engine alive between handles
            self._errors = Errors(self._root, self.directory)
            _keep_to_tables(Handle(self._root, self._errors))
        except (RuntimeError, chdb.ChdbError, ClickHouseError) as problem:
            self._lock.release()
            raise from_engine(problem) from problem

    def handle(self) -> Handle:
        """A new conversation. Its inserts are acknowledged when they are stored (the engine's default is async_insert=1)."""
        with self._guard:
            if self._root is None:
                raise from_engine(RuntimeError("the engine is closed"))
            handle = Handle(_connect(self._address), self._errors)
        handle.set(
            {
                "async_insert": "0",
                "max_memory_usage": str(self.max_memory),
                "max_memory_usage_for_user": str(self.max_memory),
            }
        )
        return handle

    def close(self) -> None:
        """Close the engine and let the directory go. All handles must be closed. Harmless when repeated."""
        with self._guard:
            root, self._root = self._root, None
        if root is not None:
            root.close()
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _keep_to_tables(handle: Handle) -> None:
    """The engine's database `default` is an overlay that takes a file's name for a table; what is below it are tables alone."""
    (default,) = handle.rows("SELECT engine, uuid FROM system.databases WHERE name = 'default'")
    if default["engine"] == "Overlay":
        handle.run("DETACH DATABASE default")
        handle.run(f"ATTACH DATABASE default UUID {literal(default['uuid'])} ENGINE = Atomic")


def open_engine(path: str | Path) -> Engine:
    """Open the engine at a data directory in this process, for use as a context manager.

    A process can have one directory open at a time, and a directory one process; ClickHouseError says which.
    """
    return Engine(Path(path))


def run_sql(path: str | Path, sql: str, output_format: str = "JSON", params: Mapping[str, str] | None = None) -> bytes:
    """One statement on a data directory that no server holds; the answer in `output_format`. Raises ClickHouseError."""
    with open_engine(path) as engine:
        handle = engine.handle()
        try:
            return handle.run(sql, output_format, params).body
        finally:
            handle.close()


def literal(text: str) -> str:
    """A ClickHouse string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(name: str) -> str:
    """A ClickHouse identifier, quoted unless it is plainly one."""
    if name.isidentifier() and name.isascii():
        return name
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


__all__ = ["ClickHouseError", "Engine", "Handle", "open_engine", "run_sql"]
