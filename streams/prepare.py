"""What must exist before a worker starts: the topics and the tables. Idempotent; safe when several workers start at once."""

from __future__ import annotations

import asyncio
import logging

from schemas.compare import put_back
from schemas.migrate import migrate
from streams.clickhouse import connect
from streams.kafka import cluster_id, ensure_topics
from streams.settings import Settings
from streams.topics import Topics

log = logging.getLogger(__name__)


async def prepare(settings: Settings, *, wait: float = 30.0) -> str:
    """Create topics and tables; waits up to ``wait`` seconds for the servers. Returns the Kafka cluster's id.

    Raises BrokerUnavailable, TopicMismatch, ClickHouseUnavailable or MigrationError, each saying what to do.
    """
    await ensure_topics(settings, Topics.of(settings).all(), wait=wait)
    await asyncio.to_thread(_prepare_tables, settings.clickhouse_url, wait)
    return await cluster_id(settings)


def _prepare_tables(url: str, wait: float) -> None:
    client = connect(url, wait=wait)
    try:
        migrate(client)
        for view in put_back(client):
            log.warning("put back %s, which was missing in ClickHouse", view)
    finally:
        client.close()
