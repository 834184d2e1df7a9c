"""ClickHouse in a process: the engine `chdb` behind ClickHouse's HTTP interface on loopback, or for one query here.

`python -m deploy.embedded.clickhouse --path DIR --port PORT` serves; `run_sql` and `open_engine` need no server.
"""

from deploy.embedded.clickhouse.engine import Engine, open_engine, run_sql
from deploy.embedded.clickhouse.errors import ClickHouseError

__all__ = ["ClickHouseError", "Engine", "open_engine", "run_sql"]
