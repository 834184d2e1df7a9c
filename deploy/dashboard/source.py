"""ClickHouse as the dashboard reads it: whole JSON answers, a few at a time, the last ones kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from urllib3.exceptions import HTTPError

from deploy.dashboard.kept import KeptAnswers
from streams.clickhouse import ClickHouseUnavailable, connect

SETTINGS = {
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_decimals": 0,
    "date_time_output_format": "iso",
}
LIMITS = {"max_execution_time": 60, "max_memory_usage": 2_000_000_000, "readonly": 2}
"""Of one query: seconds, bytes; and it may change nothing."""

AT_ONCE = 4
"""Queries that run side by side: a page must not take the engine from the workers."""

KEPT_SECONDS = 1.0
LONGEST_KEPT = 60.0


def kept_for(parameters: Mapping[str, Any]) -> float:
    """Seconds for which an answer is kept: of an hour ten, of a day and more a minute; without a period, one.

    As long as pages ask with the same end (``beat`` in static/state.js).
    """
    length = int(parameters.get("until", 0)) - int(parameters.get("since", 0))
    return max(KEPT_SECONDS, min(LONGEST_KEPT, length / 360))


class SourceError(Exception):
    """ClickHouse refused a query; the message says why."""


class QuerySource:
    """Queries to the ClickHouse at ``url`` (``http[s]://[USER:PASSWORD@]HOST:PORT``).

    What was asked a moment ago (`kept_for`) is answered from memory.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Client | None = None
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="dashboard-query")
        self._kept = KeptAnswers()

    async def answer(
        self, sql: str, parameters: Mapping[str, Any], seconds: float | None = None
    ) -> bytes:
        """JSON ``{"meta": [...], "data": [[...], ...], ...}``, kept for ``seconds`` (None: `kept_for`).

        Raises SourceError, or ClickHouseUnavailable if no server answers.
        """

        async def ask() -> bytes:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._ask, sql, dict(parameters))

        key = sql, json.dumps(parameters, sort_keys=True)
        return await self._kept.get(key, kept_for(parameters) if seconds is None else seconds, ask)

    async def rows(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """The rows as objects."""
        answer = json.loads(await self.answer(sql, parameters or {}))
        names = [column["name"] for column in answer["meta"]]
        return [dict(zip(names, row, strict=True)) for row in answer["data"]]

    def rows_here(self, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The same for code that runs in a thread of its own; ``parameters`` as ``%(name)s``."""
        answer = self._raw(sql, dict(parameters), "JSONEachRow")
        return [json.loads(line) for line in answer.splitlines()]

    def _ask(self, sql: str, parameters: dict[str, Any]) -> bytes:
        return self._raw(sql, parameters, "JSONCompact")

    def _raw(self, sql: str, parameters: dict[str, Any], form: str) -> bytes:
        try:
            if self._client is None:
                self._client = connect(self._url)
            client = self._client
            return bytes(
                client.raw_query(
                    sql, parameters=parameters, fmt=form, settings={**SETTINGS, **LIMITS}
                )
            )
        except DatabaseError as error:
            raise SourceError(str(error)) from error
        except (OperationalError, HTTPError, OSError) as error:
            self._client = None
            raise ClickHouseUnavailable(f"ClickHouse does not answer: {error}") from error

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()
