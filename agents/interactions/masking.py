"""Rows of ClickHouse without personal data: the last thing that happens to a row before it leaves the worker."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import msgspec

from agents.guards.pii import Found, Tagger, candidate_ends, mask_fields, pii_column
from schemas.rows import Row

_encode_row = msgspec.json.Encoder().encode


class Masking:
    """Encodes rows and masks their text. ``secret``: makes the tags unguessable; equal for all workers, so that repeats are equal."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def line(self, row: Row, session: str, count: Callable[[str], None]) -> tuple[bytes, Found]:
        """The row as one line of JSON, and what was masked in it. ``session``: within which equal values have equal tags. ``count`` gets
        each kind that was found.

        Columns by which rows are found and joined stay as they are: a service must not use personal data as an id.
        """
        line, (marker, identifiers) = _encode_row(row), _of(type(row))
        start = line.index(marker)
        ends = candidate_ends(line[start:])
        if ends == []:
            return line, {}
        ends = ends and [start + end for end in ends]
        masked, found = mask_fields(line, ends, Tagger(session, self._secret), skip=identifiers)
        if not found:
            return line, {}
        for kinds in found.values():
            for kind in kinds:
                count(kind)
        return masked[:-1] + b',"pii":' + _encode_row(pii_column(found)) + b"}", found


@cache
def _of(kind: type[Row]) -> tuple[bytes, frozenset[str]]:
    """How the last identifier begins in a line, and the names of all identifiers."""
    fields = kind.__struct_fields__
    return f',"{kind.LAST_IDENTIFIER}":'.encode(), frozenset(fields[: fields.index(kind.LAST_IDENTIFIER) + 1])
