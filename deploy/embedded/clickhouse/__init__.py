"""ClickHouse in a process: the engine `chdb` behind ClickHouse's HTTP interface on loopback, or for one query here.

`python -m deploy.embedded.clickhouse --path DIR --port PORT` serves; `run_sql` and `open_engine` need no server.
"""

from typing import TYPE_CHECKING, Any

from deploy.embedded.clickhouse.errors import ClickHouseError

if TYPE_CHECKING:
    from deploy.embedded.clickhouse.engine import Engine, open_engine, run_sql

__all__ = ["ClickHouseError", "Engine", "open_engine", "run_sql"]


def __getattr__(name: str) -> Any:
    """The engine's library when it is first asked for: it begins threads, which the server confines before."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from deploy.embedded.clickhouse import engine

    return getattr(engine, name)
