"""As much SQL as the HTTP interface has to understand: where an INSERT's data begins, what a statement is, its FORMAT.

The rules are those of ClickHouse's Lexer and ParserInsertQuery; everything else is left to the engine.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    rb"""(?P<space>\s+|(?:--|//|\#[!\x20])[^\n]*|/\*.*?\*/)
    |(?P<odd>\xe2\x80[\x98\x9c])
    |(?P<heredoc>\$[A-Za-z0-9_]*\$).*?(?P=heredoc)
    |(?P<quoted>'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*")
    |(?P<word>[A-Za-z_][A-Za-z0-9_$]*)
    |(?P<other>[0-9][0-9A-Za-z_.]*|.)""",
    re.VERBOSE | re.DOTALL,
)
_OPEN, _CLOSE = (b"(", b"[", b"{"), (b")", b"]", b"}")

# Statements that answer with rows, and so with a format.
_ANSWERING = frozenset(
    {"SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK", "KILL", "BACKUP", "RESTORE"}
)
# Statements that leave the data as it is: what GET may do, and what may be stopped when nobody waits for the answer.
_READING = frozenset({"SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK"})
_QUERIES = frozenset({"SELECT", "WITH", "FROM"})


@dataclass(frozen=True, slots=True)
class DataInsert:
    """An INSERT whose rows follow it as data: the statement before FORMAT, the format, where the data begins."""

    statement: str
    format: str
    data_begins: int


@dataclass(frozen=True, slots=True)
class Statement:
    """Any other statement: its first keyword, upper case, and the FORMAT it asks for, if it does."""

    keyword: str
    format: str | None

    @property
    def answers(self) -> bool:
        """Whether it has a result set, be it empty."""
        return self.keyword in _ANSWERING

    @property
    def only_reads(self) -> bool:
        """Whether it changes neither data nor tables."""
        return self.keyword in _READING

    @property
    def is_query(self) -> bool:
        """Whether the engine can hand its result over block by block."""
        return self.keyword in _QUERIES


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: bytes
    begin: int
    end: int

    def is_word(self, *words: bytes) -> bool:
        """Whether it is one of these words (in capitals), in whatever case it is written."""
        return self.kind == "word" and self.text.upper() in words

    @property
    def is_string(self) -> bool:
        """Whether it is a string literal."""
        return self.kind == "heredoc" or (self.kind == "quoted" and self.text.startswith(b"'"))


def tokens(sql: bytes) -> Iterator[Token]:
    """The tokens, without white space and comments."""
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup or "other"
        if kind != "space":
            yield Token(kind, match[0], match.start(), match.end())


def _outer_tokens(sql: bytes) -> Iterator[Token]:
    """The tokens outside all brackets, without white space and comments; an opening bracket stands for its content."""
    depth = 0
    for token in tokens(sql):
        if token.text in _CLOSE:
            depth = max(0, depth - 1)
        elif depth == 0:
            yield token
        if token.text in _OPEN:
            depth += 1


def find_data_insert(sql: bytes) -> DataInsert | None:
    """The INSERT with data that `sql` begins with, or None if it is another statement or still incomplete."""
    previous: Token | None = None
    outer = _outer_tokens(sql)
    for token in outer:
        if previous is None:
            if not token.is_word(b"INSERT"):
                return None
        elif previous.is_word(b"INTO", b"TABLE") or previous.text == b".":
            pass  # a name, whatever it looks like
        elif token.is_word(b"SELECT", b"WITH", b"INFILE"):
            return None
        elif token.is_word(b"VALUES"):
            return DataInsert(_text(sql[: token.begin]), "Values", token.end)
        elif token.is_word(b"FORMAT"):
            name = next(outer, None)
            if name is None or name.kind != "word":
                return None
            if name.is_word(b"VALUES"):
                return DataInsert(_text(sql[: token.begin]), "Values", name.end)
            return DataInsert(_text(sql[: token.begin]), name.text.decode(), _data_after(sql, name.end))
        previous = token
    return None


def _data_after(sql: bytes, position: int) -> int:
    """ParserInsertQuery: blanks and then at most one line end belong to the statement; the rest is data."""
    while sql[position : position + 1] in (b" ", b"\t", b"\f"):
        position += 1
    if sql[position : position + 1] == b"\r":
        position += 1
    if sql[position : position + 1] == b"\n":
        position += 1
    return position


def read_statement(sql: bytes) -> Statement:
    """What a statement is and which output format it names at its end, before SETTINGS and `;`."""
    outer = list(_outer_tokens(sql))
    if not outer:
        return Statement("", None)
    keyword = "SELECT" if outer[0].text == b"(" else outer[0].text.decode(errors="replace").upper()
    # "format" may also be the name of a column, so the word counts only where nothing but the last clauses follows.
    for position in range(len(outer) - 2, 0, -1):
        word, name = outer[position], outer[position + 1]
        after = outer[position + 2] if position + 2 < len(outer) else None
        if (
            word.is_word(b"FORMAT")
            and name.kind == "word"
            and (after is None or after.text == b";" or after.is_word(b"SETTINGS"))
        ):
            return Statement(keyword, name.text.decode())
    return Statement(keyword, None)


def _text(sql: bytes) -> str:
    return sql.decode("utf-8", errors="surrogateescape")
