"""What a worker tells Prometheus about itself: what its agents count (streams/counters.py), and how it does itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from streams.counters import COUNTERS
from streams.effects import Effects

_DELAYS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3600)
_SIZES = (1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000)


class Metrics:
    """The metrics of one worker process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = r = CollectorRegistry()
        ProcessCollector(registry=r)
        self._counters = {
            name: Counter(one.metric, one.help, [one.label] if one.label else [], registry=r)
            for name, one in COUNTERS.items()
        }
        self.lag = Gauge("mirante_lag", "Records not read yet", ["topic", "partition"], registry=r)
        self.delay = Histogram("mirante_delay_seconds", "From a record's Kafka time to its durable row", registry=r, buckets=_DELAYS)
        self.batches = Histogram("mirante_batch_records", "Records per fetched batch", ["topic"], registry=r, buckets=_SIZES)
        self.checkpoints = Histogram("mirante_checkpoint_seconds", "Time of a checkpoint", ["agent"], registry=r, buckets=_DELAYS)
        self.restores = Gauge("mirante_restore_seconds", "Time of the last state recovery", ["agent"], registry=r)
        self.retries = Counter("mirante_kafka_retries", "Checkpoint steps repeated", ["agent", "step"], registry=r)
        self.rows = Counter("mirante_rows", "Rows stored in ClickHouse", ["table"], registry=r)
        self.insert_errors = Counter("mirante_insert_errors", "Failed inserts (each is repeated)", ["table"], registry=r)
        self.rows_refused = Counter("mirante_rows_refused", "Rows ClickHouse refused for their own sake", ["table"], registry=r)
        at = ["agent", "step"]
        self.holds = Counter("mirante_loop_held", "Times the event loop was held for more than a second", at, registry=r)
        self.held_for = Counter("mirante_loop_held_seconds", "Seconds of those", at, registry=r)
        kept = "Entries of state, and of kinds label_* how well labels foretell feedback"
        self.state_size = Gauge("mirante_state", kept, ["agent", "partition", "kind"], registry=r)

    def render(self) -> bytes:
        """The Prometheus text exposition."""
        return bytes(generate_latest(self.registry))

    def batch(self, topic: str, records: int) -> None:
        """A batch of so many records came."""
        self.batches.labels(topic).observe(records)

    def applied(self, effects: Effects) -> None:
        """Counts collected by the logic, added once per checkpoint."""
        for (name, label), count in effects.counts.items():
            counter = self._counters[name]
            (counter.labels(label) if COUNTERS[name].label else counter).inc(count)

    def checkpoint(self, agent: str, seconds: float) -> None:
        """A checkpoint took so long."""
        self.checkpoints.labels(agent).observe(seconds)

    def durable(self, seconds: float) -> None:
        """The oldest record of a batch took this long to become durable."""
        self.delay.observe(seconds)

    def restored(self, agent: str, seconds: float) -> None:
        """Recovering the state of an agent took so long."""
        self.restores.labels(agent).set(seconds)

    def retried(self, agent: str, step: str) -> None:
        """A step of a checkpoint is repeated."""
        self.retries.labels(agent, step).inc()

    def stored(self, table: str, rows: int) -> None:
        """So many rows are stored."""
        self.rows.labels(table).inc(rows)

    def held(self, agent: str, step: str, seconds: float) -> None:
        """The event loop did nothing but this for so long."""
        self.holds.labels(agent, step).inc()
        self.held_for.labels(agent, step).inc(seconds)

    def insert_failed(self, table: str) -> None:
        """An insert failed and will be repeated."""
        self.insert_errors.labels(table).inc()

    def refused(self, table: str) -> None:
        """ClickHouse refused a row for its own sake."""
        self.rows_refused.labels(table).inc()

    def state(self, agent: str, partition: int, gauges: Mapping[str, float]) -> None:
        """Sizes of the state of an agent for one partition, by kind."""
        for kind, size in gauges.items():
            self.state_size.labels(agent, str(partition), kind).set(size)

    def behind(self, topic: str, partition: int, records: int) -> None:
        """So many records of a partition are not read yet."""
        self.lag.labels(topic, str(partition)).set(records)

    def owned(self, agent: str, topics: Collection[str], partitions: Collection[int]) -> None:
        """Of an agent and its inputs, only these partitions are this worker's: it speaks of the others no more."""
        _keep(self.lag, "topic", topics, partitions)
        _keep(self.state_size, "agent", (agent,), partitions)


def _keep(gauge: Gauge, label: str, values: Collection[str], partitions: Collection[int]) -> None:
    """Remove the series of ``values`` of a label whose partition is not among ``partitions``."""
    labels = [sample.labels for family in gauge.collect() for sample in family.samples]
    for one in labels:
        if one[label] in values and int(one["partition"]) not in partitions:
            gauge.remove(*one.values())
