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


# Three of each kind were there before the insert "mine".


@pytest.mark.parametrize(
    "row",
    [
        error("NOT_ENOUGH_SPACE", 4, "mine"),
        error("NOT_ENOUGH_SPACE", 5, "another"),  # two since, of which the last alone is known
        error("CANNOT_OPEN_FILE", 4, "mine", f"Cannot open file {DATA}/store/a.bin"),
    ],
)
def test_what_an_insert_has_met_is_raised(row: dict[str, Any]) -> None:
    with pytest.raises(ClickHouseError, match=row["last_error_message"]):
        Errors(Answer(row), DATA).raise_new({row["name"]: 3}, "mine")


@pytest.mark.parametrize(
    "row",
    [
        error("NOT_ENOUGH_SPACE", 4, "another"),
        error("UNKNOWN_TABLE", 5, "another"),  # no insert meets it once it has begun
        error("NOT_ENOUGH_SPACE", 3, "mine"),  # of before
        error("CANNOT_OPEN_FILE", 4, "mine", "Cannot open file /usr/lib/libpython3.so"),
    ],
)
def test_what_others_have_met_is_not(row: dict[str, Any]) -> None:
    Errors(Answer(row), DATA).raise_new({row["name"]: 3}, "mine")
