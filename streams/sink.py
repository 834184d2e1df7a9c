"""Rows to ClickHouse: every row is stored, or is a dead letter with the reason ClickHouse gave. Nothing is dropped.

An insert that fails for a reason outside the rows (server away, overloaded, table missing) is repeated with growing, jittered
delays until it succeeds; meanwhile the checkpoint waits, and with it the reading of input. A row that ClickHouse cannot
accept for its own sake is found by halving the batch. Repeating an insert is harmless: identical rows replace each other.
"""

from __future__ import annotations

import asyncio
import logging
import random
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error
from urllib3.exceptions import HTTPError

from schemas.outputs import DeadLetter
from schemas.rows import DATABASE, INSERT_SETTINGS, DeadLetterRow
from streams.clickhouse import ClickHouseUnavailable, connect
from streams.deadletters import Preview, refused_row, row_of, withheld
from streams.metrics import Metrics
from streams.reasons import reason

log = logging.getLogger(__name__)

MAX_ROWS = 20_000
MAX_BYTES = 16 * 1024 * 1024
"""Size of one insert."""

FIRST_DELAY, LONGEST_DELAY = 0.2, 5.0
"""Seconds between attempts."""

ROW_FAULTS = frozenset({
    6, 26, 27, 33, 38, 41, 43, 53, 69, 70, 72, 117, 131, 321, 349, 376, 407, 441, 469, 675, 676,
})  # fmt: skip
"""ClickHouse error codes that blame the data: parse errors, types, ranges, overflow, constraints (src/Common/ErrorCodes.cpp)."""

TOO_MUCH_MEMORY = 241


class Sink:
    """Writes rows with JSONEachRow inserts, through one client and a few threads."""

    def __init__(self, url: str, metrics: Metrics, preview: Preview = withheld) -> None:
        """``preview``: what of a dead letter its table holds."""
        self._preview = preview
        self._url = url
        self._metrics = metrics
        self._client: Client | None = None
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="sink")
        self.failing_since: str | None = None
        """Why inserts do not succeed at present; None while they do."""

    async def write(self, rows: Mapping[str, Sequence[bytes]]) -> list[DeadLetter]:
        """Store rows (table -> JSON objects); returns those that ClickHouse refuses for their own sake."""
        tasks = [self._insert(table, part) for table, all_rows in rows.items() for part in _parts(all_rows)]
        return [letter for letters in await asyncio.gather(*tasks) for letter in letters]

    async def write_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters in their table."""
        encode = msgspec.json.Encoder().encode
        refused = await self.write({DeadLetterRow.TABLE: [encode(row_of(self._preview(letter))) for letter in letters]})
        for letter in refused:
            # It is in the dead-letter topic already; only its copy in the table is missing.
            log.error("ClickHouse refuses a dead letter: %s", letter.reason)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    async def _insert(self, table: str, rows: Sequence[bytes]) -> list[DeadLetter]:
        delay = FIRST_DELAY
        while True:
            try:
                await asyncio.get_running_loop().run_in_executor(self._threads, self._send, _insert_of(table, rows))
            except (Error, HTTPError, OSError) as error:
                code = getattr(error, "code", None)
                if code in ROW_FAULTS or (code == TOO_MUCH_MEMORY and len(rows) > 1):
                    if len(rows) == 1:
                        self._metrics.refused(table)
                        return [refused_row(table, rows[0], str(error))]
                    half = len(rows) // 2
                    return await self._insert(table, rows[:half]) + await self._insert(table, rows[half:])
                self.failing_since = self.failing_since or f"{table}: {reason(error)}"
                self._metrics.insert_failed(table)
                log.warning("insert into %s failed, trying again in %.1f s: %s", table, delay, reason(error))
                _let_go(error)
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))
                delay = min(2 * delay, LONGEST_DELAY)
            else:
                self.failing_since = None
                self._metrics.stored(table, len(rows))
                return []

    def _send(self, insert: bytes) -> None:
        if self._client is None:
            try:
                self._client = connect(self._url)
            except ClickHouseUnavailable as error:
                raise OSError(str(error)) from error
        self._client.raw_insert("", insert_block=insert, settings=dict(INSERT_SETTINGS))


def _let_go(error: BaseException | None) -> None:
    """The frames of a failed attempt hold its rows, in a circle with the exception: megabytes until the next full garbage collection."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def _insert_of(table: str, rows: Sequence[bytes]) -> bytes:
    """The statement with its rows, put together once: the client would copy megabytes to put the statement before them."""
    return b"\n".join((f"INSERT INTO {DATABASE}.{table} FORMAT JSONEachRow".encode(), *rows))


def _parts(rows: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut into inserts of bounded size."""
    begin = size = 0
    for index, row in enumerate(rows):
        if index > begin and (index - begin >= MAX_ROWS or size + len(row) > MAX_BYTES):
            yield rows[begin:index]
            begin, size = index, 0
        size += len(row)
    if begin < len(rows):
        yield rows[begin:]
