"""What the embedded engine may touch: its own tables. Not the machine's files, not its programs, not the network.

ClickHouse's own means do most of it (config/*.xml): a user without grants on sources, settings that cannot be changed. The engine takes
itself for the program `clickhouse-local`, though, whose statements are its user's, so some ways to files ask for no grant; they are
refused by their names. Where Linux offers it, the process itself is confined as well (landlock.py).
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from deploy.embedded.clickhouse.errors import ACCESS_DENIED, SYNTAX_ERROR, ClickHouseError, server_error
from deploy.embedded.clickhouse.statements import Token, tokens

CONFIG = Path(__file__).with_name("config") / "engine.xml"

NAMES = frozenset(
    {"file", "python", "executable", "executablepool", "eval", "embeddedrocksdb", "queryrunner"}
    | {"datalakecatalog", "bigquery", "filesystem", "outfile", "infile"}
)
"""Functions, engines and keywords that no statement needs who keeps to tables."""

# A statement without any of these cannot do what is refused: names can be escaped with \ alone.
_SUSPECT = re.compile(
    rb"file|disk|python|executable|eval|rocksdb|queryrunner|catalog|bigquery|attach|system|\\|;|\xe2\x80", re.IGNORECASE
)
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)


def check(sql: bytes | str, parameters: Iterable[str] = ()) -> None:
    """Raise ClickHouseError when a statement would leave the engine's own tables, or is more than one statement."""
    text = sql.encode("utf-8", "surrogateescape") if isinstance(sql, str) else sql
    if b"Identifier}" in text.replace(b" ", b"") and any(_plain(value.encode(errors="replace")) in NAMES for value in parameters):
        raise _refused("a name given as a parameter")
    if _SUSPECT.search(text) is None:
        return
    found = list(tokens(text))
    for name in _names(found):
        if name in NAMES:
            raise _refused(name)
    if any(a.is_word(b"DISK") and b.text == b"(" for a, b in pairwise(found)):
        raise _refused("disk(...)")
    words = {token.text.upper() for token in found if token.kind == "word"}
    first = found[0].text.upper() if found else b""
    if first == b"SYSTEM":
        raise _refused("SYSTEM")
    if b"ATTACH" in words and any(a.is_word(b"FROM") and b.is_string for a, b in pairwise(found)):
        raise _refused("ATTACH ... FROM")
    if first == b"SET" and any(token.is_string and _plain(token.text[1:-1]) in NAMES for token in found):
        raise _refused("a name given as a parameter")
    ends = [position for position, token in enumerate(found) if token.text == b";"]
    if ends and any(token.text != b";" for token in found[ends[0] :]):
        raise server_error(SYNTAX_ERROR, "SYNTAX_ERROR", "Multi-statements are not allowed: send one statement at a time")
    if any(token.kind == "odd" for token in found):
        raise server_error(SYNTAX_ERROR, "SYNTAX_ERROR", "Quotation marks like \u2018 and \u201c are not read here: write ' or \"")


def _names(found: list[Token]) -> Iterator[str]:
    """The names in a statement, except columns that are written with their table."""
    previous: Token | None = None
    for token in found:
        if previous is None or previous.text != b".":
            if token.kind == "word":
                yield token.text.decode().lower()
            elif token.kind == "quoted" and not token.is_string:
                yield _plain(token.text[1:-1])
        previous = token


def _plain(text: bytes) -> str:
    def character(escape: re.Match[bytes]) -> bytes:
        return bytes([int(escape[1], 16)]) if escape[1] else escape[2]

    return _ESCAPE.sub(character, text).decode(errors="replace").strip("`\" '").lower()


def _refused(what: str) -> ClickHouseError:
    text = (
        f"The embedded ClickHouse keeps to its own tables: {what} is refused, because it reaches files, programs or other servers. "
        "Send rows in the request and write answers where you receive them (a column of that name is read as table.column); "
        "a ClickHouse server (--clickhouse URL) has all of it."
    )
    return server_error(ACCESS_DENIED, "ACCESS_DENIED", text)
