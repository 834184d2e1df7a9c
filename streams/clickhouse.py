"""The one way to ClickHouse: clickhouse-connect over HTTP, whoever serves it."""

from __future__ import annotations

import time
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from urllib3.exceptions import HTTPError

from streams.reasons import reason

AUTHENTICATION_FAILED = frozenset({192, 193, 194, 497, 516})


class ClickHouseUnavailable(ConnectionError):
    """No server answered; the message says where and what to check."""


def connect(url: str, *, wait: float = 0.0, database: str = "default", patience: float = 120.0) -> Client:
    """A client for ``http[s]://[USER:PASSWORD@]HOST:PORT``; waits up to ``wait`` seconds for the server.

    ``patience``: seconds that an answer may take.

    Raises :class:`ClickHouseUnavailable`. A client may be used by several threads at once: it keeps no session.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ClickHouseUnavailable(f"this is not a ClickHouse address ({url.rpartition('@')[2]}); write http://[USER:PASSWORD@]HOST:PORT")
    try:
        port = parts.port or (8443 if parts.scheme == "https" else 8123)
    except ValueError as error:
        raise ClickHouseUnavailable(f"the port of ClickHouse's address is not one: {error}") from error
    deadline = time.monotonic() + wait
    while True:
        try:
            return clickhouse_connect.get_client(
                host=parts.hostname,
                port=port,
                username=unquote(parts.username or "default"),
                password=unquote(parts.password or ""),
                database=database,
                secure=parts.scheme == "https",
                autogenerate_session_id=False,
                connect_timeout=min(10.0, patience),
                send_receive_timeout=patience,
            )
        except (OperationalError, DatabaseError, HTTPError, OSError) as error:
            if getattr(error, "code", None) in AUTHENTICATION_FAILED:
                raise ClickHouseUnavailable(f"ClickHouse at {parts.hostname} refuses this user: {reason(error)}") from error
            if time.monotonic() >= deadline:
                raise ClickHouseUnavailable(
                    f"no ClickHouse answered at {parts.scheme}://{parts.hostname}:{port} ({reason(error)}); "
                    "check MIRANTE_CLICKHOUSE_URL or --clickhouse, and that the server runs"
                ) from error
            time.sleep(0.2)

