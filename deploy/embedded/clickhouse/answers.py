"""The headers and error bodies of ClickHouse's HTTP interface."""

import dataclasses
import json
import secrets
import string

from deploy.embedded.clickhouse.engine import StatementSummary
from deploy.embedded.clickhouse.errors import ClickHouseError

DISPLAY_NAME = "mirante-embedded"
_CONTENT_TYPES = {
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "Arrow": "application/octet-stream",
    "ArrowStream": "application/octet-stream",
    "Pretty": "text/plain; charset=UTF-8",
}
_LINES_OF_JSON = ("JSONEachRow", "JSONLines", "NDJSON", "JSONCompactEachRow", "JSONStringsEachRow")


def content_type(output_format: str) -> str:
    """The media type ClickHouse gives a format."""
    if output_format.startswith(_LINES_OF_JSON):
        return "application/x-ndjson; charset=UTF-8"
    if output_format.startswith("JSON"):
        return "application/json; charset=UTF-8"
    if output_format.startswith(("TSV", "TabSeparated")):
        return _CONTENT_TYPES["TabSeparated"]
    return _CONTENT_TYPES.get(output_format, "text/plain; charset=UTF-8")


def summary(counts: StatementSummary) -> str:
    """X-ClickHouse-Summary: numbers as text, as ClickHouse writes them."""
    return json.dumps({name: str(value) for name, value in dataclasses.asdict(counts).items()} | {"total_rows_to_read": "0"})


def exception_tag() -> str:
    """Marks the exception in an answer that had begun, so that data cannot be taken for one."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(16))


def exception_block(tag: str, error: ClickHouseError) -> bytes:
    """An exception after the first rows have left, in ClickHouse's format since 25.11."""
    text = error.message.encode()
    length = len(text) + 1
    marker, name = b"__exception__", tag.encode()
    return (
        b"\r\n"
        + marker
        + b"\r\n"
        + name
        + b"\r\n"
        + text
        + b"\n"
        + str(length).encode()
        + b" "
        + name
        + b"\r\n"
        + marker
        + b"\r\n"
    )
