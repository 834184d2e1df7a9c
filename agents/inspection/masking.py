"""Rows of ClickHouse without personal data: the last thing that happens to a row before it leaves the worker."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import msgspec

from agents.inspection.pii import Found, Tagger, candidate_ends, mask_fields, pii_column
from schemas.rows import TableRow

_encode_row = msgspec.json.Encoder().encode


class Masking:
    """Encodes rows and masks their text. ``secret``: makes the tags unguessable; equal for all workers, so that repeats are equal."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def line(self, row: TableRow, session: str, count: Callable[[str], None]) -> tuple[bytes, Found]:
        """The row as one line of JSON, and what was masked in it. ``session``: within which equal values have equal tags. ``count`` gets
        each kind that was found.

        Columns by which rows are found and joined stay as they are: a service must not use personal data as an id.
        """
        line, (name, marker) = _encode_row(row), _of(type(row))
        start = line.index(marker)
        rest = b"{" + line[start + 1 :]
        ends = candidate_ends(rest)
        if ends == []:
            return line, {}
        masked, found = mask_fields(rest, ends, Tagger(session, self._secret), skip=name)
        if not found:
            return line, {}
        for kinds in found.values():
            for kind in kinds:
                count(kind)
        return b'%b,%b,"pii":%b}' % (line[:start], masked[1:-1], _encode_row(pii_column(found))), found


@cache
def _of(kind: type[TableRow]) -> tuple[str, bytes]:
    """The last identifier and how it begins in a line."""
    return kind.LAST_IDENTIFIER, f',"{kind.LAST_IDENTIFIER}":'.encode()
