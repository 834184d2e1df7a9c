"""What a worker tells Prometheus about itself. One list, in the order of the flow."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from streams.effects import Effects

_DELAYS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3600)
_SIZES = (1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000)


class Metrics:
    """The metrics of one worker process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = r = CollectorRegistry()
        ProcessCollector(registry=r)
        self.events = Counter("mirante_events", "Events by topic and what became of them", ["topic", "result"], registry=r)
        self.dead_letters = Counter("mirante_dead_letters", "Events that could not be processed", ["stage"], registry=r)
        self.rekeyed = Counter("mirante_rekeyed", "Events that came under another key or partition", ["topic"], registry=r)
        self.duplicates = Counter("mirante_duplicates", "Events whose event_id was seen before", ["topic"], registry=r)
        self.late = Counter("mirante_late", "Events behind their partition by more than the lateness", ["topic"], registry=r)
        self.outcomes = Counter("mirante_interactions", "Interactions by outcome", ["outcome"], registry=r)
        self.unpriced = Counter("mirante_unpriced", "Interactions without a known price", ["model"], registry=r)
        self.unknown_finish = Counter("mirante_unknown_finish_reasons", "Finish reasons nobody has mapped", registry=r)
        self.pii = Counter("mirante_pii", "Rows in which personal data was masked", ["kind"], registry=r)
        self.switches = Counter("mirante_switches", "What became of kill switches and throttles", ["what"], registry=r)
        self.unknown_rules = Counter("mirante_unknown_rules", "Usage of a budget or limit this worker has not", registry=r)
        self.guard = Counter("mirante_guard", "Answered calls in which the guards found something", ["flag"], registry=r)
        self.guards_closed_early = Counter("mirante_guards_closed_early", "Spans judged early: too many attempts held", registry=r)
        self.closed_early = Counter("mirante_anomaly_closed_early", "Buckets judged early: too many parts held", registry=r)
        self.labels = Counter("mirante_labels", "Versions of labels published", ["label"], registry=r)
        self.label_exceptions = Counter("mirante_label_exceptions", "Turns and feedback taken late, or not at all", ["what"], registry=r)
        self.other = Counter("mirante_other_series", "Interactions counted under __other__: series cap reached", registry=r)
        self.settled_early = Counter("mirante_settled_early", "Open requests settled because there were too many", registry=r)
        self.lag = Gauge("mirante_lag", "Records not read yet", ["topic", "partition"], registry=r)
        self.delay = Histogram("mirante_delay_seconds", "From a record's Kafka time to its durable row", registry=r, buckets=_DELAYS)
        self.batches = Histogram("mirante_batch_records", "Records per fetched batch", ["topic"], registry=r, buckets=_SIZES)
        self.checkpoints = Histogram("mirante_checkpoint_seconds", "Time of a checkpoint", ["agent"], registry=r, buckets=_DELAYS)
        self.restores = Gauge("mirante_restore_seconds", "Time of the last state recovery", ["agent"], registry=r)
        self.retries = Counter("mirante_kafka_retries", "Checkpoint steps repeated", ["agent", "step"], registry=r)
        self.rows = Counter("mirante_rows", "Rows stored in ClickHouse", ["table"], registry=r)
        self.insert_errors = Counter("mirante_insert_errors", "Failed inserts (each is repeated)", ["table"], registry=r)
        self.rows_refused = Counter("mirante_rows_refused", "Rows ClickHouse refused for their own sake", ["table"], registry=r)
        self.state_size = Gauge("mirante_state", "Entries of state", ["agent", "partition", "kind"], registry=r)

    def render(self) -> bytes:
        """The Prometheus text exposition."""
        return bytes(generate_latest(self.registry))

    def batch(self, topic: str, records: int) -> None:
        self.batches.labels(topic).observe(records)

    def applied(self, effects: Effects) -> None:
        """Counts collected by the logic, added once per checkpoint."""
        by_name = {
            "dead_letter": self.dead_letters,
            "rekeyed": self.rekeyed,
            "duplicate": self.duplicates,
            "late": self.late,
            "outcome": self.outcomes,
            "unpriced": self.unpriced,
            "pii": self.pii,
            "guard": self.guard,
            "guards_closed_early": self.guards_closed_early,
            "switch": self.switches,
            "labels": self.labels,
            "labels_late": self.label_exceptions,
            "labels_feedback": self.label_exceptions,
        }
        plain = {
            "unknown_finish": self.unknown_finish,
            "other": self.other,
            "settled_early": self.settled_early,
            "unknown_rule": self.unknown_rules,
            "anomaly_closed_early": self.closed_early,
        }
        for (name, label), count in effects.counts.items():
            if name in by_name:
                by_name[name].labels(label).inc(count)
            elif name in plain:
                plain[name].inc(count)
            else:
                result, topic = name, label
                self.events.labels(topic, result).inc(count)

    def checkpoint(self, agent: str, seconds: float) -> None:
        self.checkpoints.labels(agent).observe(seconds)

    def durable(self, seconds: float) -> None:
        """The oldest record of a batch took this long to become durable."""
        self.delay.observe(seconds)

    def restored(self, agent: str, seconds: float) -> None:
        self.restores.labels(agent).set(seconds)

    def retried(self, agent: str, step: str) -> None:
        self.retries.labels(agent, step).inc()

    def stored(self, table: str, rows: int) -> None:
        self.rows.labels(table).inc(rows)

    def insert_failed(self, table: str) -> None:
        self.insert_errors.labels(table).inc()

    def refused(self, table: str) -> None:
        self.rows_refused.labels(table).inc()

    def state(self, agent: str, partition: int, gauges: Mapping[str, float]) -> None:
        for kind, size in gauges.items():
            self.state_size.labels(agent, str(partition), kind).set(size)

    def behind(self, topic: str, partition: int, records: int) -> None:
        self.lag.labels(topic, str(partition)).set(records)
