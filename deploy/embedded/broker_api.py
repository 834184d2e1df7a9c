"""What the embedded broker and Apache Kafka have in common."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.embedded.processes import Service

PROBE_TIMEOUT_MS = 2_000


class Broker(Service, Protocol):
    """A Kafka-protocol broker, or a cluster of them, that this process starts and stops."""

    @property
    def bootstrap(self) -> str:
        """`host:port`, comma-separated. Known before the start, and the same after a restart."""

    @property
    def cluster_id(self) -> str:
        """As the broker reports it in its metadata.

        A different id means different data: offsets of another id say nothing.
        """


@dataclass(frozen=True, slots=True)
class ClusterMetadata:
    cluster_id: str
    brokers: int


async def cluster_metadata(bootstrap: str) -> ClusterMetadata:
    """Ask a broker who it is. Raises ConnectionError while it does not answer."""
    # aiokafka logs an error for every refused connection, so knock first: refusal is what a starting broker is expected
    # to do.
    host, port = bootstrap.split(",")[0].rsplit(":", 1)
    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=PROBE_TIMEOUT_MS)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
    except KafkaError as error:
        raise ConnectionError(f"{bootstrap} does not answer: {error}") from error
    finally:
        await admin.close()
    return ClusterMetadata(cluster_id=str(cluster["cluster_id"]), brokers=len(cluster["brokers"]))


async def serves(bootstrap: str, cluster_id: str, brokers: int = 1) -> bool:
    """Whether the cluster of this id answers, and with so many brokers."""
    cluster = await cluster_metadata(bootstrap)
    return cluster.cluster_id == cluster_id and cluster.brokers >= brokers
