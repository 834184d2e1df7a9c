"""Where a question about the data goes: to a server, or to the data of a stack that has stopped."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from deploy.cli.options import DEFAULT_DATA, clickhouse_of
from streams.settings import load_settings


def server_or_folder(data: Path, url: str | None = None) -> str | Path:
    """The address of a server, or the folder of the engine's data.

    In this order: ``url``; the stack that runs on ``data``; the data of one that has stopped, if a
    directory was named; the server of the settings, if they name one; the data in the default place.
    Raises OSError that says what to do when there is none of them.
    """
    from deploy.embedded.directory import DataDirectory, holder, read_endpoints

    if url is not None:
        return url
    if (endpoints := read_endpoints(data)) is not None:
        return clickhouse_of(endpoints)
    folder = DataDirectory(data).clickhouse
    if data == DEFAULT_DATA or not folder.is_dir():
        settings = load_settings()
        if "clickhouse_url" in settings.model_fields_set:
            return settings.clickhouse_url
    if not folder.is_dir():
        where = "" if data == DEFAULT_DATA else f" --data {data}"
        raise OSError(
            f"{data} holds no data of a stack; run 'mirante up{where}' first, name the directory of "
            "another with --data, or a server with MIRANTE_CLICKHOUSE_URL"
        )
    if (starting := holder(data)) is not None:
        raise OSError(
            f"the stack on {data} is starting or stopping ({starting}); try again in a moment"
        )
    return folder


def moment(text: str) -> datetime:
    """A time as the tables give it, in UTC and without a zone, as ClickHouse's drivers have it."""
    return datetime.fromisoformat(text).replace(tzinfo=None)
