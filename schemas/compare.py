"""What the database should hold by its migrations, against what it holds: a table or column may have been dropped by hand."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.migrate import Client, Migration, MigrationError, migrations
from schemas.rows import DATABASE

_CREATE = re.compile(
    rf"CREATE (?:OR REPLACE )?(TABLE|VIEW|MATERIALIZED VIEW|FUNCTION) (?:IF NOT EXISTS )?(?:{DATABASE}\.)?(\w+)"
)
_ALTER = re.compile(rf"ALTER TABLE {DATABASE}\.(\w+)")
_ADDED = re.compile(r"ADD COLUMN IF NOT EXISTS (\w+)")
_COPIED = re.compile(rf"AS {DATABASE}\.(\w+)")
_STAR = re.compile(rf"AS\s+SELECT \*(?: EXCEPT \(([\w, ]+)\))?\s+FROM {DATABASE}\.(\w+) FINAL\s*$")
_NO_COLUMN = frozenset({"INDEX", "PROJECTION", "CONSTRAINT", "PRIMARY"})


@dataclass
class Expected:
    """A table, view or function: its columns as far as they are known, and the statements that make it."""

    kind: str
    columns: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)


class Missing(NamedTuple):
    """What is not there: the whole of it, or ``columns`` of it."""

    kind: str
    name: str
    columns: tuple[str, ...] = ()

    @property
    def can_be_made(self) -> bool:
        """Whether nothing but a definition is lost."""
        return self.kind != "TABLE"

    def __str__(self) -> str:
        if self.columns:
            return f"column {', '.join(f'{self.name}.{column}' for column in self.columns)}"
        return f"{self.kind.lower()} {self.name}"


def expected(available: Iterable[Migration] | None = None) -> dict[str, Expected]:
    """What the migrations make, by name, in the order of making."""
    found: dict[str, Expected] = {}
    for migration in migrations() if available is None else available:
        for statement in migration.statements:
            if created := _CREATE.match(statement):
                kind, name = created.groups()
                if name not in found or kind != "TABLE":
                    found[name] = Expected(kind, _columns(statement, created.end(), kind, found), [statement])
            elif altered := _ALTER.match(statement):
                found[altered[1]].columns += [column for column in _ADDED.findall(statement) if column not in found[altered[1]].columns]
                found[altered[1]].statements.append(statement)
    return found


def _columns(statement: str, begin: int, kind: str, found: dict[str, Expected]) -> list[str]:
    if star := _STAR.search(statement):
        left_out = (star[1] or "").replace(" ", "").split(",")
        return [column for column in found[star[2]].columns if column not in left_out]
    if kind != "TABLE":
        return []
    if copied := _COPIED.search(statement, begin):
        return list(found[copied[1]].columns)
    parts, depth, current = [], 0, ""
    for character in statement[statement.index("(", begin) :]:
        depth += (character == "(") - (character == ")")
        if depth == 0:
            break
        if character == "," and depth == 1:
            parts.append(current)
            current = ""
        elif depth > 1 or character != "(":
            current += character
    names = [part.split()[0].strip("`") for part in (*parts, current) if part.strip()]
    return [name for name in names if name not in _NO_COLUMN]


def missing(client: Client) -> list[Missing]:
    """What of the schema is not in the database."""
    rows = client.query(f"SELECT table, name FROM system.columns WHERE database = '{DATABASE}'").result_rows
    tables = client.query(f"SELECT name FROM system.tables WHERE database = '{DATABASE}'").result_rows
    functions = client.query("SELECT name FROM system.functions WHERE origin = 'SQLUserDefined'").result_rows
    columns: dict[str, set[str]] = {str(name): set() for (name,) in (*tables, *functions)}
    for table, name in rows:
        columns.setdefault(str(table), set()).add(str(name))
    found = []
    for name, wanted in expected().items():
        if name not in columns:
            found.append(Missing(wanted.kind, name))
        elif gone := tuple(column for column in wanted.columns if column not in columns[name]):
            found.append(Missing(wanted.kind, name, gone))
    return found


def put_back(client: Client) -> list[Missing]:
    """Make views and functions that are missing, or miss columns. Returns them.

    Raises MigrationError naming the tables and columns that are missing: their data cannot be made up.
    """
    found = missing(client)
    if lost := [one for one in found if not one.can_be_made]:
        raise MigrationError(
            f"the database {DATABASE} has no longer what its schema says: missing {'; '.join(map(str, lost))}. Restore it from a "
            f"backup, or drop the database {DATABASE} (all data in it are lost) and start again"
        )
    wanted = expected()
    for one in found:
        statements = wanted[one.name].statements
        if one.columns:
            client.command(f"DROP TABLE {DATABASE}.{one.name}")
        for statement in statements:
            client.command(statement)
    return found
