"""Which of the errors that the embedded engine has counted are an insert's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("chdb")

from deploy.embedded.clickhouse.engine import Errors
from deploy.embedded.clickhouse.errors import ClickHouseError

DATA = Path("/data/mirante")


class Answer:
    """Rows of ``system.errors``."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self._rows = rows

    def query(self, sql: str, output_format: str) -> Answer:
        return self

    def bytes(self) -> bytes:
        return b"\n".join(json.dumps(row).encode() for row in self._rows)


def error(name: str, value: int, query_id: str, message: str = "it went wrong") -> dict[str, Any]:
    return {"name": name, "code": 1, "value": value, "query_id": query_id, "last_error_message": message}


@pytest.mark.parametrize(
    ("row", "raised"),
    [
        (error("NOT_ENOUGH_SPACE", 4, "mine"), True),
        (error("NOT_ENOUGH_SPACE", 4, "another"), False),
        (error("NOT_ENOUGH_SPACE", 5, "another"), True),  # two since, of which the last alone is known
        (error("UNKNOWN_TABLE", 5, "another"), False),  # no insert meets it once it has begun
        (error("NOT_ENOUGH_SPACE", 3, "mine"), False),  # of before
        (error("CANNOT_OPEN_FILE", 4, "mine", "Cannot open file /usr/lib/libpython3.so"), False),
        (error("CANNOT_OPEN_FILE", 4, "mine", f"Cannot open file {DATA}/store/a.bin"), True),
    ],
)
def test_what_an_insert_has_met_is_raised(row: dict[str, Any], raised: bool) -> None:
    # given three errors of each kind before
    errors = Errors(Answer(row), DATA)
    # when an insert with the id "mine" has ended
    try:
        errors.raise_new({row["name"]: 3}, "mine")
    except ClickHouseError as problem:
        # then it fails with what it has met
        assert raised and row["last_error_message"] in problem.message
    else:
        assert not raised
