"""Brings the ClickHouse database `mirante` to the schema of this code: numbered SQL files in `clickhouse/`, each applied once.

Libraries considered, by what they declare to depend on: clickhouse-migrations 0.16 (clickhouse-driver is a hard
dependency, clickhouse-connect an extra), py-clickhouse-migrator 2.2 (clickhouse-driver, which speaks the native
protocol only; the embedded engine has none), clickhouse-alembic 0.4 (Alembic, SQLAlchemy, boto3), clickmigrate 1.0
(clickhouse-connect, with typer, rich, PyYAML and tomlkit). They are programs with a connection and a
configuration of their own; here the worker's clickhouse-connect client is used, whichever engine is behind it, at
every start, and what then remains to be written is this page.
"""

import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, NamedTuple, Protocol

from schemas.rows import DATABASE

_FILE_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
# Comments, strings, quoted identifiers and heredocs: a semicolon inside of one does not end a statement.
_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
      | '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | `(?:[^`\\]|\\.)*`
      | (?P<heredoc>\$\w*\$).*?(?P=heredoc)
      | (?P<end>;)""",
    re.DOTALL | re.VERBOSE,
)

# What a table is made with, beyond its statement. A granule's size is for life, so a table that exists keeps its own; both read alike.
# To show one row its granule is read, with all its texts: `mirante trace` takes a quarter less than with ClickHouse's default of 8,192
# rows (tests/bench/trace.py), and queries over many rows take no more.
_MADE_WITH = {f"CREATE TABLE IF NOT EXISTS {DATABASE}.interactions_data": "index_granularity = 512, min_compress_block_size = 16384"}


class MigrationError(RuntimeError):
    """The database and this code do not fit together; the text says what to do."""


class Client(Protocol):
    """What is needed of a clickhouse-connect client."""

    def command(self, cmd: str, /) -> Any:
        """Run a statement that returns no rows."""

    def query(self, query: str, /) -> Any:
        """Run a statement; its rows are in ``result_rows``."""


class Migration(NamedTuple):
    version: int
    name: str
    statements: tuple[str, ...]

    @property
    def checksum(self) -> str:
        """SHA-256 of the statements, without comments: explaining an applied migration better does not change it."""
        return hashlib.sha256(";\n".join(self.statements).encode()).hexdigest()


def split_statements(sql: str) -> list[str]:
    """The statements of a script, without comments and empty ones."""
    statements: list[str] = []
    current: list[str] = []
    position = 0
    for token in _TOKEN.finditer(sql):
        current.append(sql[position : token.start()])
        position = token.end()
        if token["end"]:
            statements.append("".join(current).strip())
            current = []
        elif not token["comment"]:
            current.append(token[0])
    statements.append("".join([*current, sql[position:]]).strip())
    return [statement for statement in statements if statement]


def migrations() -> list[Migration]:
    """The migrations packaged with this code, in order; versions are 1, 2, 3, ..."""
    found: list[Migration] = []
    for entry in sorted((files("schemas") / "clickhouse").iterdir(), key=lambda entry: entry.name):
        if match := _FILE_NAME.match(entry.name):
            text = entry.read_text("utf-8").replace("\r\n", "\n")
            found.append(Migration(int(match[1]), match[2], tuple(split_statements(text))))
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError("the installed migrations are not numbered 1, 2, 3, ...: reinstall mirante")
    return found


def _applied(client: Client) -> dict[int, tuple[str, str]]:
    """version -> (name, checksum) as recorded in the database; empty when there is no database yet."""
    exists = client.query(f"SELECT count() FROM system.tables WHERE database = '{DATABASE}' AND name = 'schema_migrations'")
    if not exists.result_rows[0][0]:
        return {}
    rows = client.query(f"SELECT version, name, checksum FROM {DATABASE}.schema_migrations FINAL ORDER BY version")
    return {int(version): (str(name), str(checksum)) for version, name, checksum in rows.result_rows}


def schema_version(client: Client) -> int:
    """The latest migration applied to the database, 0 when there is none."""
    return max(_applied(client), default=0)


def migrate(client: Client, available: Sequence[Migration] | None = None) -> list[str]:
    """Apply what is missing and return its names, e.g. ["0001_interactions"]; nothing to do is an empty list.

    Safe to run at every start and by several workers at once: every statement is IF NOT EXISTS (or OR REPLACE), and a
    migration recorded twice is one row. A migration that failed half-way is applied again from its beginning.
    Raises MigrationError when an applied migration differs from this code's, or the database is newer than this code.
    `available`: the migrations to bring the database to, those of this code by default.
    """
    known = migrations() if available is None else list(available)
    applied = _applied(client)
    newest = max((migration.version for migration in known), default=0)
    if applied and max(applied) > newest:
        raise MigrationError(
            f"the database {DATABASE} has schema version {max(applied)}, this Mirante knows versions up to {newest}: "
            "upgrade this Mirante (all workers must run the newest version), or use another ClickHouse"
        )
    for migration in known:
        recorded = applied.get(migration.version)
        if recorded is not None and recorded[1] != migration.checksum:
            raise MigrationError(
                f"migration {migration.version:04} ({migration.name}) was applied to the database {DATABASE} in another "
                f"form ({recorded[0]}, checksum {recorded[1][:12]}, here {migration.checksum[:12]}): an applied migration "
                "must not be edited. Restore the file and put the change into a new migration, or use an empty database"
            )
    client.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
    client.command(
        f"CREATE TABLE IF NOT EXISTS {DATABASE}.schema_migrations "
        "(version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')) "
        "ENGINE = ReplacingMergeTree ORDER BY version"
    )
    done: list[str] = []
    for migration in known:
        if migration.version in applied:
            continue
        for statement in migration.statements:
            made_with = _MADE_WITH.get(statement.partition("\n")[0])
            client.command(f"{statement} SETTINGS {made_with}" if made_with else statement)
        # Names match [a-z0-9_] and checksums are hex: nothing to escape. async_insert=0: recorded when acknowledged.
        client.command(
            f"INSERT INTO {DATABASE}.schema_migrations (version, name, checksum) SETTINGS async_insert = 0 "
            f"VALUES ({migration.version}, '{migration.name}', '{migration.checksum}')"
        )
        done.append(f"{migration.version:04}_{migration.name}")
    return done
