"""What an ingest tells Prometheus about itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class IngestMetrics:
    """The metrics of one ingest process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = r = CollectorRegistry()
        ProcessCollector(registry=r)
        self.requests = Counter(
            "mirante_ingest_requests", "Requests answered", ["route", "status"], registry=r
        )
        self.bytes = Counter(
            "mirante_ingest_bytes", "Bytes of bodies, decompressed", ["route"], registry=r
        )
        self.records = Counter(
            "mirante_ingest_records", "Records that Kafka acknowledged", ["topic"], registry=r
        )
        self.in_flight = Gauge(
            "mirante_ingest_in_flight_bytes", "Bytes of requests not yet answered", registry=r
        )
        self.writing = Histogram(
            "mirante_ingest_write_seconds", "From a request read to its records in Kafka",
            registry=r, buckets=_SECONDS,
        )  # fmt: skip

    def render(self) -> bytes:
        """The Prometheus text exposition."""
        return bytes(generate_latest(self.registry))
